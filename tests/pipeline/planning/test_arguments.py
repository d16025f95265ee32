"""Settings as words of a command line."""

import pytest

from pipeline.planning import arguments


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("it's", "it's"),
        (0.3, "0.3"),
        (True, "true"),
        ([0.5, 1], "[0.5, 1]"),
        ({"a": 1}, '{"a": 1}'),
    ],
)
def test_value_as_one_argument(value, expected):
    assert arguments.text(value) == expected
    assert arguments.option("name", value) == [f"--name={expected}"]


def test_what_is_not_set_is_left_to_the_command():
    assert arguments.option("tempo", None) == []
    assert arguments.option("seed", 0) == ["--seed=0"]


def test_names_that_outputs_share():
    output = ["results/figures/a.b.png", "results/figures/a.b.pdf"]
    assert arguments.stem(None, output) == "results/figures/a.b"
    assert arguments.folder(None, output) == "results/figures"
