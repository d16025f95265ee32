"""What is heard where a recording is not in the score."""

import numpy as np

from benchmarks.sounds import applause
from models.following import features, spans
from models.following.alignment import Span
from models.following.route import Route, Visit
from tests.support.tiny_scores import sound

RATE_HZ = 22_050
MUSIC = sound([(0.5 * n, 60 + n) for n in range(8)])


def told(samples, outside, visits=()):
    way = Route(list(visits), outside, 0.0, 0.0, 1.0, 1.0)
    return spans.unaligned(way, samples, features.of_recording(samples, 0.0))


def test_silence_applause_and_other_music_are_told_apart():
    silence = np.zeros(3 * RATE_HZ, np.float32)
    clapped = 3 * applause(4.0)
    samples = np.concatenate([silence, clapped, MUSIC])
    seconds = len(samples) / RATE_HZ
    found = told(samples, [(0.0, 7.0), (7.0, seconds)])
    assert [span.what for span in found][:2] == ["silence", "applause or talk"]
    assert found[2].what == "not in the score"
    assert abs(found[0].end - 3) < 0.2


def test_a_breath_is_not_told():
    assert told(MUSIC, [(1.0, 1.4)]) == []


def test_a_cut_is_a_moment():
    nothing = np.array([])
    visits = [Visit(0, 0, 2, False, nothing, nothing), Visit(5, 2, 4, True, nothing, nothing)]
    assert told(MUSIC, [], visits) == [Span(2, 2, "cut")]
