"""The training loop's copy of the best weights."""

from types import SimpleNamespace

import torch
from torch import nn

from models.training import Training


def test_a_better_epoch_overwrites_the_one_copy_of_the_best_weights():
    network = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    run = SimpleNamespace(network=network, state={"best": {}, "epoch": 1})
    Training.keep_best(run)
    first = {name: tensor.data_ptr() for name, tensor in run.state["best"]["network"].items()}
    with torch.no_grad():
        network[0].weight += 1  # as the next step does, which must not reach the copy
    assert not torch.equal(run.state["best"]["network"]["0.weight"], network[0].weight)
    run.state["epoch"] = 2
    Training.keep_best(run, optimiser="moments")
    best = run.state["best"]
    assert (best["epoch"], best["optimiser"]) == (2, "moments")
    for name, tensor in network.state_dict().items():
        assert torch.equal(best["network"][name], tensor)
        assert best["network"][name].data_ptr() == first[name] != tensor.data_ptr()
