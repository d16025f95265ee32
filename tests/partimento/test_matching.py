"""Recordings and strips in a notebook, with a network that knows the tones."""

import io

import numpy as np
import pytest
import soundfile
from PIL import Image

import partimento
from models.retrieval import weights as weights_files
from tests.support.staves import write_shard
from tests.support.tones import GAP_PX, PIECES, Knowing, played, printed


@pytest.fixture
def weights(tmp_path, monkeypatch):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"made-up weights")
    monkeypatch.setattr(weights_files, "load", lambda path: Knowing())
    return path


def test_windows_of_a_recording_are_embedded_at_their_seconds(tmp_path, weights):
    recording = played(tmp_path / "up.wav", [0, 12, 23, 12, 0])
    seconds, vectors = partimento.embed_recording(recording, weights=weights)
    assert np.diff(seconds) == pytest.approx(0.55, abs=0.06)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1)
    low, high = (vectors[np.abs(seconds - middle).argmin(), 0] for middle in (1.5, 2.5))
    assert low > high, "the higher the tone, the further it turns"


def test_windows_of_silence_are_left_out(tmp_path, weights):
    recording = played(tmp_path / "tone.wav", [5, 5, 5])
    samples, rate = soundfile.read(recording)
    soundfile.write(recording, np.concatenate([samples, np.zeros(9 * rate)]), rate)
    seconds, vectors = partimento.embed_recording(recording, weights=weights)
    assert len(seconds) == len(vectors) > 3
    assert seconds.max() < 5


def test_windows_of_a_strip_are_embedded_at_their_pixels(weights):
    strip = np.repeat(np.array([255, 128, 0], np.uint8), 100)[None].repeat(200, axis=0)
    x, vectors = partimento.embed_strip(strip, step_px=50, weights=weights)
    assert x[0] == 0 and x[-1] == 299
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1)
    assert vectors[0, 0] > vectors[len(x) // 2, 0] > vectors[-1, 0]


@pytest.mark.parametrize("piece", PIECES)
def test_the_score_of_a_recording_is_found_first(tmp_path, weights, piece):
    shard = write_shard(
        tmp_path / "shard.parquet", [printed(name, tones) for name, tones in PIECES.items()]
    )
    partimento.index([shard], tmp_path / "index", weights=weights)
    recording = played(tmp_path / "take.wav", PIECES[piece])
    found = partimento.search(recording, tmp_path / "index", top=2, weights=weights)
    assert found["piece_id"].tolist()[0] == piece
    assert len(found) == 2 and found["score"].is_monotonic_decreasing


def test_each_tone_of_a_recording_is_aligned_with_its_bar(tmp_path, weights):
    tones = [0, 5, 10, 15, 20]
    (png,) = printed("up", tones)["images"]
    strip = np.asarray(Image.open(io.BytesIO(png)))
    recording = played(tmp_path / "up.wav", tones)
    found = partimento.align(recording, strip, weights=weights)
    apart = (found["seconds"] % 1).between(0.2, 0.8)  # no two tones meet in a window
    inside = found[apart]
    assert (inside["x"] // GAP_PX == inside["seconds"] // 1).mean() > 0.95


def test_a_missing_recording_is_named(tmp_path, weights):
    with pytest.raises(FileNotFoundError, match=r"take\.wav: no such recording"):
        partimento.align(tmp_path / "take.wav", np.zeros((200, 500), np.uint8), weights=weights)
