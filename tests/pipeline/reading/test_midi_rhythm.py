"""The written rhythm is found again in what programs and players make of it."""

import random
from fractions import Fraction as F

import pytest

from pipeline.reading.midi_rhythm import TimedNote, check_monophonic, written_notes

# Written: quarters, eighths, dotted and tied notes, rests after notes of each kind.
WRITTEN = [
    (0, 1), (1, 2), (2, 2.5), (2.5, 3), (3, 4), (4, 6), (6, 7), (8, 9.5), (9.5, 10), (10, 13),
    (14, 14.5), (15, 15.5), (16, 18), (20, 20.5), (20.5, 21), (21, 22), (22, 24.5), (25, 26),
    (26, 27), (27, 28), (28, 32),
]  # fmt: skip
SIXTEENTHS = [(32 + i / 4, 32.25 + i / 4) for i in range(8)] + [(34, 34.75), (34.75, 35), (35, 36)]
THIRTY_SECONDS = [(36 + i / 8, 36.125 + i / 8) for i in range(8)] + [(37, 38), (39, 40)]


def played(rhythm, *, resolution=480, ratio=1.0, ticks=0, humanise=0, seed=0):
    """The rhythm at a share of its lengths, with `ticks` (of 480) added to each end, onsets moved
    by up to `humanise` ticks, all rounded to the resolution."""
    draw = random.Random(seed)
    found = []
    for onset, end in rhythm:
        moved = max(0.0, onset + draw.uniform(-humanise, humanise) / 480)
        off = onset + (end - onset) * ratio + ticks / 480
        on_tick, off_tick = round(moved * resolution), round(off * resolution)
        found.append(TimedNote(F(on_tick, resolution), F(off_tick, resolution), 60, 80))
    return found


def rhythm_of(notes):
    return [(float(note.onset), float(note.offset)) for note in written_notes(notes)]


@pytest.mark.parametrize("rhythm", [WRITTEN, WRITTEN + SIXTEENTHS, WRITTEN + THIRTY_SECONDS],
                         ids=["eighths", "sixteenths", "thirty-seconds"])  # fmt: skip
@pytest.mark.parametrize("resolution", [96, 120, 192, 480, 960, 1024])
@pytest.mark.parametrize(
    "manner",
    [
        {},
        {"ratio": 0.95},  # MuseScore
        {"ratio": 0.9},
        {"ratio": 0.8},
        {"ticks": -1},
        {"ticks": -20},  # a gap of the same time after each note
        {"ticks": 10},  # legato
    ],
    ids=str,
)
def test_the_written_rhythm_comes_back(rhythm, resolution, manner):
    assert rhythm_of(played(rhythm, resolution=resolution, **manner)) == rhythm


@pytest.mark.parametrize("ratio", [1.0, 0.95])
@pytest.mark.parametrize("seed", range(5))
def test_humanised_onsets_come_back(ratio, seed):
    rhythm = WRITTEN + SIXTEENTHS
    assert rhythm_of(played(rhythm, ratio=ratio, humanise=15, seed=seed)) == rhythm


def test_the_last_note_is_as_long_as_its_kind():
    assert rhythm_of(played([(0, 1), (1, 2), (2, 4), (4, 8)], ratio=455 / 480))[-1] == (4, 8)


def test_exact_rests_of_a_sixteenth_are_kept():
    rhythm = [(0, 0.75), (1, 1.75), (2, 3.75), (4, 5)]
    assert rhythm_of(played(rhythm)) == rhythm


def test_staccato_of_half_the_length_is_a_note_and_a_rest():
    assert rhythm_of(played([(i, i + 0.5) for i in range(8)])) == [(i, i + 0.5) for i in range(8)]


@pytest.mark.parametrize(
    "onsets",
    [
        [0, 1 / 3, 2 / 3, 1, 2],  # triplet
        [0, 2 / 3, 1, 1 + 2 / 3, 2],  # swing
        [0, 1 / 6, 1 / 3, 0.5],  # sextuplet
        [0, 0.2, 0.4, 0.6, 0.8, 1],  # quintuplet
        [0, 0.6, 1, 1.6, 2, 2.6, 3],  # light swing
        [0, 1.27, 2.11, 3.4],  # free
    ],
)
@pytest.mark.parametrize("resolution", [96, 480, 1024])
def test_triplets_swing_and_free_time_are_refused(onsets, resolution):
    rhythm = list(zip(onsets, [*onsets[1:], onsets[-1] + 1], strict=True))
    with pytest.raises(ValueError, match=r"fits no grid .*; triplets, .* cannot be written \(at"):
        written_notes(played(rhythm, resolution=resolution))


def test_a_triplet_note_before_a_rest_is_refused():
    with pytest.raises(ValueError, match="1/3 quarter notes cannot be written"):
        written_notes(played([(0, 1 / 3), (1, 2), (2, 3)]))


def test_a_note_far_shorter_than_any_value_is_refused():
    with pytest.raises(ValueError, match="too short to write"):
        written_notes(played([(0, 0.02), (2, 3)]))


@pytest.mark.parametrize("overlap", [1, 10, 40])
def test_a_short_overlap_is_legato(overlap):
    check_monophonic(played([(0, 1), (1, 2), (2, 4)], ticks=overlap))


@pytest.mark.parametrize(
    "rhythm",
    [[(0, 2), (1, 2)], [(0, 2), (0, 2)], [(0, 2), (0.01, 2)], [(0, 1.25), (1, 2)],
     [(0, 4), (2, 2.1)], [(0, 0.2), (0.125, 0.25)]],
)  # fmt: skip
def test_polyphony_is_refused(rhythm):
    with pytest.raises(ValueError, match="polyphonic"):
        check_monophonic(played(rhythm))
