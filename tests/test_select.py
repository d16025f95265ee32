"""Selection: every piece is in the table, kept or with its reason."""

import pytest

from pipeline import select, sources, tables
from pipeline.score import WRITTEN
from tests import scores

DURATIONS = [0.5, 0.75, 1, 1.5, 2, 3]


def run(tmp_path, batch=0, batches=1, shares=None, **changes):
    settings = {"take": 1.0, "seed": 7, "durations": DURATIONS, "tempo": 120.0} | changes
    out = tmp_path / "pieces.parquet"
    select.select(
        str(tmp_path / "tunes"), None, "own", batch, batches, shares=shares, out=out, **settings
    )
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


def test_a_length_that_no_head_shows_cannot_be_allowed(folder):
    with pytest.raises(ValueError, match="no single notehead shows 1/3"):
        run(folder, durations=[1 / 3])


def test_a_piece_outside_the_sources_split_is_left_out(folder):
    (folder / "tunes" / "stray.mid").write_bytes(scores.midi(scores.scale(16)))
    assert run(folder)["stray"]["reason"] == "in no split of its source"


def test_batches_share_the_pieces_whatever_others_there_are(folder):
    shared = [set(run(folder, batch, 3)) for batch in range(3)]
    assert sum(map(len, shared)) == 4
    (folder / "tunes" / "train" / "new.mid").write_bytes(scores.midi(scores.scale(16)))
    after = [set(run(folder, batch, 3)) for batch in range(3)]
    changed = [batch for batch in range(3) if shared[batch] != after[batch]]
    assert changed == [select.batch_of("train__new", 3)]


def test_a_drawn_split_has_the_wanted_shares_and_depends_on_the_seed():
    shares = {"train": 0.7, "valid": 0.1, "test": 0.2}
    names = [f"piece-{i}" for i in range(10_000)]
    drawn = [select.drawn_split(name, 1, shares) for name in names]
    for split in sources.SPLITS:
        assert drawn.count(split) / len(names) == pytest.approx(shares[split], abs=0.02)
    assert drawn != [select.drawn_split(name, 2, shares) for name in names]


def test_take_looks_at_a_share_of_the_pieces(folder):
    for i in range(40):
        (folder / "tunes" / "train" / f"more{i}.mid").write_bytes(scores.midi(scores.scale(4)))
    assert 10 < len(run(folder, take=0.5)) < 34


def test_every_allowed_length_can_be_written():
    assert all(value.denominator in (1, 2, 4, 8, 16) for value in WRITTEN)
