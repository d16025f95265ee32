"""Which figures a run draws: those of networks that train on enough examples."""

import math

import pytest

from pipeline.planning import learning_files, settings

FOLLOWING = {
    "networks": ["paper", "PT"],
    "training": {
        "paper": {"epochs": 2, "epoch_samples": 100},
        "PT": {"epochs": 1, "epoch_samples": None},  # all there are
    },
}
RETRIEVAL = {
    "networks": ["BL2-SC", "PT", "BL2-SC+AT"],
    "shipped": True,
    "training": {
        "paper": {"epochs": 2, "epoch_samples": 100},
        "PT": {"epochs": 3, "epoch_samples": 100},
    },
}


@pytest.mark.parametrize(
    ("least", "drawn"),
    [(0, ["paper", "PT"]), (200, ["paper", "PT"]), (201, ["PT"]), (math.inf, ["PT"])],
)
def test_a_network_is_drawn_if_it_trains_on_enough_examples(least, drawn):
    assert learning_files.drawn(FOLLOWING | {"figures_from": least}) == drawn
    names = learning_files.following_figures(FOLLOWING | {"figures_from": least})
    assert {name for name in names if name.endswith("errors")} == {
        f"score_following_{network}_errors" for network in drawn
    }


@pytest.mark.parametrize(
    ("least", "more", "figures"),
    [
        (200, {}, ["history", "tempo", "example", *learning_files.ATTENTION_FIGURES]),
        (300, {}, ["history", "tempo", "example"]),  # of PT
        (301, {}, ["example"]),  # of the network that comes with the project
        (301, {"shipped": False}, []),
    ],
)
def test_figures_of_retrieval(least, more, figures):
    found = learning_files.retrieval_figures(RETRIEVAL | {"figures_from": least} | more)
    assert [name.removeprefix("retrieval_") for name in found] == figures


def test_the_default_draws_only_what_has_learned():
    default = settings.load()
    assert learning_files.drawn(default["score_following"]) == ["PT"]
    assert learning_files.retrieval_figures(default["retrieval"]) == ["retrieval_example"]


@pytest.mark.parametrize("name", ["nottingham", "msmd"])
def test_full_runs_draw_every_network(name):
    whole = settings.load([settings.PROJECT / f"config/{name}.yaml"])
    for section in filter(None, (whole["score_following"], whole["retrieval"])):
        assert learning_files.drawn(section) == section["networks"]
