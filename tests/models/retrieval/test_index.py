"""Embedding a collection once, with a network that knows the tones, and reading what was kept."""

import io

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from models.retrieval import index as indexing
from models.retrieval import network
from models.retrieval import weights as weights_files
from models.retrieval.index import INDEX
from models.weights import digest
from pipeline import tables
from pipeline.constants import WHITE
from pipeline.strips import snippet
from tests.support.performances import performance
from tests.support.staves import png, write_shard
from tests.support.tones import NARROW, PIECES, printed


def test_every_place_has_the_vector_of_its_snippet(tmp_path):
    """Also those near the ends, whose snippets are filled up with white."""
    torch.manual_seed(0)
    module = network.Network("BL2-MC+AT", NARROW).eval()
    weights_files.save(module, tmp_path / "weights.safetensors")
    rows = [performance("one", seed=1), performance("two", seed=2, notes=7)]
    shard = write_shard(tmp_path / "shard.parquet", rows)
    out = tmp_path / "index.parquet"
    indexing.index([shard], out, weights=tmp_path / "weights.safetensors", precision="32-true")
    table = tables.read(out, INDEX)
    assert table.schema.metadata[b"model"] == b"BL2-MC+AT"
    assert table.schema.metadata[b"weights"].decode() == digest(tmp_path / "weights.safetensors")
    for row, found in zip(rows, table.to_pylist(), strict=True):
        assert found["piece_id"] == row["piece_id"] and found["strip"] == row["images"][0]
        assert found["width"] == row["right"][0]
        np.testing.assert_array_equal(found["x"], row["x"].astype(np.float32))
        np.testing.assert_array_equal(found["note_id"], row["note_id"])
        with Image.open(io.BytesIO(row["images"][0])) as picture:
            strip = np.array(picture)
        images = np.stack([snippet(strip, x) for x in np.float32(row["x"])]) / WHITE
        halved = (
            images[:, ::2, ::2]
            + images[:, 1::2, ::2]
            + images[:, ::2, 1::2]
            + images[:, 1::2, 1::2]
        ) / 4
        with torch.inference_mode():
            expected = module.project_sheet(module.sheet(torch.tensor(halved[:, None]).float()))
        vectors = np.reshape(found["vectors"], (-1, 32))
        np.testing.assert_allclose(vectors, expected, atol=1e-5)


def test_a_place_is_kept_once_whoever_played_it(tmp_path, weights):
    """Two performances know different onsets of a tune; one place is played twice in each."""
    tones = [0, 2, 4, 6]
    x = np.array([30.0, 90.0, 30.0, 210.0])
    first = printed("tune", tones, x=x, reason=[None, "lost", None, None])
    second = printed("tune", tones, x=x, font="upright", reason=[None, None, None, "lost"])
    paths = [write_shard(tmp_path / f"{row['font']}.parquet", [row]) for row in (first, second)]
    indexing.index(paths, tmp_path / "index.parquet", weights=weights)
    (found,) = tables.read(tmp_path / "index.parquet", INDEX).to_pylist()
    assert found["x"] == [30, 90, 210]
    assert found["note_id"] == [0, 1, 3]
    assert len(found["vectors"]) == 3 * 32


def test_notes_that_people_play_are_placed_by_their_moment(tmp_path, weights):
    """People number what they play: their note 0 is not the score's, which is in bar 1."""
    data = tmp_path / "data"
    heads = [
        {"piece_id": "tune", "notehead_id": n, "image": 0, "system": n, "bar": f"{n + 1}"}
        | {"moment": n / 3}
        for n in range(3)
    ]
    notes = [{"piece_id": "tune", "note_id": n, "notehead_id": n} for n in range(3)]
    tables.write([{"piece_id": "tune"}], tables.PIECES, data / "pieces/0.parquet")
    tables.write(notes, tables.NOTES, data / "notes/0.parquet")
    tables.write(heads, tables.NOTEHEADS, data / "noteheads/0.parquet")
    person = printed("tune", [2, 4], performer="Lee", moment=[1 / 3, 2 / 3])
    (data / "shards/test").mkdir(parents=True)
    shard = write_shard(data / "shards/test/people-human-0.parquet", [person])
    indexing.index([shard], tmp_path / "index.parquet", weights=weights)
    (found,) = tables.read(tmp_path / "index.parquet", INDEX).to_pylist()
    assert (found["bar"], found["note_id"]) == (["2", "3"], [None, None])


