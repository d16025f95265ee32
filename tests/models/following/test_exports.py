"""Alignments as other programs read them."""

from dataclasses import replace
from xml.etree import ElementTree as ET

import numpy as np
import pyarrow as pa
import pytest

from models.following import alignment, exports
from models.following.alignment import About, Alignment
from pipeline.reading.libraries import partitura
from tests.support.tiny_scores import drawn, played, sheet

ORDER = [0, 1, 0, 1, 2]


@pytest.fixture
def followed(tmp_path):
    """Three bars, two of them repeated, at half a second a quarter, from second 1."""
    rows = []
    for place, (onset, _, bar, beat) in enumerate(played(drawn(3), ORDER)):
        rows.append(
            {
                "time": 1 + onset, "page": 0, "system": 0, "bar": str(bar + 1),
                "beat": float(beat), "x": 1.0, "y": 2.0, "pass": 2 if 8 <= place < 16 else 1,
                "onset": 4.0 * bar + beat, "note_ids": [f"b{bar + 1}n{beat}"],
                "notehead_ids": [4 * bar + beat], "sureness": 0.9,
            }
        )  # fmt: skip
    about = About("take.wav", 12.0, "notes", "bars 1-2, 1-3")
    printed = sheet(drawn(3), ORDER, title="Study")
    table = alignment.table(rows, about)
    return Alignment(table=table, about=about, recording=tmp_path / "take.wav", **vars(printed))


def test_a_csv_file_has_a_line_for_each_onset(followed, tmp_path):
    exports.write(followed, tmp_path / "a.csv")
    lines = (tmp_path / "a.csv").read_text().splitlines()
    assert lines[0] == ",".join(alignment.ALIGNMENT.names)
    assert lines[1] == "1.0000,0,0,1,,0.0000,1.0000,2.0000,1,0.0000,b1n0,0,0.9000"
    assert len(lines) == 1 + followed.table.num_rows


def test_a_parquet_file_says_what_is_known_of_the_whole(followed, tmp_path):
    exports.write(followed, tmp_path / "a.parquet")
    read = alignment.read_parquet(tmp_path / "a.parquet")
    assert read.equals(followed.table)
    assert alignment.about(read) == followed.about


def test_a_layer_has_an_instant_for_each_onset(followed, tmp_path):
    """Frames at 44.1 kHz, labels with bar and beat as musicians count."""
    exports.write(followed, tmp_path / "a.svl")
    root = ET.parse(tmp_path / "a.svl").getroot()
    points = [(int(p.get("frame")), p.get("label")) for p in root.iter("point")]
    assert points[:5] == [(44_100, "1:1"), (66_150, "1:2"), (88_200, "1:3"), (110_250, "1:4"),
                          (132_300, "2:1")]  # fmt: skip
    assert len(points) == followed.table.num_rows
    (model,), (layer,) = root.iter("model"), root.iter("layer")
    assert layer.get("model") == model.get("id")
    assert model.get("dataset") == root.find("data/dataset").get("id")


def test_a_match_file_is_read_by_partitura(followed, tmp_path):
    """Onsets in seconds by the notes' ids with their pass, and the score in the order heard."""
    exports.write(followed, tmp_path / "a.match")
    performance, matched, part = partitura().load_match(
        str(tmp_path / "a.match"), create_score=True
    )
    onset = {note["id"]: note["note_on"] for note in performance[0].notes}
    time = {pair["score_id"]: onset[pair["performance_id"]] for pair in matched}
    for row in followed.table.to_pylist():
        name = f"{row['note_ids'][0]}-{row['pass']}"
        assert time[name] == pytest.approx(row["time"], abs=0.002)
    notes = part.note_array()
    assert notes["onset_quarter"].tolist() == [float(n) for n in range(20)]
    assert notes["pitch"].tolist() == [pitch for bar in ORDER for pitch in drawn(3)[bar]]


def test_notes_are_held_at_the_tempo_of_the_recording(followed, tmp_path):
    """Played twice as slowly, a quarter of half a second lasts a whole one."""
    rows = [row | {"time": 2 * row["time"]} for row in followed.table.to_pylist()]
    about = replace(followed.about, duration=24.0)
    slow = replace(followed, table=alignment.table(rows, about), about=about)
    exports.write(slow, tmp_path / "a.match")
    performance, _, _ = partitura().load_match(str(tmp_path / "a.match"), create_score=True)
    held = [note["note_off"] - note["note_on"] for note in performance[0].notes]
    assert held == pytest.approx(20 * [1.0], abs=0.002)


def test_the_notes_of_a_pickup_keep_their_places(followed, tmp_path):
    """A pickup of two quarters, whose beats are negative, before the second bar."""
    heads = [
        row | {"bar": "2", "beat": row["beat"] - 4.0} if row["bar"] == "1" else row
        for row in followed.noteheads.to_pylist()
    ]
    rows = [
        row | {"bar": "2", "beat": row["beat"] - 4.0} if row["bar"] == "1" else row
        for row in followed.table.to_pylist()
        if row["bar"] != "1" or row["beat"] >= 2
    ]
    changed = {
        "noteheads": pa.Table.from_pylist(heads, followed.noteheads.schema),
        "table": alignment.table(rows, followed.about),
    }
    exports.write(Alignment(**vars(followed) | changed), tmp_path / "a.match")
    _, _, part = partitura().load_match(str(tmp_path / "a.match"), create_score=True)
    assert np.diff(part.note_array()["onset_quarter"]).tolist() == [1.0] * 15


def test_the_last_bar_may_be_longer_than_four_quarters(followed, tmp_path):
    """All after bar 1 is one bar of eight quarters, heard twice."""
    heads = [
        row | ({"bar": "2", "beat": row["beat"] + 4.0} if row["bar"] == "3" else {})
        for row in followed.noteheads.to_pylist()
    ]
    long = [row for row in followed.table.to_pylist() if row["bar"] != "1"]
    rows = [
        row | {"bar": "2", "beat": row["onset"] - 4.0, "pass": number, "time": 1 + 0.5 * place}
        for place, (number, row) in enumerate((n, row) for n in (1, 2) for row in long[4:])
    ]
    changed = {
        "noteheads": pa.Table.from_pylist(heads, followed.noteheads.schema),
        "table": alignment.table(rows, followed.about),
    }
    exports.write(Alignment(**vars(followed) | changed), tmp_path / "a.match")
    _, _, part = partitura().load_match(str(tmp_path / "a.match"), create_score=True)
    assert np.diff(part.note_array()["onset_quarter"]).tolist() == [1.0] * 15


def test_pages_without_notes_make_no_match_file(followed, tmp_path):
    bare = Alignment(**vars(followed) | {"notes": followed.notes.slice(0, 0)})
    with pytest.raises(ValueError, match=r"a.match: a match file needs the notes"):
        exports.write(bare, tmp_path / "a.match")
    assert not (tmp_path / "a.match").exists()


def test_what_is_not_known_is_an_empty_cell_or_a_system(followed, tmp_path):
    row = followed.table.to_pylist()[0] | {"bar": None, "beat": None}
    table = pa.Table.from_pylist([row], followed.table.schema)
    unknown = Alignment(**vars(followed) | {"table": table})
    exports.write(unknown, tmp_path / "a.csv")
    assert ",0,0,,,,1.0000," in (tmp_path / "a.csv").read_text()
    exports.write(unknown, tmp_path / "a.svl")
    assert 'label="page 1, system 1"' in (tmp_path / "a.svl").read_text()
