"""Windows of examples are cut where the strip and the recording say."""

import numpy as np
import pytest

from models.retrieval import sampling
from models.retrieval.reading import read_examples
from models.retrieval.sampling import Augmentation
from pipeline import strips
from tests.support.performances import noise, on_strip, performance
from tests.support.staves import write_shard

BINS = 92
WIDE, NARROW = 1300, 340  # px; the second is narrower than a crop of 2019
SCALES = (0.95, 0.9999, 1.0, 1.013, 1.05)


def halved(window: np.ndarray) -> np.ndarray:
    """The 2 x 2 means of a grey window, (80, 100), white 1."""
    return window.astype(float).reshape(80, 2, 100, 2).mean(axis=(1, 3)) / 255


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    """Three pieces, two of them performed twice."""
    rows = [performance(f"tune{n}", seed=n, notes=25 + 5 * n) for n in range(3)]
    rows += [performance(f"tune{n}", seed=n, notes=25 + 5 * n, tempo_ratio=1.1) for n in (2, 0)]
    return read_examples([write_shard(tmp_path_factory.mktemp("music") / "shard.parquet", rows)])


# --- sheet -----------------------------------------------------------------------------------
@pytest.mark.parametrize("cropping", ["padded", "2019"])
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_a_snippet_is_that_of_the_strip_halved(shard, cropping, width):
    image = noise(width)
    x = [
        0.0,
        5.7,
        99.2,
        100.0,
        170.9,
        239.99,
        width - 100.5,
        width - 100,
        width - 1.1,
        width - 0.01,
    ]
    images = shard(on_strip(image, x)).snippet_batch(np.arange(len(x)), cropping)
    assert images.shape == (len(x), 1, 80, 100)
    assert images.dtype == np.float32
    for place, found in zip(np.float32(x), images, strict=True):
        expected = halved(strips.snippet(image, place, cropping))
        np.testing.assert_allclose(found[0], expected, rtol=0, atol=1e-6)


def nearest(image: np.ndarray, column: int, scale: float, shift: int) -> np.ndarray:
    """The augmented window, pixel by pixel, before it is halved."""
    window = np.full((160, 200), 255.0)
    for i in range(160):
        for j in range(200):
            row = int(np.floor(100 + (i - 80 + shift) / scale + 0.5))
            beside = int(np.floor(column + (j - 100) / scale + 0.5))
            if 0 <= beside < image.shape[1]:
                window[i, j] = image[row, beside]
    return window


@pytest.mark.parametrize(
    ("cropping", "columns"), [("padded", [40, 650, 1290]), ("2019", [400, 650, 900])]
)
def test_augmentation_resizes_and_lifts_the_window(shard, cropping, columns):
    """The crop of 800 px of 2019 is pushed inside: 400 px from either end."""
    image = noise(WIDE)
    data = shard(on_strip(image, [40.3, 650.8, 1290.1]))
    cases = [(at, scale, shift) for at in range(3) for scale in SCALES for shift in (-5, 0, 3, 5)]
    at, scale, shift = (np.array(part) for part in zip(*cases, strict=True))
    images = data.snippet_batch(at, cropping, scale, shift)
    for index in range(0, len(cases), 4 if cropping == "padded" else 11):
        expected = halved(nearest(image, columns[at[index]], scale[index], shift[index]))
        np.testing.assert_allclose(images[index, 0], expected, rtol=0, atol=1e-6)


def test_a_larger_scale_shows_larger_notes(shard):
    image = np.full((200, WIDE), 255, np.uint8)
    image[60:140, 560:640] = 0
    data = shard(on_strip(image, [600.0]))
    ink = [
        (1 - data.snippet_batch(np.zeros(1, int), scale=np.array([scale]))).sum() * 4
        for scale in (0.95, 1.0, 1.05)
    ]
    np.testing.assert_allclose(np.sqrt(ink), [76, 80, 84], atol=1)


def test_a_positive_shift_lifts_the_notes(shard):
    image = np.full((200, WIDE), 255, np.uint8)
    image[100:102] = 0
    data = shard(on_strip(image, [600.0]))
    for shift, row in ((-4, 42), (0, 40), (4, 38)):
        found = data.snippet_batch(np.zeros(1, int), shift=np.array([shift]))[0, 0]
        assert np.flatnonzero(found.min(axis=1) < 1).tolist() == [row]


def test_beyond_the_strip_is_white_at_any_place(shard):
    """A black strip of 340 px, seen from every pixel: what is white is outside."""
    data = shard(on_strip(np.zeros((200, NARROW), np.uint8), [200.0]))
    x = np.arange(0, NARROW, 2)
    images = data.snippets_at(np.zeros(len(x), int), x)
    assert set(np.unique(images)) == {0.0, 1.0}
    left = np.maximum(100 - x, 0) // 2
    right = np.maximum(x + 100 - NARROW, 0) // 2
    for image, before, after in zip(images, left, right, strict=True):
        assert (image[0] == image[0, :1]).all()
        assert (
            image[0, 0].tolist() == [1.0] * before + [0.0] * (100 - before - after) + [1.0] * after
        )