def test_a_failed_write_leaves_what_was_there(tmp_path, weights, monkeypatch):
    shard = write_shard(tmp_path / "shard.parquet", [printed(p, t) for p, t in PIECES.items()])
    before = sorted(tmp_path.iterdir())
    calls = []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return np.zeros((6, 32), np.float32)

    monkeypatch.setattr(indexing, "embed_strip", interrupted)
    monkeypatch.setattr(indexing, "PIECES_PER_ROW_GROUP", 1)
    with pytest.raises(KeyboardInterrupt):
        indexing.index([shard], tmp_path / "index.parquet", weights=weights)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": [png(np.zeros((200, 90), np.uint8))] * 2}, "2 images instead of one strip"),
        ({"images": [b"no picture"]}, "the strip: the image cannot be decoded"),
        ({"images": [None]}, "'images' lacks values"),
        ({"images": None}, "'images' lacks values"),
        ({"x": [30.0, None]}, "'x' lacks values"),
        ({"images": [png(np.zeros((40, 390), np.uint8))]}, "40 px high, less than 200"),
        ({"x": np.array([30.0, 9_000.0])}, "x is 9000.0, outside a strip"),
    ],
)
def test_bad_shards_are_named(tmp_path, weights, changes, message):
    shard = write_shard(tmp_path / "shard.parquet", [printed("tune", [0, 1]) | changes])
    with pytest.raises(ValueError, match=rf"shard.parquet: tune: .*{message}"):
        indexing.index([shard], tmp_path / "index.parquet", weights=weights)
    assert not (tmp_path / "index.parquet").exists()


def test_two_strips_of_one_piece_are_no_index(tmp_path, weights):
    """As in shards of two runs: the positions of one strip do not hold in the other."""
    shards = [
        write_shard(tmp_path / f"{name}.parquet", [printed("tune", tones)])
        for name, tones in (("first", [0, 2, 4]), ("second", [0, 2, 4, 5, 7, 9]))
    ]
    with pytest.raises(ValueError, match=r"second.parquet: tune: another strip than in a shard"):
        indexing.index(shards, tmp_path / "out", weights=weights)


def test_without_onsets_there_is_no_index(tmp_path, weights):
    row = printed("tune", [0, 1], reason=["lost", "lost"])
    shard = write_shard(tmp_path / "shard.parquet", [row])
    with pytest.raises(ValueError, match="no onset in the shards"):
        indexing.index([shard], tmp_path / "index.parquet", weights=weights)


def test_an_index_replaces_nothing_that_is_read(tmp_path, weights):
    shard = write_shard(tmp_path / "shard.parquet", [performance("tune")])
    for source in (shard, weights):
        before = source.read_bytes()
        with pytest.raises(ValueError, match=rf"{source.name}: is what is read"):
            indexing.index([shard], source, weights=weights)
        assert source.read_bytes() == before


def test_a_folder_in_place_of_the_index_is_refused_before_the_work(tmp_path, weights, monkeypatch):
    monkeypatch.setattr(indexing, "_positions", lambda shards: pytest.fail("read all the same"))
    with pytest.raises(ValueError, match="is a folder; name a file to write"):
        indexing.index([tmp_path / "shard.parquet"], tmp_path, weights=weights)


def test_an_index_of_other_weights_is_refused(tmp_path, index, weights):
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"other weights")
    with pytest.raises(
        ValueError, match=r"index.parquet: built with other weights \(BL2-SC\).*build"
    ):
        indexing.read_index(index, other)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_truncated_index_is_named(tmp_path, index, weights, share):
    content = index.read_bytes()
    index.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"index.parquet: not a Parquet file"):
        indexing.read_index(index, weights)


def test_a_corrupt_index_is_named(tmp_path, index, weights):
    content = bytearray(index.read_bytes())
    content[4 : len(content) // 2] = bytes(len(content) // 2 - 4)
    index.write_bytes(content)
    with pytest.raises(ValueError, match=r"index.parquet: corrupt .*build it again"):
        indexing.read_index(index, weights)


def test_another_table_is_no_index(tmp_path, weights):
    other = tmp_path / "other.parquet"
    pd.DataFrame({"piece_id": ["tune"]}).to_parquet(other)
    with pytest.raises(ValueError, match=r"other.parquet: column 'piece_id' is"):
        indexing.read_index(other, weights)
