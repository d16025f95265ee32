"""Training steps by the processor's instructions: `python -m benchmarks.instruction_sets`.

oneDNN and torch are told to use no more than AVX2, AVX-512 or all that there is, each in a process
of its own. With AVX2 a training computes in float32, with the others in bfloat16. Seconds are those
of the processor, on one thread, so that other work on the machine disturbs them little.
"""

import json
import os
import subprocess
import sys
import time

import torch
from torch.nn import functional

from benchmarks.train_score_following import NOTES, NOTES_PER_STAFF, NOTES_PER_STAFF_OF_PT, sgd
from models.device import computes_bf16, keep_memory
from models.retrieval.loss import ranking_loss
from models.retrieval.network import Network as Retrieval
from models.score_following.matching import PT
from models.score_following.network import Network, soft_targets
from pipeline.constants import CONTEXTS, RETRIEVAL

SETS = {
    "AVX2, float32": {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"},
    "AVX-512, bfloat16": {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16"},
    "all there is, bfloat16": {},
}
ROUNDS = 3  # the fastest counts
RETRIEVAL_MODEL, PAIRS = "BL2-SC", 100


def following(network, optimiser, notes_per_staff: int):
    """A step of score following on random notes."""
    images, excerpts = (
        torch.rand(NOTES // notes_per_staff + 1, 1, 40, 390),
        torch.rand(NOTES, 1, 136, 40),
    )
    targets = soft_targets(torch.rand(NOTES) * 390)
    index = torch.arange(NOTES) // notes_per_staff
    return optimiser, lambda: functional.cross_entropy(
        network(images, excerpts, index).float(), targets
    )


def retrieval(network):
    """A step of retrieval on random pairs."""
    images = torch.rand(PAIRS, 1, 80, 100)
    excerpts = torch.rand(PAIRS, 1, RETRIEVAL.bins, CONTEXTS["SC"])
    optimiser = torch.optim.Adam(network.parameters(), lr=0.002, fused=True)
    return optimiser, lambda: ranking_loss(*network(images, excerpts))


def steps() -> dict:
    """Optimiser and loss of each network, by name."""
    paper, pt, balke = (
        network.to(memory_format=torch.channels_last)
        for network in (Network(), PT(), Retrieval(RETRIEVAL_MODEL))
    )
    return {
        "score following, the paper's": following(paper, sgd(paper, fused=True), NOTES_PER_STAFF),
        "score following, PT": following(
            pt, torch.optim.AdamW(pt.parameters(), fused=True), NOTES_PER_STAFF_OF_PT
        ),
        f"retrieval, {RETRIEVAL_MODEL}": retrieval(balke),
    }


def seconds(low_precision: bool) -> dict[str, float]:
    """Processor seconds of the fastest step of each network."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    keep_memory()
    found = {}
    for name, (optimiser, compute) in steps().items():
        taken = []
        for _ in range(ROUNDS):
            begin = time.thread_time()
            with torch.autocast("cpu", torch.bfloat16, enabled=low_precision):
                loss = compute()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            taken.append(time.thread_time() - begin)
        found[name] = min(taken)
    return found


def main() -> None:
    if sys.argv[1:]:
        print(json.dumps(seconds(sys.argv[1] == "bfloat16")))
        return
    print(f"processor seconds of a step of {NOTES} notes or pairs, one thread, best of {ROUNDS}")
    for name, variables in SETS.items():
        precision = name.rsplit(" ", 1)[1]
        if precision == "bfloat16" and not computes_bf16():
            print(f"{name}: this processor has no instructions for it")
            continue
        child = subprocess.run(
            [sys.executable, "-m", "benchmarks.instruction_sets", precision],
            env=os.environ | variables, check=True, capture_output=True, text=True,
        )  # fmt: skip
        print(name)
        for network, taken in json.loads(child.stdout).items():
            print(f"  {network:30} {taken:6.2f} s, {NOTES / taken:6.0f} a second")


if __name__ == "__main__":
    main()
