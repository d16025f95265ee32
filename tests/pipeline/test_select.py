"""Selection: every piece is in the table, kept or with its reason."""

import pytest

from pipeline import select, tables
from pipeline.reading import catalogue
from pipeline.reading.melody import WRITTEN
from tests.support import musicxml, scores
from tests.support.match_files import match

DURATIONS = [0.5, 0.75, 1, 1.5, 2, 3]


def run(tmp_path, chunk=0, chunks=1, shares=None, layout="staves", **changes):
    settings = {"fraction": 1.0, "seed": 7, "unconfined": "warn"}
    settings |= {"durations": DURATIONS, "tempo": 120.0} | changes
    out = tmp_path / "pieces.parquet"
    select.select(
        str(tmp_path / "tunes"), "downloads", "own", layout, chunk, chunks, shares=shares,
        out=out, **settings,
    )  # fmt: skip
    return {row["piece_id"]: row for row in tables.read(out, tables.PIECES).to_pylist()}


@pytest.fixture
def folder(tmp_path):
    tunes = tmp_path / "tunes" / "train"
    tunes.mkdir(parents=True)
    (tunes / "good.mid").write_bytes(scores.midi(scores.scale(16)))
    (tunes / "fast.mid").write_bytes(scores.midi(scores.scale(16, 0.25)))
    (tunes / "chords.mid").write_bytes(scores.midi([(0, 2, 60), (1, 2, 64)]))
    (tunes / "empty.mid").write_bytes(b"")
    return tmp_path


def test_pieces_are_kept_or_have_a_reason(folder):
    rows = run(folder)
    assert rows["train__good"]["reason"] is None
    assert len(rows["train__good"]["melody"]) == 16
    assert "\\score" in rows["train__good"]["score"][0]["text"]
    assert rows["train__fast"]["reason"] == "a note of 1/4 quarters is not among those allowed"
    assert rows["train__chords"]["reason"] == "polyphonic: notes overlap"
    assert rows["train__empty"]["reason"] == "the file is empty"
    assert all(row["split"] == "train" for row in rows.values())


def test_the_allowed_note_values_are_a_choice(folder):
    assert run(folder, durations=[0.25, 0.5])["train__fast"]["reason"] is None


def test_track_metre_pickup_and_tempo_reach_the_melody(folder):
    (folder / "tunes" / "train" / "bare.mid").write_bytes(
        scores.midi(scores.scale(7, 1), metres=[], tempi=[])
    )
    (text,) = run(folder, tempo=80.0, track=2, metre="3/4", pickup=1.0)["train__bare"]["score"]
    assert "\\time 3/4 \\partial 1*1/4 c'4 |" in text["text"]
    assert "tempoWholesPerMinute = #(ly:make-moment 20 1)" in text["text"]
    reason = run(folder, track=1)["train__bare"]["reason"]
    assert reason == "track 1 has no pitched notes; those that have some: 2"


def test_a_metre_of_the_config_has_to_be_one(folder):
    with pytest.raises(ValueError, match="metre: '3:4' is no metre such as 6/8"):
        run(folder, metre="3:4")


def test_a_length_that_no_head_shows_cannot_be_allowed(folder):
    with pytest.raises(ValueError, match="no single notehead shows 1/3"):
        run(folder, durations=[1 / 3])


def test_a_piece_outside_the_sources_split_is_left_out(folder):
    (folder / "tunes" / "stray.mid").write_bytes(scores.midi(scores.scale(16)))
    assert run(folder)["stray"]["reason"] == "in no split of its source"


def test_batches_share_the_pieces_whatever_others_there_are(folder):
    shared = [set(run(folder, chunk, 3)) for chunk in range(3)]
    assert sum(map(len, shared)) == 4
    (folder / "tunes" / "train" / "new.mid").write_bytes(scores.midi(scores.scale(16)))
    after = [set(run(folder, chunk, 3)) for chunk in range(3)]
    changed = [chunk for chunk in range(3) if shared[chunk] != after[chunk]]
    assert changed == [select.chunk_of("train__new", 3)]


def test_a_drawn_split_has_the_wanted_shares_and_depends_on_the_seed():
    shares = {"train": 0.7, "valid": 0.1, "test": 0.2}
    names = [f"piece-{i}" for i in range(10_000)]
    drawn = [select.drawn_split(name, 1, shares) for name in names]
    for split in catalogue.DRAWN:
        assert drawn.count(split) / len(names) == pytest.approx(shares[split], abs=0.02)
    assert set(drawn) == set(catalogue.DRAWN)
    assert drawn != [select.drawn_split(name, 2, shares) for name in names]


def test_take_looks_at_a_share_of_the_pieces(folder):
    for i in range(40):
        (folder / "tunes" / "train" / f"more{i}.mid").write_bytes(scores.midi(scores.scale(4)))
    assert 10 < len(run(folder, fraction=0.5)) < 34


