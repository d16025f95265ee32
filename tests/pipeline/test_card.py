"""The data-set card: every number is counted from the tables, by split."""

import json

import datasets
import pytest
import yaml
from markdown_it import MarkdownIt

from pipeline import card, tables
from pipeline.constants import STAFF_HEIGHT_PX, STAFF_WIDTH_PX
from tests.support import collection, performances, staves


def write(
    folder, *, layout="pages", max_failures=1.0, failed=None, name="own", warnings=None, **changes
) -> str:
    """The card of the tiny data set."""
    files = collection.write(folder, failed, warnings)
    card.card(
        **files, layout=layout, max_failures=max_failures, name=name, out=folder / "README.md",
        croissant_out=folder / "croissant.json", **changes,
    )  # fmt: skip
    return (folder / "README.md").read_text()


def test_the_card_counts_by_split_and_warns_of_an_empty_one(tmp_path):
    text = write(tmp_path)
    for line in (
        "|  | train | test |",
        "| pieces | 2 | 1 |",
        "| composers | 2 | 1 |",
        "| pages | 4 | 2 |",
        "| systems | 12 | 6 |",
        "| performances | 3 | 1 |",
        "| onsets, all performances | 72 | 24 |",  # 24 in each shard's row
        "| aligned pairs of note and notehead | 6 | 4 |",
        "| hours of audio, all performances | 0.6 | 0.2 |",  # 720 s each
    ):
        assert line in text
    assert "> The split valid is empty.\n" in text
    assert "The split test" not in text


def test_the_card_warns_of_shards_of_other_settings(tmp_path):
    """Empty ones are of sound fonts that do not play the split."""
    assert "other settings" not in write(tmp_path)
    row = performances.performance("of before")
    staves.write_shard(tmp_path / "shards/train/old-1.0-7.parquet", [row])
    assert "lie beside these: 1, for instance old-1.0-7.parquet" in write(tmp_path)


