"""Ids of pieces are safe as names of files and as text, and ordinary names are not changed."""

import unicodedata

import pytest

from pipeline.reading.pieces import Piece, piece_id_of, printable, split_of, told_apart


def piece(piece_id, source=""):
    return Piece(piece_id, source or piece_id, None, bytes)


@pytest.mark.parametrize(
    ("name", "piece_id"),
    [
        ("a.mid", "a"),
        ("jigs/one.mid", "jigs__one"),
        ("test/it's {a} tune.MID", "test__it's {a} tune"),
        ("R&B.ly", "R&B"),
        ("Sonata [1].ly", "Sonata [1]"),
        ("Étude n° 3, 東.ly", "Étude n° 3, 東"),
        ("op.1.no.2.mid", "op.1.no.2"),
        ("a--b_c.mid", "a--b_c"),
    ],
)
def test_ordinary_names_stay(name, piece_id):
    assert piece_id_of(name) == piece_id


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("a<b>.mid", "a_b_-"),
        ('dou"ble.mid', "dou_ble-"),
        ("a|b:c*d?e\\f.mid", "a_b_c_d_e_f-"),
        ("line\nbreak\ttab.mid", "line_break_tab-"),
        ("-dash.mid", "_dash-"),
        (".hidden.mid", "_hidden-"),
        ("../up.mid", "_.__up-"),
        (" space.mid", "_space-"),
        ("space .mid", "space_-"),
        ("bytes\udcff.mid", "bytes_-"),
        ("right\u202eleft.mid", "right_left-"),
        ("x" * 300 + ".mid", "x" * 191 + "-"),
        ("é" * 150 + ".mid", "é" * 95 + "-"),
    ],
)
def test_odd_names_are_made_safe_and_stay_distinct(name, start):
    safe = piece_id_of(name)
    assert safe.startswith(start)
    assert len(safe) == len(start) + 8
    assert len(f"{safe}.flac".encode()) < 255
    assert printable(safe) == safe
    assert safe != piece_id_of("other" + name)
    assert safe == piece_id_of(name)


def test_letters_are_composed():
    assert piece_id_of(unicodedata.normalize("NFD", "é.mid")) == "é"


def test_ids_that_differ_in_case_only_get_a_digest():
    ids = [found.piece_id for found in told_apart([piece("Tune"), piece("tune"), piece("other")])]
    assert len({one.casefold() for one in ids}) == 3
    assert "other" in ids and "tune" not in ids and "Tune" not in ids
    assert ids == sorted(ids)


def test_two_files_for_one_piece_are_an_error_that_names_both():
    with pytest.raises(ValueError, match=r"two files for one piece 'a': a\.ly, a\.xml; rename one"):
        told_apart([piece("a", "a.ly"), piece("a", "a.xml"), piece("b")])


def test_the_split_is_the_first_folder_with_the_name_of_one():
    assert split_of("x/test/train/a.mid") == "test"
    assert split_of("test.mid") is None


def test_printable_shows_odd_characters_as_escapes():
    assert printable("a\nb\udcff é.mid") == "a\\nb\\udcff é.mid"
