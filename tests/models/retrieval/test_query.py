"""Seeking a recording in an index, with a network that knows the tones."""

import json

import numpy as np
import pytest
import soundfile
import torch
from cyclopts import CycloptsError
from PIL import Image

from models.retrieval import audio, network, query, windows
from models.retrieval import weights as weights_files
from models.retrieval.index import index as make_index
from models.retrieval.query import distinct_matches
from models.retrieval.windows import WINDOWS, window_centres
from partimento import cli
from tests.support.performances import performance
from tests.support.staves import write_shard
from tests.support.tones import GAP_PX, NARROW, PIECES, played, printed


def test_windows_spread_over_the_recording():
    assert window_centres(600, 42).tolist() == np.rint(np.linspace(21, 579, 56)).tolist()
    long = window_centres(100_000, 84)
    assert len(long) == WINDOWS and long[0] == 21 and long[-1] == 100_000 - 21
    assert np.ptp(np.diff(long)) <= 1
    for count in (1, 41, 42, 43, 50):
        assert window_centres(count, 42).tolist() == [count // 2]
    # Ten seconds are heard by as many windows of 8.4 s as of 2.1 s.
    assert window_centres(200, 168).tolist() == window_centres(200, 42).tolist()


def test_matches_show_different_notes():
    """The best ones, but not two snippets of the same notes, and each with its own window."""
    piece, x = np.array([0, 0, 0, 1]), np.array([500.0, 560.0, 601.0, 500.0])
    places = np.array([[0, 1, 2, 3], [1, 0, 3, 2]])
    scores = np.array([[0.9, 0.8, 0.7, 0.1], [0.95, 0.5, 0.4, 0.2]])
    found = distinct_matches(scores, places, piece, x, 3)
    assert [(m.score, m.piece, m.x, m.window) for m in found] == [
        (0.95, 0, 560, 1),
        (0.4, 1, 500, 1),
    ]
    found = distinct_matches(scores[:1], places[:1], piece, x, 3)
    assert [(m.score, m.x) for m in found] == [(0.9, 500), (0.7, 601), (0.1, 500)]
    assert len(distinct_matches(scores, places, piece, x, 1)) == 1


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


def test_programs_get_json(tmp_path, index, weights, capsys):
    """The same answer, and nothing else on standard output."""
    recording = played(tmp_path / "down.wav", PIECES["down"])
    query.query(recording, index=index, weights=weights, top=2, json=True)
    found = json.loads(capsys.readouterr().out)
    assert found["fits"] is None  # these weights were not calibrated
    assert found["searched"] == {"pieces": 3, "positions": 18}
    best = found["pieces"][0]
    assert (best["piece_id"], best["score"], len(found["pieces"])) == ("down", 1.0, 2)
    (passage,) = best["passages"]
    assert passage["from"]["x"] < GAP_PX * 2 < GAP_PX * 4 < passage["to"]["x"]
    assert found["matches"][0]["cosine"] == 1.0
    assert found["picture"] == "down-matches.png"


def best_piece(capsys) -> str:
    lines = capsys.readouterr().out.splitlines()
    return lines[lines.index(" score  piece") + 1].split()[1]


@pytest.mark.parametrize("piece", PIECES)
def test_the_right_piece_fits_best(tmp_path, index, weights, capsys, piece):
    recording = played(tmp_path / "tune.wav", PIECES[piece])
    query.query(recording, index=index, weights=weights, out=tmp_path / "new" / "picture.png")
    assert best_piece(capsys) == piece
    assert (tmp_path / "new" / "picture.png").exists()


def test_the_order_tells_pieces_apart(tmp_path, weights, capsys):
    """Two tunes of the same notes, which votes alone cannot tell apart."""
    rows = [printed("rising", [0, 4, 8, 12, 16]), printed("falling", [16, 12, 8, 4, 0])]
    shard = write_shard(tmp_path / "shard.parquet", rows)
    make_index([shard], tmp_path / "index.parquet", weights=weights, precision="32-true")
    for name, tones in (("rising", [4, 4, 8, 12, 12]), ("falling", [12, 12, 8, 4, 4])):
        recording = played(tmp_path / f"{name}.wav", tones)
        query.query(recording, index=tmp_path / "index.parquet", weights=weights)
        assert best_piece(capsys) == name


@pytest.mark.parametrize("volume", [0.001, 0.03, 0.9])
def test_any_volume_sounds_the_same(tmp_path, volume):
    _, reference = windows.recording_windows(
        played(tmp_path / "tune.wav", [3, 7], volume=0.3), 42, 1.0
    )
    recording = played(tmp_path / "other.flac", [3, 7], volume=volume)
    _, excerpts = windows.recording_windows(recording, 42, 1.0)
    assert np.abs(excerpts - reference).max() < 0.05
    assert np.sqrt(np.mean((10.0**excerpts - 1) ** 2)) == pytest.approx(audio.LEVEL, rel=1e-3)


def test_a_soft_passage_counts_as_a_loud_one(tmp_path):
    """Each window has the level by itself; only what is 40 dB below the loudest is left out."""
    loud, soft, noise = (
        soundfile.read(played(tmp_path / "part.wav", [5] * 5, volume=volume))[0]
        for volume in (0.5, 0.05, 0.002)
    )
    soundfile.write(tmp_path / "all.wav", np.concatenate([loud, soft, noise]), 22_050)
    frames, excerpts = windows.recording_windows(tmp_path / "all.wav", 42, None)
    assert 200 < frames.max() <= 200 + 21
    levels = np.sqrt(np.mean((10.0**excerpts - 1) ** 2, axis=(1, 2, 3)))
    np.testing.assert_allclose(levels, audio.LEVEL, rtol=1e-3)


def test_silent_windows_have_no_vote(tmp_path, index, weights, capsys):
    recording = tmp_path / "late.wav"
    tone, rate = played(tmp_path / "tone.wav", [23] * 4), 22_050
    soundfile.write(recording, np.append(np.zeros(60 * rate), soundfile.read(tone)[0]), rate)
    query.query(recording, index=index, weights=weights)
    said = capsys.readouterr().out
    assert f"listened to {7} windows" in said  # 1.05 s from either end of 4 s, and half a window
    frames, excerpts = windows.recording_windows(recording, 42, None)
    assert (frames >= 60 * 20 - 21).all() and excerpts.shape == (len(frames), 1, 92, 42)


def test_a_short_recording_is_one_window(tmp_path, weights):
    frames, excerpts = windows.recording_windows(played(tmp_path / "tone.wav", [5]), 168, None)
    assert frames.tolist() == [10] and excerpts.shape == (1, 1, 92, 168)
    sounding = np.flatnonzero(excerpts[0, 0].max(axis=0) > 0.01)
    assert sounding[0] == 84 - 10 and sounding[-1] == 84 + 9


def test_attention_is_drawn(tmp_path, monkeypatch):
    torch.manual_seed(0)
    monkeypatch.chdir(tmp_path)
    weights = tmp_path / "weights.safetensors"
    weights_files.save(network.Network("BL2-LC+AT", NARROW), weights)
    shard = write_shard(tmp_path / "shard.parquet", [performance("a $1 tune"), performance("b")])
    make_index([shard], tmp_path / "index.parquet", weights=weights, precision="32-true")
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


def test_the_picture_replaces_nothing_that_is_read(tmp_path, index, weights):
    recording = played(tmp_path / "tune.wav", [0])
    for source in (recording, index, weights):
        before = source.read_bytes()
        picture = tmp_path / "link.png"
        picture.hardlink_to(source)
        with pytest.raises(ValueError, match=r"link.png: is what is read"):
            query.query(recording, index=index, weights=weights, out=picture)
        assert source.read_bytes() == before
        picture.unlink()
    with pytest.raises(ValueError, match=r"sonata.ly: a picture has the suffix .png"):
        query.query(recording, index=index, weights=weights, out=tmp_path / "sonata.ly")
    with pytest.raises(ValueError, match=r"out.png: .*tune.wav is not a folder"):
        query.query(recording, index=index, weights=weights, out=recording / "out.png")


def test_silence_is_named(tmp_path, index, weights):
    recording = played(tmp_path / "quiet.wav", [0, 1, 2], volume=0.0)
    with pytest.raises(ValueError, match=r"quiet.wav: the recording is silent; there"):
        query.query(recording, index=index, weights=weights)
    with pytest.raises(ValueError, match=r"quiet.wav: the recording is silent around 1 s"):
        query.query(recording, index=index, weights=weights, at=1.0)


def test_the_command_takes_the_recording_without_a_flag(tmp_path, index, weights, capsys):
    played(tmp_path / "tune.wav", PIECES["up"])
    words = ["query", "tune.wav", "--index", "index.parquet", "--at", "0.5", "--top", "1"]
    cli.run([*words, "--weights", str(weights)])
    assert heard(capsys)[0][-1] == "up"
    with pytest.raises(CycloptsError, match="--index requires an argument"):
        cli.run(words[:2])


def test_by_default_only_a_picture_of_ours_is_replaced(tmp_path, index, weights, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recording = played(tmp_path / "tune.wav", [0])
    query.query(recording, index=index, weights=weights)
    query.query(recording, index=index, weights=weights, top=1)
    other = Image.new("L", (10, 10))
    other.save("tune-matches.png")
    before = (tmp_path / "tune-matches.png").read_bytes()
    with pytest.raises(ValueError, match=r"tune-matches.png: is there already"):
        query.query(recording, index=index, weights=weights)
    assert (tmp_path / "tune-matches.png").read_bytes() == before
