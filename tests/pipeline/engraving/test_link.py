"""The join of print and sound where a place in the source does not settle it alone."""

from fractions import Fraction as F

from pipeline.engraving import link, svg
from pipeline.engraving.note_log import Note


def head(where, moment, pitch=60, score=0):
    box = 0.0, 0.0, 1.0, 1.0
    return svg.Notehead(where, pitch, 0, 0, 0, F(moment), F(0), *box, score=score)


def note(where, onset, moment=None, pitch=60, score=0):
    when = F(onset if moment is None else moment)
    return Note(F(onset), F(1), pitch, pitch, where, (when, F(0)), score)


def test_a_head_that_is_repeated_sounds_twice():
    linked, reasons = link.link([note("a", 0), note("a", 4)], [head("a", 0)])
    assert linked == [0, 0]
    assert reasons == [None, None]


def test_music_printed_twice_from_one_place_goes_by_its_passage():
    """A theme, b in between, the theme again: unfolded, everything is played twice over."""
    heads = [head("a", 0), head("b", 1), head("a", 2), head("c", 3)]
    notes = [
        note(place, 4 * turn + n) for turn in (0, 1) for n, place in enumerate(["a", "b", "a", "c"])
    ]
    assert link.link(notes, heads)[0] == [0, 1, 2, 3, 0, 1, 2, 3]


def test_where_a_repeat_goes_back_its_signs_tell_the_passage():
    """m stands in the repeat and after it; what follows the first pass is m in the repeat."""
    heads = [head(where, n) for n, where in enumerate(["begin", "m", "a", "m", "end"])]
    notes = [note(where, n) for n, where in enumerate(["begin", "m", "a", "m", "a", "m", "end"])]
    signs = link.Repeats(frozenset({(0, F(1))}), frozenset({(0, F(3))}))
    assert link.link(notes, heads, signs)[0] == [0, 1, 2, 1, 2, 3, 4]
    linked, reasons = link.link(notes, heads)
    assert linked == [0, 1, 2, None, 2, 3, 4]
    assert reasons[3] == link.SEVERAL
    of_another = link.Repeats(frozenset({(1, F(1))}), frozenset({(1, F(3))}))
    assert link.link(notes, heads, of_another) == (linked, reasons)


def test_a_repeat_without_a_sign_begins_at_the_beginning():
    heads = [head(where, n) for n, where in enumerate(["m", "a", "m", "end"])]
    notes = [note(where, n) for n, where in enumerate(["m", "a", "m", "a", "m", "end"])]
    signs = link.Repeats(ends=frozenset({(0, F(2))}))
    assert link.link(notes, heads, signs)[0] == [0, 1, 0, 1, 2, 3]


def test_a_dotted_bar_line_is_no_repeat():
    lines = [
        svg.Bar(0, 0.0, glyph, F(n), 0) for n, glyph in enumerate([":", ".|:", ":|.|:", ":|.", "|"])
    ]
    begins, ends = ({(0, F(n)) for n in places} for places in ((1, 2), (2, 3)))
    assert link.repeats_of(lines) == link.Repeats(frozenset(begins), frozenset(ends))


def test_print_and_sound_may_be_two_copies_of_the_music():
    heads = [head("print:1", 0), head("print:2", 1, pitch=62)]
    notes = [note("midi:1", 0), note("midi:2", 1, pitch=62), note("midi:3", 2, pitch=64)]
    linked, reasons = link.link(notes, heads)
    assert linked == [0, 1, None]
    assert reasons == [None, None, link.NO_NOTEHEAD]


def test_a_copy_that_sounds_again_sounds_from_the_same_heads():
    heads = [head("print:1", 0), head("print:2", 1, pitch=62)]
    notes = [note(f"midi:{n % 2}", n, pitch=(60, 62)[n % 2]) for n in range(4)]
    assert link.link(notes, heads)[0] == [0, 1, 0, 1]


def test_a_theme_that_two_scores_print_is_linked_in_its_own():
    """The time of each score begins at zero, and each ends with a note of its own."""
    heads = [
        *(head("theme", 0, score=4), head("end", 1, score=4)),
        *(head("theme", 0, score=7), head("other end", 1, score=7)),
    ]
    notes = [
        note(where, 2 * score + moment, moment, score=score)
        for score, end in enumerate(["end", "other end"])
        for moment, where in enumerate(["theme", end])
    ]
    assert link.link(notes, heads)[0] == [0, 1, 2, 3]


def test_copies_for_the_ear_of_two_scores_are_linked_in_their_own():
    """Print and sound of two movements, which share their second note."""
    pitches = [(60, 62), (67, 62)]
    heads = [
        head(f"print {score}:{n}", n, pitches[score][n], score) for score in (0, 1) for n in (0, 1)
    ]
    notes = [
        note(f"midi {score}:{n}", 2 * score + n, n, pitches[score][n], score)
        for score in (0, 1)
        for n in (0, 1)
    ]
    assert link.link(notes, heads)[0] == [0, 1, 2, 3]


def test_scores_that_nothing_tells_apart_are_not_linked():
    heads = [head("theme", 0), head("theme", 0)]
    linked, reasons = link.link([note("theme", n, 0, score=n) for n in (0, 1)], heads)
    assert linked == [None, None] and reasons == [link.SEVERAL] * 2


def test_of_a_score_and_its_parts_the_first_print_is_taken():
    heads = [head("a", 0), head("b", 1, 64), head("a", 0)]
    assert link.link([note("a", 0), note("b", 1, pitch=64)], heads)[0] == [0, 1]


def test_a_note_without_a_head_takes_no_head_of_another():
    """A trill written out for the ear: its first tone has the pitch of the printed note."""
    linked, reasons = link.link([note("a", 0), note("trill", 0)], [head("a", 0)])
    assert linked == [0, None]
    assert reasons[1] == link.NO_NOTEHEAD


def test_equal_pitches_elsewhere_are_no_match():
    linked, _ = link.link([note("x", 1)], [head("a", 0), head("b", 2)])
    assert linked == [None]


def written(notes: list[Note], noteheads: list[svg.Notehead]) -> list[int]:
    link.settle_written(notes, noteheads)
    return [note.written for note in notes]


def test_a_score_transposed_for_print_only_keeps_its_noteheads():
    notes = [note("a", 0, pitch=70), note("b", 1, pitch=72), note("a", 2, pitch=70)]
    noteheads = [head("a", 0, pitch=72), head("b", 1, pitch=74)]
    assert written(notes, noteheads) == [72, 74, 72]
    assert link.link(notes, noteheads)[0] == [0, 1, 0]


def test_an_octave_or_an_ornament_added_for_sound_only_gets_no_notehead():
    notes = [note("a", 0), note("a", 0, pitch=72), note("b", 1, pitch=64), note("b", 1, pitch=65)]
    noteheads = [head("a", 0), head("b", 1, pitch=62)]
    assert written(notes, noteheads) == [60, 72, 64, 65]
    assert link.link(notes, noteheads)[0] == [0, None, None, None]
