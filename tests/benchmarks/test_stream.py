"""Training from a stream beside training from memory, on a collection of a few bars."""

import pytest

from benchmarks import stream


@pytest.mark.slow
def test_both_ways_have_a_curve(collection, monkeypatch, capsys):
    monkeypatch.setattr(stream, "VALID_PAIRS", 100)
    monkeypatch.setattr("sys.argv", ["stream", str(collection), "2", "100", "1"])
    stream.main()
    said = capsys.readouterr().out
    assert "whole" in said and "streamed" in said
    assert said.count(" ± 0.0") == 12  # three measures of two epochs of both ways, of one seed each
