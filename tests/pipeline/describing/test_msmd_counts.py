"""MSMD's counts beside ours: one onset a frame of 50 ms, of notes that have a head."""

import pandas as pd
import pytest
import yaml

from pipeline.describing import msmd_counts
from tests.support import collection

# waltz: the first two of five notes have no head, and the next two sound together.
# fugue: 0.51 and 0.52 s fall in one frame (ceil(20 t) = 11).
OURS = {"waltz": 2, "march": 3, "fugue": 3}


@pytest.fixture
def compared(tmp_path):
    """Run the stage on the tiny data set; gives the Markdown and the rows by piece."""

    def run(published, failed=None):
        files = collection.write(tmp_path, failed)
        (tmp_path / "counts.yaml").write_text(yaml.safe_dump(published))
        msmd_counts.msmd_counts(
            files["pieces"], files["engraved"], files["notes"], tmp_path / "counts.yaml",
            "own", str(tmp_path / "msmd_counts"),
        )  # fmt: skip
        rows = pd.read_csv(tmp_path / "msmd_counts.csv", index_col="piece_id")
        return (tmp_path / "msmd_counts.md").read_text(), rows

    return run


def test_onsets_are_frames_of_notes_that_have_a_head(compared):
    _, rows = compared({})
    assert rows["ours"].dropna().to_dict() == OURS
    assert rows["headless"].dropna().to_dict() == {"waltz": 2, "march": 0, "fugue": 0}


def test_only_pieces_that_differ_are_listed_with_their_reason(compared):
    text, _ = compared({**OURS, "waltz": 4, "song": 7, "not ours": 9})
    assert "| waltz | 4 | 2 | 2 | more there than here | – |" in text
    assert "| song | 7 | – | – | left out | not for piano: Voice |" in text
    assert "| march |" not in text and "not ours" not in text
    assert "Of the 6 pieces in its splits, 2 (33.3%) have the same" in text


def test_a_difference_of_rounding_is_told_from_others(compared, monkeypatch):
    """MSMD counts at a MIDI file's ticks; `midi_frames` of the tiny data set is 5 everywhere."""
    text, rows = compared(OURS | {"waltz": 5, "march": 2, "fugue": 3})
    assert rows["differs"].dropna().to_dict() == {
        "waltz": msmd_counts.ROUNDING,
        "march": msmd_counts.FEWER,
        **dict.fromkeys(("song", "duo", "none"), "left out"),
    }
    assert "1 (16.7%) have the same" in text
    assert "and 1 more (33.3% in all)" in text


def test_a_piece_that_failed_later_counts_as_different(compared):
    text, rows = compared(OURS | {"late": 5}, failed={"late": "time limit"})
    assert "| late | 5 | – | – | left out | time limit |" in text
    assert rows["reason"]["late"] == "time limit"


def test_published_numbers_stand_beside_ours(compared):
    text, _ = compared(OURS)
    for line in (
        "| pieces | all | 467 | 3 |",
        "| pieces | train | 354 | 2 |",
        "| pieces | valid | 19 | 0 |",
        "| composers | all | 53 | 3 |",
        "| pages | all | over 1,000 | 6 |",
        "| hours of music at tempo ratio 1 | all | 15+ | 0.0 |",  # a measured one: else 0
        "| aligned pairs of note and notehead | all | 344,742 | 10 |",
        "| onsets | test | 15,726 | 3 |",
    ):
        assert line in text


def test_msmd_s_other_candidates_are_not_compared(compared, monkeypatch):
    pieces = collection.PIECES | {"march": ("extra", "Schumann", [0.0], 0)}
    monkeypatch.setattr(collection, "PIECES", pieces)
    text, rows = compared(OURS)
    assert "march" not in rows.index
    assert "| pieces | all | 467 | 2 |" in text


def test_a_file_that_holds_no_counts_is_named(compared):
    with pytest.raises(ValueError, match=r"counts\.yaml: not a list of pieces.*fetch it again"):
        compared("<html>")
