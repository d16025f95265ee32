"""Expression: phrases arch, the end slows down, chords spread, and nothing else is lost."""

import numpy as np
import pytest

from pipeline import expression


def quarters(count: int, *, chord: tuple[int, ...] = (60,)) -> list[dict]:
    """Notes or chords of a quarter, half a second each."""
    return [
        {"onset": float(n), "duration": 1.0, "onset_s": n / 2, "duration_s": 0.5, "pitch": pitch}
        for n in range(count)
        for pitch in chord
    ]


def played(notes: list[dict], seed: str = "seed") -> tuple[np.ndarray, ...]:
    return expression.play(notes, seed)


def test_the_seed_alone_decides():
    notes = quarters(40, chord=(60, 67))
    for one, other in zip(played(notes), played(notes), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(played(notes)[0], played(notes, "another")[0])


@pytest.mark.parametrize("seed", ["one", "two", "three"])
def test_tempo_keeps_its_mean_moves_in_phrases_and_falls_at_the_end(seed):
    begins, _, _ = played(quarters(100), seed)
    tempo = 0.5 / np.diff(begins)
    assert 0.9 < 93 / 2 / begins[93] < 1.1  # until the end slows down
    assert tempo[:90].max() / tempo[:90].min() > 1.15
    assert tempo[-1] < 0.8 * np.median(tempo)
    assert np.all(np.diff(begins) > 0)


def test_tempo_marks_of_the_score_stay_in_force():
    """The second half is written at half the tempo, from the fiftieth quarter on."""
    notes = quarters(100)
    for number, note in enumerate(notes[50:]):
        note |= {"onset_s": 25.0 + number, "duration_s": 1.0}
    begins, _, _ = played(notes)
    first, second = np.diff(begins[:50]).mean(), np.diff(begins[50:92]).mean()
    assert second / first == pytest.approx(2.0, rel=0.15)


def test_the_melody_leads_a_chord_and_is_louder():
    begins, _, velocity = played(quarters(200, chord=(48, 60, 72)))
    chords, strengths = begins.reshape(-1, 3), velocity.reshape(-1, 3)
    spread = np.ptp(chords, axis=1)
    assert np.all((spread > 0) & (spread < expression.LATEST_S))
    assert np.mean(chords[:, 2] < chords[:, :2].min(axis=1)) > 0.8
    assert strengths[:, 2].mean() > strengths[:, 0].mean() + 5
    assert velocity.min() >= 1
    assert velocity.max() <= 127


def test_one_key_that_two_voices_strike_stays_one_stroke():
    begins, _, velocity = played(quarters(30, chord=(60, 60, 67)))
    np.testing.assert_array_equal(begins[::3], begins[1::3])
    np.testing.assert_array_equal(velocity[::3], velocity[1::3])


def test_notes_keep_about_their_length():
    begins, lengths, _ = played(quarters(60))
    np.testing.assert_allclose(lengths[:-1], np.diff(begins), rtol=0.02, atol=0.002)


def test_a_single_note_is_played():
    begins, lengths, velocity = played(quarters(1))
    assert (begins.tolist(), len(velocity)) == ([0.0], 1)
    assert lengths[0] > 0
