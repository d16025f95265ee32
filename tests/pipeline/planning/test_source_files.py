"""Files that a job reads stand in its parameters: names, sizes and times, or a digest."""

import os

import pytest

from pipeline.planning import source_files
from tests.support import scores


@pytest.fixture
def tunes(tmp_path, monkeypatch):
    """A folder of three tunes."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "tunes"
    folder.mkdir()
    for number in range(3):
        (folder / f"t{number}.mid").write_bytes(scores.midi(scores.scale(8)))
    return folder


def by_chunk(source: str, chunks: int = 2) -> list[list]:
    source_files.by_chunk.cache_clear()
    return source_files.by_chunk(source, "staves", chunks, "downloads")


def test_each_file_is_read_by_one_chunk(tunes):
    chunks = by_chunk("tunes")
    assert sorted(path.name for files in chunks for path in files) == [
        "t0.mid", "t1.mid", "t2.mid",
    ]  # fmt: skip


def test_list_that_names_a_missing_file_stops_at_once(tunes):
    (tunes.parent / "list.txt").write_text("tunes/t0.mid\ntunes/gone.mid\n")
    with pytest.raises(ValueError, match=r"list.txt .*tunes/gone.mid"):
        by_chunk("list.txt")


@pytest.mark.parametrize("kind", ["folder", "pipe", "link to itself"])
def test_what_is_no_file_is_not_opened_by_a_record_of_provenance(tunes, kind):
    odd = tunes / "odd.mid"
    match kind:
        case "folder":
            odd.mkdir()
        case "pipe":
            os.mkfifo(odd)
        case "link to itself":
            odd.symlink_to(odd)
    (tunes.parent / "list.txt").write_text("tunes/t0.mid\ntunes/odd.mid\n")
    with pytest.raises(ValueError, match=r"line 2: tunes/odd\.mid \(not a file\)"):
        by_chunk("list.txt")
    assert odd.name not in {path.name for files in by_chunk("tunes") for path in files}


def test_state_differs_with_name_size_and_time(tunes):
    path = tunes / "t0.mid"
    states = [source_files.state([path])]
    os.utime(path, (1, 1))
    states.append(source_files.state([path]))
    path.write_bytes(b"")
    os.utime(path, (1, 1))
    states.append(source_files.state([path]))
    states.append(source_files.state([path.rename(tunes / "t9.mid")]))
    path.unlink(missing_ok=True)
    states.append(source_files.state([path]))
    assert len(set(states)) == len(states)
    assert source_files.state([tunes / "t1.mid", path]) == source_files.state(
        [path, tunes / "t1.mid"]
    )


def test_state_without_times_holds_when_a_package_is_installed_again(tunes):
    path = tunes / "t0.mid"
    before = source_files.state([path], times=False)
    os.utime(path, (1, 1))
    assert source_files.state([path], times=False) == before


def test_archives_have_one_state_before_and_after_they_are_fetched():
    known = {source_files.expected(name) for name in ("msmd", "nottingham", "ryans-mammoth")}
    assert len(known) == 3
    assert source_files.fetched("msmd", "downloads") != []
    assert source_files.fetched("ryans-mammoth", "downloads") == []
