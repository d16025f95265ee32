"""A training step of retrieval beside a plain one: `python -m benchmarks.train_retrieval`.

The plain loop is the same network as the paper's Table 1 reads, layer by layer, in float32. Ours
computes in bfloat16, as the config has it, if the processor can, and in its favourite layout. The
examples are random; both loops end in the same projection and loss.
"""

import time

import torch
from torch import nn

from models.device import computes_bf16, keep_memory
from models.retrieval.loss import ranking_loss
from models.retrieval.network import CHANNELS, MODELS, NORMALISATION, Network
from pipeline.constants import EMBEDDING, RETRIEVAL

NAMES = ("BL2-SC", "BL2-LC", "BL2-LC+AT")
BATCH = 100
ROUNDS = 5  # the fastest counts, the others were disturbed


def convolution(inputs: int, outputs: int) -> list:
    return [
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs, **NORMALISATION),
        nn.ELU(),
    ]


def trunk() -> list:
    layers, inputs = [], 1
    for outputs in CHANNELS:
        layers += [*convolution(inputs, outputs), *convolution(outputs, outputs), nn.MaxPool2d(2)]
        inputs = outputs
    return layers


class Plain(Network):
    """Table 1, layer by layer, with the authors' attention; the projection is ours."""

    def __init__(self, name: str):
        super().__init__(name)
        last = CHANNELS[-1]
        self.sheet_branch = nn.Sequential(
            *trunk(), nn.Conv2d(last, EMBEDDING, 1), nn.Flatten(), nn.Linear(960, EMBEDDING)
        )
        self.audio_branch = nn.Sequential(
            *trunk(),
            nn.Conv2d(last, EMBEDDING, 1, bias=False),
            nn.BatchNorm2d(EMBEDDING, **NORMALISATION),
            nn.Flatten(),
            nn.Linear(EMBEDDING * 5 * (self.context // 16), EMBEDDING),
        )
        if self.attends:
            self.attention_branch = nn.Sequential(
                *trunk(),
                nn.Conv2d(last, self.context, 1),
                nn.AdaptiveAvgPool2d(1),
                nn.Flatten(),
                nn.Softmax(dim=1),
            )


def fastest_step(network: Network, *, ours: bool) -> float:
    """Seconds of the fastest of some training steps."""
    images = torch.rand(BATCH, 1, 80, 100)
    excerpts = torch.rand(BATCH, 1, RETRIEVAL.bins, MODELS[network.name].context)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.002, fused=ours)
    taken = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=ours and computes_bf16()):
            sheet, audio = network(images, excerpts)
        loss = ranking_loss(sheet, audio)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        taken.append(time.perf_counter() - begin)
    return min(taken)


def main() -> None:
    torch.manual_seed(0)
    plain = {name: fastest_step(Plain(name), ours=False) for name in NAMES}
    torch.set_flush_denormal(True)  # as in training; both stay so for the rest of the process
    keep_memory()
    print(f"a step of {BATCH} examples, {torch.get_num_threads()} threads, best of {ROUNDS}")
    for name in NAMES:
        ours = fastest_step(Network(name).to(memory_format=torch.channels_last), ours=True)
        print(
            f"{name:10} plain {BATCH / plain[name]:5.0f} examples a second, "
            f"ours {BATCH / ours:5.0f}, {plain[name] / ours:4.1f} times as many"
        )


if __name__ == "__main__":
    main()