def test_the_card_warns_of_unknown_licences_and_of_a_collection_without_a_test_split(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(collection, "LICENCE", "ask my aunt")
    only_train = {name: row for name, row in collection.PIECES.items() if row[0] == "train"}
    monkeypatch.setattr(collection, "PIECES", only_train)
    monkeypatch.setattr(collection, "PLAYED", collection.PLAYED[:3])
    text = write(tmp_path)
    told = capsys.readouterr().err
    for warning in (
        "Of 2 of 2 pieces (100%) the licence is not stated or not known",
        "The split test is empty. Nothing here is held out.",
    ):
        assert f"> {warning}" in text
        assert f"own: {warning}" in told


def test_a_composer_without_a_name_is_told_as_such(tmp_path, monkeypatch):
    changed = collection.PIECES | {"waltz": ("train", "", [0.0], 0)}
    monkeypatch.setattr(collection, "PIECES", changed)
    assert "| not stated | 1 | 0 |" in write(tmp_path)


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
    assert "| off_ink: noteheads without a notehead's ink in their box | 2 | 1 |" in text
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


RECORDED = [
    {"performer": "Lee", "duration_s": 90.0, "onsets": [
        {"note_id": 0, "notehead_id": 0, "onset_s": 1.0, "sureness": 0.9},
        {"note_id": 1, "notehead_id": 1, "onset_s": 2.0, "sureness": 0.5,
         "reason": "less sure than 0.8"}]},
    {"performer": "Kim", "reason": "this does not seem to be a recording of this score (fit 0.5)"},
]  # fmt: skip


def test_a_recording_that_does_not_fit_is_listed_and_is_no_failure_of_its_piece(tmp_path):
    rows = [{"piece_id": "waltz", "font": "recordings"} | row for row in RECORDED]
    files = collection.write(tmp_path)
    path = tmp_path / "performances/recordings/recorded/0.parquet"
    tables.write(rows, tables.PERFORMANCES, path)
    files["performances"].append(path)
    card.card(
        **files, layout="pages", max_failures=0.0, name="own", out=tmp_path / "README.md",
        croissant_out=tmp_path / "croissant.json",
    )  # fmt: skip
    text = (tmp_path / "README.md").read_text()
    assert "> 1 performances are recordings of people, which the licence" in text
    assert "| less sure than 0.8 | 1 |" in text
    assert "| waltz | Kim | this does not seem to be a recording of this score (fit 0.5) |" in text
    assert "failed later" not in text and "differ from the score" not in text
    assert "`sureness`" in text and "`sureness`" not in write(tmp_path / "without")


def test_hugging_face_finds_splits_and_pictures_through_the_card(tmp_path):
    write(tmp_path)
    found = datasets.load_dataset(str(tmp_path), cache_dir=str(tmp_path / "cache"))
    assert {split: rows.num_rows for split, rows in found.items()} == {"train": 3, "test": 1}
    assert found["test"][0]["images"][0].size == (STAFF_WIDTH_PX, STAFF_HEIGHT_PX)


def test_the_front_matter_tells_licence_size_tasks_and_features(tmp_path):
    front = yaml.safe_load(write(tmp_path).split("---\n")[1])
    assert front["license"] == "cc0-1.0"
    assert front["size_categories"] == ["n<1K"]
    assert "object-detection" in front["task_categories"]
    known = datasets.Features._from_yaml_list(front["dataset_info"][0]["features"])
    assert list(known) == tables.SHARDS.names
    assert known["images"] == datasets.List(datasets.Image())


def test_complaints_of_lilypond_about_kept_pieces_are_counted(tmp_path):
    unknown = "unknown escaped string: `\\foo' (x.ly:1:2 and 3 more)"
    other = "unknown escaped string: `\\bar' (y.ly:1:2)"
    text = write(tmp_path, warnings={"waltz": [unknown, other], "fugue": [other, "fatal error: x"]})
    assert "| complaints of LilyPond | pieces |" in text
    assert "| unknown escaped string | 2 |\n| fatal error | 1 |" in text
    assert "complaints of LilyPond" not in write(tmp_path)


HOSTILE = "<script>|[x](http://e)|\n# `h` ![i](j) *k*\x1b\u202e\n---\n" + "a" * 500


def test_what_users_files_say_is_shown_as_text(tmp_path, monkeypatch):
    """Composer, licence, piece id, reasons, warnings and the collection's name, all hostile."""
    monkeypatch.setattr(collection, "LICENCE", HOSTILE)
    monkeypatch.setattr(
        collection, "PIECES", collection.PIECES | {"waltz": ("train", HOSTILE, [0.0], 0)}
    )
    monkeypatch.setattr(collection, "LEFT_OUT", {"song": HOSTILE})
    text = write(tmp_path, name=HOSTILE, failed={HOSTILE: HOSTILE}, warnings={"waltz": [HOSTILE]})
    _, front, body = text.split("---\n", 2)
    assert yaml.safe_load(front)["configs"][0]["data_files"][0]["split"] == "train"
    tokens = MarkdownIt("js-default", {"html": True}).parse(body)
    inline = [child for token in tokens for child in token.children or ()]
    assert {child.type for child in inline} == {"text", "softbreak", "code_inline"}
    ours = {"croissant.json", "warnings", "engraved"}
    assert {child.content for child in inline if child.type == "code_inline"} == ours
    assert "html_block" not in {token.type for token in tokens}
    assert [token.tag for token in tokens if token.type == "heading_open"] == ["h1", "h2"]
    assert "\x1b" not in text and "\u202e" not in text
    assert max(map(len, text.splitlines())) < 3000

    described = json.loads((tmp_path / "croissant.json").read_text())
    assert described["license"][0].startswith("<script>|[x](http://e)|")
    assert all(len(licence) <= 200 and licence.isprintable() for licence in described["license"])
    assert described["name"].isprintable()
