"""Training steps of score following: `python -m benchmarks.train_score_following`.

The plain loop is the paper's network as Table 1 reads, in float32, with an image pass for each
note. Ours shares the pass of a staff among its notes and computes in bfloat16, as the config has
it, if the processor can. `PT` is our own network, with its optimiser.
"""

import time

import torch
from torch import nn
from torch.nn import functional

from models.device import computes_bf16, keep_memory
from models.score_following.matching import PT
from models.score_following.network import Network, soft_targets

NOTES, NOTES_PER_STAFF, NOTES_PER_STAFF_OF_PT = 100, 5, 8
ROUNDS = 5  # the fastest counts, the others were disturbed


def convolution(inputs: int, outputs: int, size: int = 3, stride=1, pool: bool = False) -> list:
    layers = [
        nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    ]
    return [*layers, nn.MaxPool2d(2), nn.Dropout(0.15)] if pool else layers


def dense(inputs: int, outputs: int) -> list:
    return [
        nn.Linear(inputs, outputs, bias=False),
        nn.BatchNorm1d(outputs),
        nn.ReLU(),
        nn.Dropout(0.3),
    ]


class Plain(nn.Module):
    """Table 1, layer by layer."""

    def __init__(self):
        super().__init__()
        self.sheet = nn.Sequential(
            *convolution(1, 64, 5, (1, 2)),
            *convolution(64, 64, pool=True),
            *convolution(64, 128),
            *convolution(128, 128, pool=True),
            nn.Flatten(),
            *dense(61_440, 1024),
        )
        self.audio = nn.Sequential(
            *convolution(1, 64),
            *convolution(64, 64, pool=True),
            *convolution(64, 96, pool=True),
            *convolution(96, 96, pool=True),
            nn.Flatten(),
            *dense(8_160, 1024),
        )
        self.joint = nn.Sequential(*dense(2048, 1024), *dense(1024, 1024), nn.Linear(1024, 40))

    def forward(self, images, excerpts):
        return self.joint(torch.cat([self.sheet(images), self.audio(excerpts)], dim=1))


def sgd(network: nn.Module, fused: bool) -> torch.optim.Optimizer:
    return torch.optim.SGD(
        network.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=1e-4, fused=fused
    )


def main() -> None:
    torch.manual_seed(0)
    images, excerpts = torch.rand(NOTES, 1, 40, 390), torch.rand(NOTES, 1, 136, 40)
    targets = soft_targets(torch.rand(NOTES) * 390)
    plain = Plain()
    paper, pt = (make().to(memory_format=torch.channels_last) for make in (Network, PT))

    def shared(network, notes_per_staff):
        index = torch.arange(NOTES) // notes_per_staff
        with torch.autocast("cpu", torch.bfloat16, enabled=computes_bf16()):
            return network(images[: index.max() + 1], excerpts, index).float()

    ways = {
        "plain float32": (lambda: plain(images, excerpts), sgd(plain, fused=False)),
        "ours": (lambda: shared(paper, NOTES_PER_STAFF), sgd(paper, fused=True)),
        "PT": (
            lambda: shared(pt, NOTES_PER_STAFF_OF_PT),
            torch.optim.AdamW(pt.parameters(), fused=True),
        ),
    }
    print(f"a step of {NOTES} notes, {torch.get_num_threads()} threads, best of {ROUNDS}")
    for way, (scores, optimiser) in ways.items():
        if way == "ours":
            keep_memory()  # as in training; it stays so for the rest of the process
        taken = []
        for _ in range(ROUNDS):
            begin = time.perf_counter()
            loss = functional.cross_entropy(scores(), targets)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            taken.append(time.perf_counter() - begin)
        print(f"{way:14} {min(taken):6.2f} s, {NOTES / min(taken):6.0f} notes a second")


if __name__ == "__main__":
    main()
