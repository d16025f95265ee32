"""Positions of a strip or a recording, embedded in one pass: the vectors of their own windows.

But for one thing: a window by itself has two rows of tokens, a whole strip or recording has one.
"""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from models.device import inference_device
from models.retrieval import inference
from models.retrieval.audio import normalise_level
from models.retrieval.windows import crop_excerpts, crop_snippets
from pipeline.constants import RETRIEVAL, SPECTROGRAM_RATE_HZ
from pipeline.images import grey
from pipeline.spectrogram import spectrogram as spectrogram_of
from tests.support.performances import narrow_tokens, performance

TOKEN_PX, TOKEN_FRAMES = 16, 4
# Onsets of snippets and excerpts lie so far beyond a token.
PX_BEYOND, FRAMES_BEYOND = 12, 0


@pytest.fixture
def network(few_threads):
    torch.manual_seed(0)
    return narrow_tokens().eval()


@pytest.fixture
def strip():
    random = np.random.default_rng(1)
    return np.where(random.random((220, 901)) < 0.1, 0, 255).astype(np.uint8)


@pytest.fixture
def spectrogram():
    return np.random.default_rng(2).random((230, 92), np.float32)


def with_one_row_of_tokens(part, windows):
    """Vectors of the middle of windows (n, 1, rows, columns)."""
    middle = torch.full((len(windows), 1), windows.shape[3] // 2)
    with torch.inference_mode():
        return part(torch.from_numpy(windows), middle)[:, 0]


def test_a_whole_strip_gives_the_vectors_of_its_snippets(network, strip):
    """From end to end, in any order; exact where a snippet's tokens are the strip's."""
    fabric = inference_device("32-true")
    x = np.random.default_rng(3).permutation(np.arange(PX_BEYOND, 901, TOKEN_PX))
    own = with_one_row_of_tokens(network.sheet_side, crop_snippets(strip, x))
    along = inference.embed_strip(fabric, network, strip, x)
    np.testing.assert_allclose(along, own, atol=1e-5)
    assert np.abs(along[:-1] - along[1:]).max() > 0.01  # they differ from place to place


def test_a_whole_recording_gives_the_vectors_of_its_excerpts(network, spectrogram):
    fabric = inference_device("32-true")
    frames = np.arange(FRAMES_BEYOND, 230, TOKEN_FRAMES)
    excerpts = crop_excerpts(spectrogram, frames, network.context)
    own = with_one_row_of_tokens(network.audio_side, excerpts)
    along = inference.embed_spectrogram(fabric, network, spectrogram, frames)
    np.testing.assert_allclose(along, own, atol=1e-5)


def test_between_tokens_a_vector_is_nearest_to_that_of_its_own_window(few_threads):
    """And not to that of a neighbour, 8 px or 4 frames away, by the network that ships."""
    fabric, network = inference.load_network()
    row = performance("tune", notes=30)
    strip, spectrogram = grey(row["images"][0]), row["spectrogram"].reshape(-1, 92)
    for embed, music, length, step in (
        (inference.embed_strip, strip, strip.shape[1], 8),
        (inference.embed_spectrogram, spectrogram, len(spectrogram), 4),
    ):
        places = np.arange(step, length - step, 5)
        along = embed(fabric, network, music, places)
        before, own, after = (
            np.mean(1 - np.sum(along * embed(fabric, fixed(network), music, places + d), axis=1))
            for d in (-step, 0, step)
        )
        assert own < 0.5 * min(before, after)


def test_noise_and_hum_are_steady_and_music_is_not(few_threads):
    """By the network that ships."""
    fabric, network = inference.load_network()
    random, seconds = np.random.default_rng(0), 30
    t = np.arange(seconds * SPECTROGRAM_RATE_HZ) / SPECTROGRAM_RATE_HZ
    tone = 440 * 2 ** (random.integers(-12, 12, 2 * seconds) / 12)
    sounds = {
        "noise": random.standard_normal(len(t)),
        "hum": sum(np.sin(2 * np.pi * 50 * k * t) / k for k in (1, 2, 3, 5, 7)),
        "music": np.sin(2 * np.pi * tone[(2 * t).astype(int)] * t) * np.exp(-4 * (t % 0.5)),
    }
    for name, sound in sounds.items():
        heard = spectrogram_of(0.1 * sound.astype(np.float32), RETRIEVAL)
        level = normalise_level(heard[None])[0]
        vectors = inference.embed_spectrogram(fabric, network, level, np.arange(0, len(heard), 2))
        assert inference.steady(vectors, 50).all() == (name != "music")
        assert inference.steady(vectors, 50).any() == (name != "music")
        assert not inference.steady(vectors[:100], 50).any()  # too short to tell
        assert not inference.steady(vectors[:1], 0).any()


def fixed(network):
    """The same network as one that is not ours, so that each window is embedded by itself."""
    return SimpleNamespace(
        context=network.context,
        sheet=network.sheet,
        audio=network.audio,
        project_sheet=network.project_sheet,
        project_audio=network.project_audio,
    )


def test_it_does_not_matter_what_is_embedded_together(network, strip, spectrogram, monkeypatch):
    fabric = inference_device("32-true")
    x, frames = np.arange(0.5, 901, 7), np.arange(0, 230, 3)

    def vectors():
        return np.concatenate(
            [
                inference.embed_strip(fabric, network, strip, x),
                inference.embed_spectrogram(fabric, network, spectrogram, frames),
            ]
        )

    together = vectors()
    monkeypatch.setattr(inference, "COLUMNS", 50)
    np.testing.assert_allclose(vectors(), together, atol=1e-5)


def test_positions_beyond_the_ends_are_refused(network, strip, spectrogram):
    fabric = inference_device("32-true")
    for frame in (-1, 230):
        with pytest.raises(ValueError, match=f"frame {frame} is outside a recording of 230 frames"):
            inference.embed_spectrogram(fabric, network, spectrogram, np.array([5, frame]))
    with pytest.raises(ValueError, match="the strip is 150 px high, less than 200"):
        inference.embed_strip(fabric, network, strip[:150], np.array([5.0]))
    for x in (-1.0, 901.0):
        with pytest.raises(ValueError, match="outside a strip of 901 px"):
            inference.embed_strip(fabric, network, strip, np.array([5.0, x]))
    assert inference.embed_strip(fabric, network, strip, np.empty(0)).shape == (0, 32)


def test_vectors_that_are_not_finite_are_refused(network, strip):
    fabric = inference_device("32-true")
    with torch.no_grad():
        network.sheet_side.out.bias.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="not finite"):
        inference.embed_strip(fabric, network, strip, np.array([5.0]))
