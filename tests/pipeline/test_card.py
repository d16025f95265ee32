"""The data-set card: every number is counted from the tables, by split."""

import datasets
import pytest

from pipeline import card
from tests.support import collection


def write(folder, *, layout="pages", max_failures=1.0, failed=None, **changes) -> str:
    """The card of the tiny data set."""
    files = collection.write(folder, failed)
    card.card(
        **files, layout=layout, max_failures=max_failures, name="own", out=folder / "README.md",
        croissant_out=folder / "croissant.json", **changes,
    )  # fmt: skip
    return (folder / "README.md").read_text()


def test_the_card_counts_by_split_and_shows_no_empty_one(tmp_path):
    text = write(tmp_path)
    for line in (
        "|  | train | test |",
        "| pieces | 2 | 1 |",
        "| composers | 2 | 1 |",
        "| pages | 4 | 2 |",
        "| systems | 12 | 6 |",
        "| performances | 3 | 1 |",
        "| onsets, all performances | 72 | 24 |",  # 24 in each shard's row
        "| aligned pairs of note and head | 6 | 4 |",
        "| hours of audio, all performances | 0.6 | 0.2 |",  # 720 s each
    ):
        assert line in text
    assert "valid" not in text


def test_an_hour_of_music_is_counted_once_whatever_the_number_of_performances(
    tmp_path, monkeypatch
):
    """The train pieces end at 2.0 and 2.5 s: 4.5 in all, shown here in seconds."""
    monkeypatch.setattr("pipeline.describing.counts.SECONDS_PER_HOUR", 1)
    assert "| hours of music at tempo ratio 1 | 4.5 | 1.0 |" in write(tmp_path)


def test_the_card_names_composers_and_licences(tmp_path):
    text = write(tmp_path)
    assert "| CC0 | 2 | 1 |\n| number of licences | 1 | 1 |" in text
    assert "| Schubert | 1 | 0 |" in text and "| number of composers | 2 | 1 |" in text


def test_only_ten_composers_are_named_and_all_are_counted(tmp_path, monkeypatch):
    many = {f"p{i}": ("train", f"composer {i}", [0.0], 0) for i in range(12)}
    monkeypatch.setattr(collection, "PIECES", collection.PIECES | many)
    monkeypatch.setattr(
        "pipeline.describing.counts.splits", lambda *_: dict.fromkeys(many, "train")
    )
    text = write(tmp_path)
    assert text.count("| composer ") == 10
    assert "| number of composers | 12 |" in text


def test_the_card_shows_those_checks_of_engraving_that_were_made(tmp_path):
    text = write(tmp_path)
    assert "| off_ink: heads without a head's ink under them | 2 | 1 |" in text
    assert "off_height" not in text


def test_the_card_tells_what_was_left_out_and_why(tmp_path):
    text = write(tmp_path, failed={"a": "time limit (60 s)", "b": "time limit (61 s)"})
    assert "| not for piano | 2 |\n| no score | 1 |" in text
    assert "| time limit | 2 |" in text
    assert "| a | time limit (60 s) |" in text
    assert "| an ornament | 2 |" in text


def test_examples_are_counted_where_excerpts_are_chosen_from_staves(tmp_path):
    """Each row of a shard has 24 onsets, the first three or four too early."""
    early = sum(frame < 34 for frame in range(10, 10 + 8 * 24, 8))
    text = write(tmp_path, layout="staves")
    assert "| staves | 4 | 2 |" in text
    assert f"| examples | {3 * (24 - early)} | {24 - early} |" in text
    assert f"| too early | {4 * early} |" in text
    assert "examples" not in write(tmp_path)


def test_the_counts_of_others_are_taken_in(tmp_path):
    (tmp_path / "other.md").write_text("## Their counts\n")
    assert write(tmp_path, beside=tmp_path / "other.md").endswith("\n## Their counts\n")


def test_too_many_failures_stop_the_run(tmp_path):
    with pytest.raises(ValueError, match=r"own: 1 of 4 pieces failed.*no notes \(1\)"):
        write(tmp_path, failed={"a": "no notes (empty)"}, max_failures=0.2)
    assert not (tmp_path / "README.md").exists()


def test_hugging_face_finds_the_splits_through_the_card(tmp_path):
    write(tmp_path)
    found = datasets.load_dataset(str(tmp_path), cache_dir=str(tmp_path / "cache"))
    assert {split: rows.num_rows for split, rows in found.items()} == {"train": 3, "test": 1}
