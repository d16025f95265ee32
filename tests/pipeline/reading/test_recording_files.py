"""Which recordings belong to which piece: by equal names in a folder, or by a table."""

import pytest

from pipeline.reading import recording_files


def test_recordings_in_a_folder_are_named_as_their_scores(tmp_path):
    for name in ("waltz.WAV", "op.28.mp3", "suite/air.flac", "suite/notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    found = {one.name: one for one in recording_files.find(tmp_path)}
    assert {name: set(one.piece_ids) for name, one in found.items()} == {
        "waltz.WAV": {"waltz"}, "op.28.mp3": {"op.28"}, "suite/air.flac": {"suite__air"}
    }  # fmt: skip
    assert found["suite/air.flac"].performer == "air"
    assert found["suite/air.flac"].path == tmp_path / "suite/air.flac"


def table(folder, text, encoding="utf-8"):
    path = folder / "recordings.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_a_table_names_pieces_by_id_or_score(tmp_path):
    path = table(tmp_path, "piece,file,performer\nop.28,a/one.wav,S. Lee\nsuite/air.mei,two.ogg,\n")
    one, two = recording_files.find(path)
    assert (one.path, one.performer) == (tmp_path / "a/one.wav", "S. Lee")
    assert one.piece_ids == {"op.28"}  # and not `op`: .28 is no suffix of a score
    assert two.piece_ids == {"suite__air", "suite__air.mei"}  # the latter beside an air.mxl
    assert two.performer == "two"


def test_a_piece_has_each_of_its_recordings_once_by_performer(tmp_path):
    path = table(
        tmp_path,
        "piece,file,performer\n"
        "air,one.wav,Lee\nair.mei,two.wav,lee\nair,two.wav,Kim\nair,three.wav,Ito\nair.28,x.wav,Lee\n",
    )
    found = recording_files.of_piece(recording_files.find(path), {"air"})
    assert [one.name for one in found.values()] == ["one.wav", "three.wav", "two.wav"]
    first, second, third = found
    assert second == "Ito"
    assert first.startswith("Lee-") and third.startswith("lee-")  # told apart on any disk


def test_a_table_of_a_spreadsheet_may_begin_with_a_byte_order_mark(tmp_path):
    (one,) = recording_files.find(table(tmp_path, "file,piece\n/a.wav,air\n", "utf-8-sig"))
    assert (one.piece_ids, str(one.path)) == ({"air"}, "/a.wav")


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
    with pytest.raises(ValueError, match="lost: no such folder or table; name where"):
        recording_files.find(tmp_path / "lost")
    with pytest.raises(ValueError, match="not UTF-8 text"):
        recording_files.find(table(tmp_path, "piece,file\nä,b\n", "latin-1"))
