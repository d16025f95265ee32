"""What is shown when: of a tune whose first page is played twice."""

import numpy as np
import pyarrow as pa
import pytest

from models.following import timeline
from models.following.alignment import Span
from tests.support.followed import LEAD_S, PLAYED, PRINTED, QUARTER_S, RIGHT, alignment, onset_s


@pytest.fixture
def followed(tmp_path):
    return alignment(tmp_path)


def test_bars_that_are_played_twice_say_which_time_it_is(followed):
    labels = [stop.label for stop in timeline.stops(followed)]
    assert labels[:5] == ["bar 1, first time"] * 2 + ["bar 2, first time"] * 2 + [
        "bar 1, second time"
    ]
    assert labels[-1] == "bar 3"


def test_without_bar_numbers_page_and_system_are_said(followed):
    column = followed.table.schema.get_field_index("bar")
    bare = followed.table.set_column(
        column, followed.table.schema.field(column), pa.nulls(10, pa.string())
    )
    object.__setattr__(followed, "table", bare)
    labels = [stop.label for stop in timeline.stops(followed)]
    assert labels[0] == "page 1, system 1, first time"
    assert labels[-1] == "page 2, system 1"  # the first of this page


def test_the_readout_names_what_is_not_aligned(followed):
    stops, spans = timeline.stops(followed), followed.about.unaligned
    assert timeline.readout(stops, spans, 0.5) == "not aligned: silence · 0:00"
    assert timeline.readout(stops, spans, 0.95) == "before the first note · 0:00"
    assert timeline.readout(stops, spans, onset_s(4)) == "bar 1, second time · 0:03"
    assert timeline.readout(stops, spans, 6.5) == "not aligned: applause or talk · 0:06"
    assert timeline.described(Span(61, 125.9, "silence")) == "silence 1:01–2:05"
    assert timeline.described(Span(61, 61, "cut")) == "cut at 1:01"


def test_every_note_sounds_as_long_as_written_but_not_beyond_a_leap(followed):
    """Notes of two quarters: the last before the leap back, and before the applause, end there."""
    durations = followed.notes.schema.get_field_index("duration")
    longer = followed.notes.set_column(
        durations, followed.notes.schema.field(durations), [[2.0] * 10]
    )
    object.__setattr__(followed, "notes", longer)
    found = timeline.soundings(followed)
    assert [note.notehead_id for note in found] == PLAYED
    quarters = [note.duration_s / QUARTER_S for note in found]
    assert quarters == pytest.approx([2, 2, 2, 1, 2, 2, 2, 2, 2, 1])


def test_if_nothing_is_aligned_nothing_is_shown(followed):
    """As `--force` has it for a recording in which no note is found."""
    object.__setattr__(followed, "table", followed.table.slice(0, 0))
    assert timeline.stops(followed) == timeline.soundings(followed) == []


def test_notes_follow_the_tempo_of_the_recording(tmp_path):
    followed = alignment(tmp_path, played=4)
    column = followed.table.schema.get_field_index("time")
    times = [1.0, 1.25, 1.75, 2.75]  # each quarter twice as slow as the one before it
    slower = followed.table.set_column(column, followed.table.schema.field(column), [times])
    object.__setattr__(followed, "table", slower)
    found = timeline.soundings(followed)
    assert [note.duration_s for note in found] == pytest.approx(
        [0.25, 0.5, 1, 0.25]
    )  # then applause


def test_the_cursor_glides_from_onset_to_onset(followed):
    stops = timeline.stops(followed)
    times = np.array([0.0, onset_s(0), onset_s(0) + 0.25, onset_s(3) + 0.25, onset_s(7) + 0.25, 99])
    index, x = timeline.positions(stops, {0: RIGHT, 1: RIGHT}, 7, times)
    assert index.tolist() == [0, 0, 0, 3, 7, 9]
    halfway = (PRINTED[0][1] + PRINTED[1][1]) / 2
    last = PRINTED[3][1]
    # back to the first bar it does not glide, to the next page it runs to the end of the line
    assert x.tolist() == [80, 80, halfway, last, (last + RIGHT) / 2, RIGHT]


def test_the_cursor_waits_while_nothing_is_aligned(followed):
    about = followed.about
    about.unaligned.insert(1, Span(onset_s(0) + 0.1, onset_s(0) + 0.4, "silence"))
    (first, *_) = timeline.stops(followed)
    assert first.until == pytest.approx(LEAD_S + 0.1)
