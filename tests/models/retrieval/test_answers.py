"""Answers in words: which piece it is, where, and that nothing fits."""

import json

import numpy as np
import pytest

from models.retrieval import answers
from models.retrieval.index import Index
from models.retrieval.printed import Place
from models.weights import digest

CALIBRATED = {"threshold": 1.1}


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    """Ten windows are enough of pieces as small as these."""
    monkeypatch.setattr(answers, "LEAST_WINDOWS", 10)


@pytest.fixture
def index():
    """A minuet of twelve positions over two pages, and another piece, nothing like it."""
    places = [Place(page=n // 6, system=n // 3, bar=str(1 + n // 3)) for n in range(12)]
    return Index(
        pieces=["minuet", "other/piece"],
        titles=["Minuet", ""],
        composers=["Christian Petzold", ""],
        widths=np.array([1200, 800]),
        piece=np.repeat([0, 1], [12, 8]),
        x=100.0 * np.append(np.arange(12), np.arange(8)),
        vectors=np.eye(32, dtype=np.float32)[:20],
        places=places + [Place()] * 8,
    )


def say(index: Index, entries: list[int], calibrated: dict | None = CALIBRATED) -> str:
    """The answer to a recording, two windows a second, that sounds like these entries."""
    windows, frames = index.vectors[entries], 10 * np.arange(len(entries))
    found = answers.answer(index, windows, frames, 2, calibrated)
    match = answers.Match(1.0, int(index.piece[entries[0]]), 0.0, 0, entries[0])
    found["matches"] = answers.matches(index, [match], frames)
    return answers.in_words(found | {"picture": "p.png"})


def test_the_answer_names_piece_page_system_and_bar(index):
    said = say(index, list(range(12)))
    assert "found: Minuet, by Christian Petzold (evidence" in said
    assert "heard 0:00 to 0:05: page 1, system 1, bar 1 to page 2, system 4, bar 4" in said
    assert "searched 2 pieces with 20 positions, listened to 12 windows" in said


@pytest.mark.parametrize("entries", [range(12), [14, 13, 17, 16, 15, 19, 12, 13, 18, 17, 12]])
def test_evidence_is_that_of_the_best_piece_searched_both_ways(index, entries):
    windows, frames = index.vectors[[*entries]], 10 * np.arange(len(entries))
    expected = answers.evidence(*answers.both_ways(index, windows, frames))
    found = answers.answer(index, windows, frames, 1, CALIBRATED)["evidence"]
    assert found == pytest.approx(expected, abs=1e-4)


def test_a_repeat_is_a_passage_of_its_own(index):
    said = say(index, [*range(6), *range(12)])
    assert "heard 0:00 to 0:02: page 1, system 1, bar 1 to page 1, system 2, bar 2" in said
    assert "heard 0:03 to 0:08: page 1, system 1, bar 1 to page 2, system 4, bar 4" in said


def test_what_fits_backwards_as_well_does_not_fit(index):
    index.vectors[:12] = index.vectors[[*[0] * 4, *[1] * 4, *[0] * 4]]  # the same backwards
    said = say(index, list(range(12)))
    expected = "nothing in this index fits the whole recording (evidence 1.00, needed 1.10); the"
    assert f"{expected} closest is Minuet" in said
    assert "heard 0:00" not in said


def test_a_steady_sound_fits_nothing(index):
    said = say(index, [3] * 12, {"threshold": 0.9})
    assert "nothing in this index fits: the recording is a steady sound, and no music" in said
    assert "heard 0:00" not in said


def test_without_order_or_calibration_it_is_not_told(index):
    assert "best match: Minuet, by Christian Petzold (too few windows to tell" in say(index, [0, 1])
    assert "(not calibrated for these weights)" in say(index, list(range(12)), None)


def test_a_piece_without_title_goes_by_its_id_and_px(index):
    said = say(index, list(range(12, 20)) * 2)
    assert "found: other/piece (" in said
    assert "0 px (0% of it)" in said


def test_text_of_scores_does_not_command_the_terminal(index):
    """Such as to clear it; titles, composers and numbers of bars are anybody's text."""
    index.titles[0] = "Minuet\x1b[2J"
    index.places[0] = Place(page=0, system=0, bar="\x1b[31m1")
    said = say(index, list(range(12)))
    assert "\x1b" not in said
    assert r"found: Minuet\x1b[2J, by Christian Petzold" in said
    assert r"heard 0:00 to 0:05: page 1, system 1, bar \x1b[31m1 to page 2" in said


def test_a_calibration_holds_for_its_weights_alone(tmp_path):
    weights = tmp_path / "mine.safetensors"
    weights.write_bytes(b"weights")
    assert answers.calibration(weights) is None
    known = {"weights": digest(weights), "threshold": 0.7}
    answers.calibration_file(weights).write_text(json.dumps(known))
    assert answers.calibration(weights) == known
    weights.write_bytes(b"other weights")
    assert answers.calibration(weights) is None


@pytest.mark.parametrize("content", ["{", "[]", '{"weights": "abc"}', '{"threshold": 1.0}'])
def test_a_file_that_is_no_calibration_is_named(tmp_path, content):
    weights = tmp_path / "mine.safetensors"
    weights.write_bytes(b"weights")
    answers.calibration_file(weights).write_text(content)
    with pytest.raises(ValueError, match=r"mine\.fits\.json: not a calibration; delete it"):
        answers.calibration(weights)
