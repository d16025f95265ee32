"""Indexing a collection and seeking a recording in it, with a network that knows the tones."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from PIL import Image

from models.retrieval import network, query
from models.retrieval.query import INDEX, centres, matches
from pipeline import cli, tables
from pipeline.constants import RETRIEVAL, SPECTROGRAM_RATE_HZ, WHITE
from pipeline.spectrogram import filterbank
from pipeline.strips import snippet
from tests.helpers import png, write_shard
from tests.retrieval.helpers import performance

NARROW = (2, 2, 2, 2)
TONES_HZ = 220.0 * 2 ** (np.arange(24) / 12)
TONE_S = 1.0
GAP_PX = 60  # between two printed places


# --- tones -----------------------------------------------------------------------------------
def level(tone: np.ndarray) -> np.ndarray:
    """What share of the bins lies below a tone: its ink, and what the network hears of it."""
    centre = filterbank(RETRIEVAL).argmax(axis=0) * SPECTROGRAM_RATE_HZ / 2_048
    return np.abs(centre - TONES_HZ[tone][..., None]).argmin(axis=-1) / RETRIEVAL.bins


class Knowing(torch.nn.Module):
    """Hears the loudest bin, and sees the ink, in the middle of a window."""

    name, context, attends = "BL2-SC", 42, False

    def sheet(self, images: torch.Tensor) -> torch.Tensor:
        return self.turned(1 - images[:, 0, 40, 49:51].mean(dim=1))

    def audio(self, excerpts: torch.Tensor) -> torch.Tensor:
        return self.turned(excerpts[:, 0, :, 21].argmax(dim=1) / RETRIEVAL.bins)

    def turned(self, share: torch.Tensor) -> torch.Tensor:
        angle = share.float() * torch.pi / 2
        return torch.stack([angle.cos(), angle.sin()] + 30 * [0 * angle], dim=1)

    def project_sheet(self, values: torch.Tensor) -> torch.Tensor:
        return values

    project_audio = project_sheet


def printed(piece_id: str, tones: list[int], **changes) -> dict:
    """A shard's row whose strip shows the tones in turn, each as a bar of its own grey."""
    ink = np.repeat(level(np.array(tones)), GAP_PX)
    strip = np.tile(np.rint(WHITE * (1 - ink)).astype(np.uint8), (200, 1))
    x = GAP_PX * (0.5 + np.arange(len(tones)))
    row = performance(piece_id, notes=len(tones))
    return row | {"images": [png(strip)], "right": [len(ink)], "x": x} | changes


def played(path: Path, tones: list[int], rate: int = 22_050, volume: float = 0.3) -> Path:
    """A recording of the tones, a second each."""
    t = np.arange(int(TONE_S * rate)) / rate
    parts = [volume * np.sin(2 * np.pi * TONES_HZ[tone] * t) for tone in tones]
    soundfile.write(path, np.concatenate(parts), rate)
    return path