def test_every_allowed_length_can_be_written():
    assert all(value.denominator in (1, 2, 4, 8, 16) for value in WRITTEN)


@pytest.fixture
def sheets(tmp_path):
    """Scores of one's own: a good one with an include, and what is none."""
    folder = tmp_path / "tunes" / "test"
    folder.mkdir(parents=True)
    (folder / "good.ly").write_text(
        '\\version "2.10.0"\n\\include "notes.ily"\n'
        '\\header { title = "Étude" composer = "Anon" copyright = "Public Domain" }\n'
        "\\score { \\notes \\layout { } \\midi { } }\n"
    )
    (folder / "LOUD.LY").write_text('\\include "notes.ily"\n\\score { \\notes \\layout { } }')
    (folder / "notes.ily").write_text("notes = { \\times 2/3 { c'8 d' e' } }\n")
    (folder / "lost.ly").write_text('\\include "gone.ily"\n{ c }')
    (folder / "away.ly").write_text('\\include "/etc/hostname"\n{ c }')
    (folder / "header.ly").write_text('\\header { title = "no music" }')
    (folder / "broken.xml").write_text("<score-partwise>")
    return tmp_path


def test_whole_scores_are_kept_with_their_includes_or_have_a_reason(sheets):
    rows = run(sheets, layout="pages", durations=None, tempo=None)
    good = rows["test__good"]
    assert [file["name"] for file in good["score"]] == ["good.ly", "notes.ily"]
    assert [file["name"] for file in rows["test__LOUD"]["score"]] == ["LOUD.LY", "notes.ily"]
    assert "\\tuplet 3/2" in good["score"][1]["text"]
    assert good["melody"] is None and good["reason"] is None
    assert (good["title"], good["composer"], good["licence"]) == ("Étude", "Anon", "Public Domain")
    reasons = {name: row["reason"] for name, row in rows.items() if row["score"] is None}
    assert reasons.keys() == {"test__lost", "test__away", "test__header", "test__broken"}
    assert "includes gone.ily, which is not there" in reasons["test__lost"]
    assert "lies outside its source" in reasons["test__away"]
    assert reasons["test__header"] == "no score and no music in it"
    assert "broken XML" in reasons["test__broken"]
    assert all(row["split"] == "test" for row in rows.values())


def test_a_score_without_a_split_is_left_out_unread(sheets):
    (sheets / "tunes" / "stray.ly").write_text("{ c }")
    rows = run(sheets, layout="pages")
    assert rows["stray"]["reason"] == "in no split of its source"
    assert rows["stray"]["score"] is None and rows["test__good"]["score"]


def test_melodies_need_their_settings(folder):
    with pytest.raises(ValueError, match="needs 'durations' and 'tempo'"):
        run(folder, tempo=None)


def test_two_files_of_one_work_are_two_pieces_in_one_split(tmp_path):
    folder = tmp_path / "tunes"
    folder.mkdir()
    text = musicxml.score([musicxml.scale("C4 D4 E4 F4")])
    for number in range(8):
        (folder / f"song{number}.xml").write_text(text)
        (folder / f"song{number}.musicxml").write_text(text)
    rows = run(tmp_path, layout="pages", shares={"train": 0.5, "valid": 0.25, "test": 0.25})
    assert len(rows) == 16 and not any(row["reason"] for row in rows.values())
    splits = [
        {rows[f"song{number}.{suffix}"]["split"] for suffix in ("xml", "musicxml")}
        for number in range(8)
    ]
    assert all(len(split) == 1 for split in splits)
    assert len(set.union(*splits)) > 1


def test_match_files_come_with_their_score_or_say_why_not(tmp_path):
    folder = tmp_path / "tunes" / "train"
    folder.mkdir(parents=True)
    (folder / "waltz.musicxml").write_text(musicxml.score([musicxml.scale("C4 D4 E4 F4")]))
    (folder / "alone.musicxml").write_text(musicxml.score([musicxml.scale("C4 D4 E4 F4")]))
    for name in ("lee", "kim", "may"):
        (folder / f"waltz_{name}.match").write_text(match([("note0", 60, 0.5)]))
    (folder / "waltz_none.match").write_text("")
    rows = run(tmp_path, layout="pages")
    played = rows["train__waltz"]["performances"]
    assert [row["performer"] for row in played] == ["kim", "lee", "may", "none"]
    assert played[0]["match"].startswith("info(matchFileVersion")
    assert (played[3]["match"], played[3]["reason"]) == (None, "the match file is empty")
    assert rows["train__alone"]["performances"] is None
    two = run(tmp_path, layout="pages", performers=2)["train__waltz"]["performances"]
    assert len(two) == 2
    assert {row["performer"] for row in two} < {"kim", "lee", "may", "none"}