def test_any_place_of_any_piece_can_be_seen(music):
    examples = np.array([0, 30, 70])
    there = music.snippets_at(music.piece[examples], music.x[examples])
    np.testing.assert_array_equal(there, music.snippet_batch(examples))


@pytest.mark.parametrize("x", [-0.1, 1260.0])
def test_places_outside_the_strip_are_refused(shard, x):
    data = shard(performance("tune"))
    with pytest.raises(ValueError, match=f"tune: x is {x}, outside a strip of 1260 px"):
        data.snippets_at(np.zeros(2, int), np.array([5.0, x]))


def test_croppings_that_cannot_be_are_refused(shard):
    data = shard(on_strip(noise(200), [100.0]))
    with pytest.raises(ValueError, match="cropping is tight; it is one of padded, 2019"):
        data.snippet_batch(np.zeros(1, int), "tight")
    with pytest.raises(ValueError, match="piece: a strip of 200 px is too narrow"):
        data.snippet_batch(np.zeros(1, int), "2019")
    with pytest.raises(ValueError, match="leaves the strip's 200 rows"):
        data.snippet_batch(np.zeros(1, int), scale=np.array([0.79]))


# --- audio -----------------------------------------------------------------------------------
@pytest.mark.parametrize("context", [42, 84, 168])
def test_an_excerpt_is_a_slice_with_the_onset_in_its_middle(shard, context):
    rows = [performance("a", seed=1), performance("b", seed=2)]
    data = shard(*rows)
    some = np.array([0, 20, 39, 41, 60, 79])
    later = np.array([0, 1, -1, 1, -1, 0])
    found = data.excerpt_batch(some, context, later)
    assert found.shape == (6, 1, BINS, context)
    assert found.dtype == np.float32
    for example, shift, excerpt in zip(some, later, found, strict=True):
        row = rows[example // 40]
        silence = np.zeros((200, BINS))
        sound = np.vstack([silence, row["spectrogram"].reshape(-1, BINS), silence])
        first = 200 + row["frame"][example % 40] + shift - context // 2
        np.testing.assert_allclose(
            excerpt[0], sound[first : first + context].T, rtol=1e-3, atol=1e-6
        )


@pytest.mark.parametrize("context", [42, 84, 168])
def test_onsets_within_the_context_are_counted(music, context):
    for example, count in enumerate(music.onsets_within(np.arange(len(music)), context)):
        near = [
            other
            for other in range(len(music))
            if music.performance[other] == music.performance[example]
            and abs(int(music.frame[other]) - int(music.frame[example])) <= context / 2
        ]
        assert count == len(near)


def test_onsets_within_include_both_ends(shard):
    data = shard(performance("tune", notes=5, frame=[8, 29, 50, 71, 93]))
    assert data.onsets_within(np.array([2, 4]), 42).tolist() == [3, 1]


# --- which examples are used -----------------------------------------------------------------
@pytest.mark.parametrize("context", [42, 84, 168])
def test_inside_by_the_rule_of_the_experiments(music, context):
    """One by one, in the words of the rule; the example is in no longer context only."""
    expected = []
    for example in range(len(music)):
        frames = music.frames[music.performance[example]]
        width = music.width[music.piece[example]]
        first, left = int(music.frame[example]) - context // 2, float(music.x[example]) - 100
        expected.append(
            first >= 0 and first + context < frames and left >= 0 and left + 200 < width
        )
    assert music.inside(context).tolist() == expected
    assert 0 < sum(expected) < len(music)


def test_inside_to_the_frame_and_the_pixel():
    """A recording of 100 frames and a strip of 300 px: frames 21 to 78, x from 100 to below 200."""
    frame = np.array([20, 21, 50, 78, 79])
    assert sampling.inside(frame, 100, 150.0, 300, 42).tolist() == [False, True, True, True, False]
    x = np.array([99.99, 100.0, 150.0, 199.9, 200.0])
    assert sampling.inside(50, 100, x, 300, 42).tolist() == [False, True, True, True, False]


# --- limits ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale": (1.05, 0.95)}, "from low to high"),
        ({"shift_px": -1}, "not negative"),
        ({"scale": (0.8, 1.0)}, "leaves the strip's 200 rows"),
        ({"shift_px": 20}, "leaves the strip's 200 rows"),
        ({"shift_frames": 85}, "leaves the recording"),
    ],
)
def test_augmentation_beyond_what_can_be_cut_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        Augmentation(**changes)


def test_half_precision_is_close(shard):
    row = performance("tune")
    random = np.random.default_rng(0).uniform(0, 3, len(row["spectrogram"]))
    data = shard(row | {"spectrogram": random.astype(np.float32)})
    frame = int(row["frame"][20])
    expected = random.reshape(-1, BINS)[frame]
    np.testing.assert_allclose(
        data.excerpt_batch(np.array([20]), 42)[0, 0, :, 21], expected, rtol=1e-3
    )