PIECES = {"up": [0, 2, 4, 6, 8, 10], "down": [23, 21, 19, 17, 15, 13], "low": [1, 1, 1, 1, 1, 1]}


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A weights file; whatever it is, the network that knows is loaded."""
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"made-up weights")
    monkeypatch.setattr(network, "load", lambda path: Knowing())
    monkeypatch.chdir(tmp_path)
    return path


@pytest.fixture
def index(tmp_path, weights):
    rows = [printed(piece, tones) for piece, tones in PIECES.items()]
    shard = write_shard(tmp_path / "shard.parquet", rows)
    query.index([shard], tmp_path / "index.parquet", weights=weights, precision="32-true")
    return tmp_path / "index.parquet"


# --- index -----------------------------------------------------------------------------------
def test_every_place_has_the_vector_of_its_snippet(tmp_path):
    """Also those near the ends, whose snippets are filled up with white."""
    torch.manual_seed(0)
    module = network.Network("BL2-MC+AT", NARROW).eval()
    network.save(module, tmp_path / "weights.safetensors")
    rows = [performance("one", seed=1), performance("two", seed=2, notes=7)]
    shard = write_shard(tmp_path / "shard.parquet", rows)
    out = tmp_path / "index.parquet"
    query.index([shard], out, weights=tmp_path / "weights.safetensors", precision="32-true")
    table = tables.read(out, INDEX)
    assert table.schema.metadata[b"model"] == b"BL2-MC+AT"
    assert table.schema.metadata[b"weights"].decode() == network.digest(
        tmp_path / "weights.safetensors"
    )
    for row, found in zip(rows, table.to_pylist(), strict=True):
        assert found["piece_id"] == row["piece_id"] and found["strip"] == row["images"][0]
        assert found["width"] == row["right"][0]
        np.testing.assert_array_equal(found["x"], row["x"].astype(np.float32))
        np.testing.assert_array_equal(found["note_id"], row["note_id"])
        with Image.open(query.io.BytesIO(row["images"][0])) as picture:
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
    query.index(paths, tmp_path / "index.parquet", weights=weights)
    (found,) = tables.read(tmp_path / "index.parquet", INDEX).to_pylist()
    assert found["x"] == [30, 90, 210]
    assert found["note_id"] == [0, 1, 3]
    assert len(found["vectors"]) == 3 * 32


def test_a_failed_write_leaves_what_was_there(tmp_path, weights, monkeypatch):
    shard = write_shard(tmp_path / "shard.parquet", [printed(p, t) for p, t in PIECES.items()])
    before = sorted(tmp_path.iterdir())
    calls = []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return np.zeros((6, 32), np.float32)

    monkeypatch.setattr(query, "sheet_vectors", interrupted)
    monkeypatch.setattr(query, "PIECES_AT_ONCE", 1)
    with pytest.raises(KeyboardInterrupt):
        query.index([shard], tmp_path / "index.parquet", weights=weights)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": [png(np.zeros((200, 90), np.uint8))] * 2}, "2 images instead of one strip"),
        ({"images": [b"no picture"]}, "the strip is no image"),
        ({"images": [png(np.zeros((40, 390), np.uint8))]}, "40 px high, not 200"),
        ({"x": np.array([30.0, 9_000.0])}, "x is 9000.0, outside a strip"),
    ],
)
def test_bad_shards_are_named(tmp_path, weights, changes, message):
    shard = write_shard(tmp_path / "shard.parquet", [printed("tune", [0, 1]) | changes])
    with pytest.raises(ValueError, match=rf"shard.parquet: tune: .*{message}"):
        query.index([shard], tmp_path / "index.parquet", weights=weights)
    assert not (tmp_path / "index.parquet").exists()


def test_without_onsets_there_is_no_index(tmp_path, weights):
    row = printed("tune", [0, 1], reason=["lost", "lost"])
    shard = write_shard(tmp_path / "shard.parquet", [row])
    with pytest.raises(ValueError, match="no onset in the shards"):
        query.index([shard], tmp_path / "index.parquet", weights=weights)


# --- query -----------------------------------------------------------------------------------
def test_windows_spread_over_the_recording():
    assert centres(600, 42).tolist() == np.rint(np.linspace(21, 579, 56)).tolist()
    long = centres(100_000, 84)
    assert len(long) == query.WINDOWS and long[0] == 42 and long[-1] == 100_000 - 42
    assert np.ptp(np.diff(long)) <= 1
    for count in (1, 41, 42, 43, 50):
        assert centres(count, 42).tolist() == [count // 2]


def test_matches_show_different_notes():
    """The best ones, but not two snippets of the same notes, and each with its own window."""
    piece, x = np.array([0, 0, 0, 1]), np.array([500.0, 560.0, 601.0, 500.0])
    places = np.array([[0, 1, 2, 3], [1, 0, 3, 2]])
    scores = np.array([[0.9, 0.8, 0.7, 0.1], [0.95, 0.5, 0.4, 0.2]])
    found = matches(scores, places, piece, x, 3)
    assert [(m.score, m.piece, m.x, m.window) for m in found] == [
        (0.95, 0, 560, 1),
        (0.4, 1, 500, 1),
    ]
    found = matches(scores[:1], places[:1], piece, x, 3)
    assert [(m.score, m.x) for m in found] == [(0.9, 500), (0.7, 601), (0.1, 500)]
    assert len(matches(scores, places, piece, x, 1)) == 1


def heard(capsys) -> list[list[str]]:
    """The printed matches, best first: their words."""
    lines = capsys.readouterr().out.split("cosine")[1].split("picture")[0].splitlines()[1:]
    return [line.split() for line in lines if line.strip()]


def test_finds_piece_place_and_time(tmp_path, index, weights, capsys):
    """The fifth tone of a piece, sounding from 4 to 5 s, stands in the middle of the fifth bar."""
    recording = played(tmp_path / "down.wav", PIECES["down"], rate=44_100)
    query.query(recording, index=index, weights=weights, at=4.5, top=2)
    score, at, _, x, _, share, *_, piece = heard(capsys)[0]
    assert (float(score), float(at), float(x)) == (1.0, 4.5, 4.5 * GAP_PX)
    assert share == "(75%" and piece == "down"
    with Image.open(tmp_path / "down-matches.png") as picture:
        pixels = np.asarray(picture.convert("L"))
    assert pixels.shape[1] > 1_000 and (pixels < 128).mean() > 0.01


@pytest.mark.parametrize("piece", PIECES)
def test_the_right_piece_has_most_votes(tmp_path, index, weights, capsys, piece, monkeypatch):
    monkeypatch.setattr(query, "NEIGHBOURS", 3)
    recording = played(tmp_path / "tune.wav", PIECES[piece])
    query.query(recording, index=index, weights=weights, out=tmp_path / "new" / "picture.png")
    printed_lines = capsys.readouterr().out.splitlines()
    best = printed_lines[printed_lines.index("votes   piece") + 1]
    assert best.split()[1] == piece
    assert (tmp_path / "new" / "picture.png").exists()


def test_silent_windows_have_no_vote(tmp_path, index, weights, capsys):
    recording = tmp_path / "late.wav"
    tone, rate = played(tmp_path / "tone.wav", [23] * 4), 22_050
    soundfile.write(recording, np.append(np.zeros(60 * rate), soundfile.read(tone)[0]), rate)
    query.query(recording, index=index, weights=weights)
    said = capsys.readouterr().out
    assert f"listened at {7} places" in said  # 1.05 s from either end of 4 s, and half a window
    frames, excerpts = query.listen(recording, 42, None)
    assert (frames >= 60 * 20 - 21).all() and excerpts.shape == (len(frames), 1, 92, 42)


def test_a_short_recording_is_one_window(tmp_path, weights):
    frames, excerpts = query.listen(played(tmp_path / "tone.wav", [5]), 168, None)
    assert frames.tolist() == [10] and excerpts.shape == (1, 1, 92, 168)
    sounding = np.flatnonzero(excerpts[0, 0].max(axis=0) > 0.01)
    assert sounding[0] == 84 - 10 and sounding[-1] == 84 + 9


def test_attention_is_drawn(tmp_path, monkeypatch):
    torch.manual_seed(0)
    monkeypatch.chdir(tmp_path)
    weights = tmp_path / "weights.safetensors"
    network.save(network.Network("BL2-LC+AT", NARROW), weights)
    shard = write_shard(tmp_path / "shard.parquet", [performance("a $1 tune"), performance("b")])
    query.index([shard], tmp_path / "index.parquet", weights=weights, precision="32-true")
    drawn = []
    original = query._draw_attention
    monkeypatch.setattr(
        query, "_draw_attention", lambda axes, own: drawn.append(own) or original(axes, own)
    )
    recording = played(tmp_path / "tones.flac", [0, 5, 9] * 5)
    query.query(recording, index=tmp_path / "index.parquet", weights=weights, top=3)
    assert len(drawn) == 3 and all(own.sum() == pytest.approx(1, abs=1e-4) for own in drawn)
    assert (tmp_path / "tones-matches.png").exists()


# --- what goes wrong -------------------------------------------------------------------------
def test_an_index_of_other_weights_is_refused(tmp_path, index, weights):
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"other weights")
    recording = played(tmp_path / "tune.wav", [0])
    with pytest.raises(
        ValueError, match=r"index.parquet: made with other weights \(BL2-SC\).*make"
    ):
        query.query(recording, index=index, weights=other)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_cut_off_index_is_named(tmp_path, index, weights, share):
    content = index.read_bytes()
    index.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"index.parquet: not a Parquet file"):
        query.query(played(tmp_path / "tune.wav", [0]), index=index, weights=weights)


def test_a_damaged_index_is_named(tmp_path, index, weights):
    content = bytearray(index.read_bytes())
    content[4 : len(content) // 2] = bytes(len(content) // 2 - 4)
    index.write_bytes(content)
    with pytest.raises(ValueError, match=r"index.parquet: damaged .*make it again"):
        query.query(played(tmp_path / "tune.wav", [0]), index=index, weights=weights)


def test_another_table_is_no_index(tmp_path, weights):
    other = tmp_path / "other.parquet"
    pd.DataFrame({"piece_id": ["tune"]}).to_parquet(other)
    with pytest.raises(ValueError, match=r"other.parquet: column 'piece_id' is"):
        query.query(played(tmp_path / "tune.wav", [0]), index=other, weights=weights)


def test_missing_files_are_named(tmp_path, index, weights):
    recording, gone = played(tmp_path / "tune.wav", [0]), tmp_path / "gone"
    with pytest.raises(FileNotFoundError, match="gone: no such recording"):
        query.query(gone, index=index, weights=weights)
    with pytest.raises(FileNotFoundError, match="gone: no such index; make one"):
        query.query(recording, index=gone, weights=weights)
    with pytest.raises(FileNotFoundError, match="gone: no such weights; name them"):
        query.query(recording, index=index, weights=gone)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"at": 2.0}, r"2 s is outside; it lasts 1.0 s"),
        ({"at": -1.0}, r"-1 s is outside"),
        ({"top": 0}, r"--top is 0"),
    ],
)
def test_bad_arguments_are_named(tmp_path, index, weights, arguments, message):
    recording = played(tmp_path / "tune.wav", [0])
    with pytest.raises(ValueError, match=message):
        query.query(recording, index=index, weights=weights, **arguments)


def test_silence_is_named(tmp_path, index, weights):
    recording = played(tmp_path / "quiet.wav", [0, 1, 2], volume=0.0)
    with pytest.raises(ValueError, match=r"quiet.wav: the recording is silent; there"):
        query.query(recording, index=index, weights=weights)
    with pytest.raises(ValueError, match=r"quiet.wav: the recording is silent about 1 s"):
        query.query(recording, index=index, weights=weights, at=1.0)


def test_the_command_takes_the_recording_by_hand(tmp_path, index, weights, capsys, monkeypatch):
    played(tmp_path / "tune.wav", PIECES["up"])
    commands = {"query": "models.retrieval.query:query"}
    call = ["models", "query", "tune.wav", "--index", "index.parquet", "--at", "0.5", "--top", "1"]
    monkeypatch.setattr(sys, "argv", [*call, "--weights", str(weights)])
    cli.run(commands, by_hand=("query",))
    assert heard(capsys)[0][-1] == "up"
    monkeypatch.setattr(sys, "argv", call[:3])
    with pytest.raises(SystemExit):
        cli.run(commands, by_hand=("query",))
    assert "index" in capsys.readouterr().err
