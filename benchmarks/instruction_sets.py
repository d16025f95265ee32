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
from models import muon
from models.device import computes_bf16, keep_memory
from models.retrieval.loss import contrastive_loss, local_loss, ranking_loss
from models.retrieval.network import Network as Retrieval
from models.retrieval.segments import SEGMENT_FRAMES, SEGMENT_WIDTH_PX
from models.retrieval.token_network import PT as Tokens
from models.score_following.matching import PT
from models.score_following.network import Network, soft_targets
from pipeline.constants import CONTEXTS, RETRIEVAL, SNIPPET_FACTOR, SNIPPET_HEIGHT_PX

SETS = {
    "AVX2, float32": {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"},
    "AVX-512, bfloat16": {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16"},
    "all there is, bfloat16": {},
}
ROUNDS = 3  # the fastest counts
RETRIEVAL_MODEL, PAIRS = "BL2-SC", 100
SEGMENTS, ONSETS = 16, 24  # of a batch, and of a segment


def following(network, optimiser, notes_per_staff: int):
    """A step of score following on random notes."""
    index = torch.arange(NOTES) // notes_per_staff
    images, excerpts = torch.rand(int(index.max()) + 1, 1, 40, 390), torch.rand(NOTES, 1, 136, 40)
    targets = soft_targets(torch.rand(NOTES) * 390)
    return optimiser, lambda: functional.cross_entropy(
        network(images, excerpts, index).float(), targets
    )


def retrieval(network):
    """A step of retrieval on random pairs."""
    images = torch.rand(PAIRS, 1, 80, 100)
    excerpts = torch.rand(PAIRS, 1, RETRIEVAL.bins, CONTEXTS["SC"])
    optimiser = torch.optim.Adam(network.parameters(), lr=0.002, fused=True)
    return optimiser, lambda: ranking_loss(*network(images, excerpts))


def segments(network):
    """A step of our own network for retrieval on random segments: network, both losses and Muon."""
    height, width = SNIPPET_HEIGHT_PX // SNIPPET_FACTOR, SEGMENT_WIDTH_PX // SNIPPET_FACTOR
    images = torch.rand(SEGMENTS, 1, height, width)
    sounds = torch.rand(SEGMENTS, 1, RETRIEVAL.bins, SEGMENT_FRAMES)
    x, frames = (torch.rand(SEGMENTS, ONSETS) * length for length in (width, SEGMENT_FRAMES))
    real = torch.ones(SEGMENTS, ONSETS, dtype=torch.bool)
    same = torch.arange(SEGMENTS * ONSETS).view(SEGMENTS, ONSETS)

    def loss():
        sheet, audio = network.sheet_side(images, x), network.audio_side(sounds, frames)
        scale = network.scale()
        everywhere = contrastive_loss(sheet.flatten(0, 1), audio.flatten(0, 1), scale)
        return everywhere + local_loss(sheet, audio, scale, real, same)

    return muon.of_network(network, 0.002, 0.02), loss


def steps() -> dict:
    """Notes or pairs of a step, optimiser and loss of each network, by name."""
    paper, pt, balke, tokens = (
        network.to(memory_format=torch.channels_last)
        for network in (Network(), PT(), Retrieval(RETRIEVAL_MODEL), Tokens())
    )
    adam = torch.optim.AdamW(pt.parameters(), fused=True)
    return {
        "score following, the paper's": (
            NOTES,
            *following(paper, sgd(paper, fused=True), NOTES_PER_STAFF),
        ),
        "score following, PT": (NOTES, *following(pt, adam, NOTES_PER_STAFF_OF_PT)),
        f"retrieval, {RETRIEVAL_MODEL}": (PAIRS, *retrieval(balke)),
        "retrieval, PT on segments": (SEGMENTS * ONSETS, *segments(tokens)),
    }


def seconds(low_precision: bool) -> dict[str, tuple[int, float]]:
    """Notes or pairs of a step of each network, and processor seconds of the fastest."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    keep_memory()
    found = {}
    for name, (count, optimiser, compute) in steps().items():
        taken = []
        for _ in range(ROUNDS):
            begin = time.thread_time()
            with torch.autocast("cpu", torch.bfloat16, enabled=low_precision):
                loss = compute()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            taken.append(time.thread_time() - begin)
        found[name] = count, min(taken)
    return found


def main() -> None:
    if sys.argv[1:]:
        print(json.dumps(seconds(sys.argv[1] == "bfloat16")))
        return
    print(f"processor seconds of a step, one thread, best of {ROUNDS}")
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
        for network, (count, taken) in json.loads(child.stdout).items():
            print(f"  {network:30} {count} in {taken:.2f} s, {count / taken:6.0f} a second")


if __name__ == "__main__":
    main()
