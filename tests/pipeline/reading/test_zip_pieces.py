"""A zip of tunes: it is opened once, and a bad member is a bad piece."""

import io
import zipfile

import pytest

from pipeline.reading.zip_pieces import pieces_of_zip

LIMIT = 1_000


def zipped(path, members, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in members:
            file.writestr(name, content)
    return path


def read_all(path):
    """Content or reason of each piece, by id."""
    found = {}
    for piece in pieces_of_zip(path, [".mid"], LIMIT):
        try:
            found[piece.piece_id] = piece.read()
        except ValueError as error:
            found[piece.piece_id] = str(error)
    return found


def patched(path, name, offset, value):
    """Overwrite two bytes of a member's entry in the central directory."""
    data = bytearray(path.read_bytes())
    start = data.index(b"PK\1\2")
    while not data[start + 46 :].startswith(name.encode()):
        start = data.index(b"PK\1\2", start + 1)
    data[start + offset : start + offset + 2] = value.to_bytes(2, "little")
    path.write_bytes(data)
    return path


def test_members_are_named_within_their_common_folder(tmp_path):
    path = zipped(
        tmp_path / "t.ZIP", [("T/test/a.mid", b"a"), ("T/train/b/c.MID", b"c"), ("T/x", b"")]
    )
    pieces = pieces_of_zip(path, [".mid"], LIMIT)
    assert [(p.piece_id, p.split, p.source, p.file) for p in pieces] == [
        ("test__a", "test", "t.ZIP/T/test/a.mid", None),
        ("train__b__c", "train", "t.ZIP/T/train/b/c.MID", None),
    ]


def test_an_archive_is_opened_once(tmp_path, monkeypatch):
    path = zipped(tmp_path / "t.zip", [(f"{i}.mid", b"x") for i in range(50)])
    opened = []
    real = zipfile.ZipFile

    def counted(*arguments):
        opened.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(zipfile, "ZipFile", counted)
    assert set(read_all(path).values()) == {b"x"}
    assert len(opened) == 1


@pytest.mark.parametrize(
    ("offset", "value", "reason"),
    [
        (8, 0x1, "encrypted in the archive"),
        (10, 99, "a method that Python cannot read"),
        (24, 0xFFFF, "65,535 bytes, too large"),
        (16, 0x1234, r"corrupt in the archive \(Bad CRC"),
    ],
    ids=["encrypted", "unknown method", "huge", "corrupt"],
)
def test_a_bad_member_is_left_out_and_the_others_are_read(tmp_path, offset, value, reason):
    path = zipped(tmp_path / "t.zip", [("bad.mid", b"b"), ("good.mid", b"g")])
    found = read_all(patched(path, "bad.mid", offset, value))
    assert found["good"] == b"g"
    with pytest.raises(ValueError, match=reason):
        raise ValueError(found["bad"])


def test_a_member_that_does_not_decompress_is_left_out(tmp_path):
    path = zipped(tmp_path / "t.zip", [("bad.mid", b"a" * 500), ("good.mid", b"g")])
    data = path.read_bytes()
    start = data.index(b"bad.mid") + len("bad.mid")
    path.write_bytes(data[:start] + b"\xff\xff" + data[start + 2 :])
    found = read_all(path)
    assert found["good"] == b"g" and found["bad"].startswith("corrupt in the archive (")


def test_names_that_lead_outside_are_left_out_with_a_reason(tmp_path):
    members = [("/etc/a.mid", b"a"), ("../b.mid", b"b"), ("t/c.mid", b"c"), ("C:\\d.mid", b"d")]
    found = read_all(zipped(tmp_path / "t.zip", members))
    assert found.pop("c") == b"c"
    assert set(found.values()) == {"its name leads outside of the archive"} and len(found) == 3


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_comes_twice_is_one_piece_with_a_reason(tmp_path):
    found = read_all(
        zipped(tmp_path / "t.zip", [("a.mid", b"1"), ("a.mid", b"2"), ("b.mid", b"3")])
    )
    assert found == {"a": "2 members of the archive have its name", "b": b"3"}


def test_names_of_windows_and_macos_programs_are_understood(tmp_path):
    members = [("T\\test\\a.mid", b"a"), ("T\\b.mid", b"b"), ("__MACOSX/T/._a.mid", b"shadow")]
    pieces = pieces_of_zip(zipped(tmp_path / "t.zip", members), [".mid"], LIMIT)
    assert [(p.piece_id, p.split) for p in pieces] == [("test__a", "test"), ("b", None)]


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\5\6" + bytes(18)])
def test_what_is_no_archive_is_one_sentence(tmp_path, content):
    path = tmp_path / "t.zip"
    path.write_bytes(content)
    if content[:4] == b"PK\5\6":
        assert pieces_of_zip(path, [".mid"], LIMIT) == []
    else:
        with pytest.raises(ValueError, match=r"t\.zip: not a complete zip archive"):
            pieces_of_zip(path, [".mid"], LIMIT)


def test_a_truncated_archive_is_one_sentence(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("a.mid", b"a" * 100)
    path = tmp_path / "t.zip"
    path.write_bytes(buffer.getvalue()[:-30])
    with pytest.raises(ValueError, match="not a complete zip archive"):
        pieces_of_zip(path, [".mid"], LIMIT)
