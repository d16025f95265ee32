"""Which recordings belong to which piece: by equal names in a folder, or by a table."""

import pytest

from pipeline.reading import recording_files


def test_recordings_in_a_folder_are_named_as_their_scores(tmp_path):
    for name in ("waltz.WAV", "waltz.mp3", "suite/air.flac", "suite/notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    found = recording_files.find(tmp_path)
    assert [one.piece for one in found] == ["suite__air", "waltz", "waltz"]
    assert found[0].performer == "air"
    assert found[0].path == tmp_path / "suite/air.flac"
    assert len({one.performer for one in found}) == 3  # two of one name are told apart


def table(folder, text, encoding="utf-8"):
    path = folder / "recordings.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_a_table_names_pieces_by_id_or_score(tmp_path):
    path = table(tmp_path, "piece,file,performer\nop.28,a/one.wav,S. Lee\nsuite/air.mei,two.ogg,\n")
    one, two = recording_files.find(path)
    assert (one.path, one.performer) == (tmp_path / "a/one.wav", "S. Lee")
    assert "op.28" in one.piece_ids
    assert "suite__air" in two.piece_ids
    assert two.performer == "two"


def test_a_table_of_a_spreadsheet_may_begin_with_a_byte_order_mark(tmp_path):
    (one,) = recording_files.find(table(tmp_path, "file,piece\n/a.wav,air\n", "utf-8-sig"))
    assert (one.piece, str(one.path)) == ("air", "/a.wav")


@pytest.mark.parametrize(
    "text, message",
    [
        ("piece,sound\nair,a.wav\n", "no column 'file'"),
        ("", "no column 'piece'"),
        ("piece,file\nair,\n", "line 2: piece and file must both be given"),
        ("piece,file\nair\n", "line 2: piece and file must both be given"),
        ('piece,file\nair,"a', "recordings.csv: unexpected end of data"),
    ],
)
def test_a_table_that_cannot_be_used_is_named_with_what_it_lacks(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        recording_files.find(table(tmp_path, text))


def test_a_source_that_is_not_there_or_no_text_is_named(tmp_path):
    with pytest.raises(ValueError, match="lost: no such folder or table of recordings"):
        recording_files.find(tmp_path / "lost")
    with pytest.raises(ValueError, match="not UTF-8 text"):
        recording_files.find(table(tmp_path, "piece,file\nä,b\n", "latin-1"))
