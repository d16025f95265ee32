"""What is corrupt is found and set aside; whatever else lies among the results is left alone."""

import importlib.metadata
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import soundfile

from pipeline import tables
from pipeline.describing import records, verify
from pipeline.reading import archives, catalogue
from tests.support import plans, planted

LATER_S = 1_000  # between a record and what is newer


@pytest.fixture
def plan(tmp_path):
    """The plan of a run, and some of its outputs, recorded as at a run's end."""
    plan = plans.plan(tmp_path, **plans.learned())
    data = tmp_path / "results/data/tunes"
    tables.write([{"piece_id": "a"}], tables.PIECES, data / "pieces/0.parquet")
    audio = data / "audio/TimGM6mb/1.0/0"
    audio.mkdir(parents=True)
    soundfile.write(audio / "a.flac", np.sin(np.arange(20_000) / 9), 44_100)
    performance = {"piece_id": "a", "audio": "a.flac"}
    played = data / "performances/TimGM6mb/1.0/0.parquet"
    tables.write([performance], tables.PERFORMANCES, played)
    (data / "README.md").write_text("# a card\n")
    (tmp_path / "results/tables").mkdir()
    (tmp_path / "results/tables/score_following.md").write_text("| a | b |\n")
    plans.record(tmp_path / "results")
    return plan


def found(plan, **arguments) -> dict[str, str]:
    """Reasons by name, relative to the results."""
    root = Path(plan.results)
    return {f.path.relative_to(root).as_posix(): f.reason for f in verify.faults(plan, **arguments)}


def rewrite(path: Path, content: bytes, newer: bool) -> None:
    """Change a file, and date it before or after the record."""
    path.write_bytes(content)
    now = path.stat().st_mtime
    os.utime(path, (now, now + LATER_S if newer else now - LATER_S))


def test_whole_outputs_are_not_faults(plan):
    assert found(plan) == {}


def test_truncated_table_is_found_by_its_form_with_or_without_a_record(plan):
    path = Path(plan.results, "data/tunes/pieces/0.parquet")
    rewrite(path, path.read_bytes()[:-9], newer=True)
    assert found(plan) == {"data/tunes/pieces/0.parquet": "truncated or corrupt"}
    Path(plan.results, records.NAME).unlink()
    assert list(found(plan, digests=False)) == ["data/tunes/pieces/0.parquet"]


def test_changed_byte_of_the_same_size_is_found_by_its_digest(plan):
    path = Path(plan.results, "tables/score_following.md")
    rewrite(path, b"| a | c |\n", newer=False)
    assert found(plan) == {
        "tables/score_following.md": "its contents are not those that were recorded"
    }
    assert found(plan, digests=False) == {}


def test_table_edited_by_hand_after_the_run_is_kept(plan):
    for name in ("tables/score_following.md", "data/tunes/README.md"):
        rewrite(Path(plan.results, name), b"my own words, and more of them", newer=True)
    assert found(plan) == {}


def test_record_of_other_settings_does_not_condemn_a_fresh_table(plan):
    """A run with other settings that was stopped leaves tables newer than the record."""
    path = Path(plan.results, "data/tunes/pieces/0.parquet")
    tables.write([{"piece_id": "b"}] * 9, tables.PIECES, path)
    rewrite(path, path.read_bytes(), newer=True)
    assert found(plan) == {}


@pytest.mark.parametrize("happens", ["truncated", "missing", "empty folder"])
def test_folder_of_recordings_is_incomplete(plan, happens):
    folder = Path(plan.results, "data/tunes/audio/TimGM6mb/1.0/0")
    if happens == "truncated":
        rewrite(folder / "a.flac", (folder / "a.flac").read_bytes()[:-1000], newer=True)
    else:
        (folder / "a.flac").unlink()
        if happens == "missing":
            (folder / "b.flac").write_bytes(b"of somebody")
    name = "data/tunes/audio/TimGM6mb/1.0/0"
    assert list(found(plan)) == [name]
    list(verify.set_aside(plan, verify.faults(plan)))
    assert not folder.exists()
    if happens == "missing":
        assert (folder.parent / "0.damaged/b.flac").read_bytes() == b"of somebody"


def test_folder_without_a_recording_is_complete_if_the_table_names_none(plan):
    folder = Path(plan.results, "data/tunes/audio/TimGM6mb/1.0/0")
    (folder / "a.flac").unlink()
    table = Path(plan.results, "data/tunes/performances/TimGM6mb/1.0/0.parquet")
    tables.write([{"piece_id": "a", "reason": "silent"}], tables.PERFORMANCES, table)
    rewrite(table, table.read_bytes(), newer=True)
    assert found(plan) == {}


def test_repair_renames_and_deletes_nothing(plan):
    root = Path(plan.results)
    table, card = root / "tables/score_following.md", root / "data/tunes/pieces/0.parquet"
    rewrite(table, b"| a |", newer=False)
    rewrite(card, b"PAR1", newer=True)
    (root / "tables/score_following.md.damaged").write_text("of an earlier repair")
    record = (root / records.NAME).read_bytes()
    renamed = dict(verify.set_aside(plan, verify.faults(plan)))
    assert {path.relative_to(root).as_posix() for path in renamed} == {
        "tables/score_following.md", "data/tunes/pieces/0.parquet", records.NAME,
    }  # fmt: skip
    assert (root / "tables/score_following.md.damaged.2").read_bytes() == b"| a |"
    assert (root / "tables/score_following.md.damaged").read_text() == "of an earlier repair"
    assert (root / "data/tunes/pieces/0.parquet.damaged").read_bytes() == b"PAR1"
    assert (root / f"{records.NAME}.damaged").read_bytes() == record
    assert not any(path.exists() for path in renamed)
    assert dict(verify.set_aside(plan, verify.faults(plan))) == {}


def test_repair_that_was_cut_short_is_finished(plan):
    """The records go last: while one is there, it vouches for what was set aside."""
    table = Path(plan.results, "tables/score_following.md")
    rewrite(table, b"", newer=True)
    next(verify.set_aside(plan, verify.faults(plan)))
    assert not table.exists() and Path(plan.results, records.NAME).exists()
    list(verify.set_aside(plan, verify.faults(plan)))
    assert not Path(plan.results, records.NAME).exists()


def test_what_comes_and_goes_is_not_missed_for_ever(plan):
    checkpoint = Path(plan.results, "models/score_following/PT.safetensors.state")
    checkpoint.parent.mkdir(parents=True)
    checkpoint.with_name(f"{checkpoint.name}.damaged").touch()
    assert checkpoint in verify.made(plan)
    assert dict(verify.set_aside(plan, [])) == {}


def plant(results: Path, outside: Path) -> None:
    """Files of a user among the results, and things that are no files."""
    planted.plant(results)
    (results / "tables/score_following.md").unlink()
    (results / "tables/score_following.md").symlink_to(outside / "thesis.tex")
    (results / "tables/score_following.csv").symlink_to("nowhere")
    (results / "tables/score_following.tex").symlink_to("score_following.tex")  # to itself
    os.mkfifo(results / "data/tunes/croissant.json")
    (results / "data/tunes/notes").symlink_to(outside)
    (results / "data/tunes/engraved/0.parquet").mkdir(parents=True)


RECORDS = {
    "outside": {"outputs": {"../thesis.tex": {"bytes": 1, "sha256": "0" * 64}}},
    "absolute": {"outputs": {"/etc/hostname": {"bytes": 1, "sha256": "0" * 64}}},
    "of a user's file": {"outputs": {"tables/mine.md": {"bytes": 1, "sha256": "0" * 64}}},
    "without a size": {"outputs": {"x.md": {}, "data/tunes/README.md": {}}},
    "of odd entries": {"outputs": {"data/tunes/README.md": 1, "": None, "\0": {"sha256": []}}},
    "of a list": {"outputs": ["data/tunes/README.md"]},
    "of nothing": [],
}


@pytest.mark.parametrize("kind", RECORDS)
def test_nothing_but_our_own_files_is_ever_touched(plan, tmp_path, kind):
    results, outside = Path(plan.results), tmp_path / "outside"
    outside.mkdir()
    (outside / "thesis.tex").write_text("years of work")
    (outside / "0.parquet").write_text("a file where a table would lie")
    (tmp_path / "thesis.tex").write_text("years of work")
    plant(results, outside)
    (results / records.NAME).write_text(json.dumps(RECORDS[kind]))
    os.utime(results / records.NAME, (2**32, 2**32))  # newer than everything
    before = planted.snapshot(tmp_path)
    assert list(verify.set_aside(plan, verify.faults(plan))) == []
    assert planted.snapshot(tmp_path) == before


def test_results_may_be_a_link_to_another_disk(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "results").symlink_to(tmp_path / "disk")
    plan = plans.plan(tmp_path)
    path = tmp_path / "results/data/tunes/notes/0.parquet"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"PAR1")
    assert list(found(plan)) == ["data/tunes/notes/0.parquet"]


def test_command_says_what_it_found_and_fails(plan, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text(json.dumps(plan.settings))
    verify.verify()
    rewrite(Path(plan.results, "data/tunes/pieces/0.parquet"), b"PAR1", newer=True)
    with pytest.raises(SystemExit, match="1"):
        verify.verify()
    said = capsys.readouterr().out
    assert "pieces/0.parquet: truncated or corrupt" in said
    verify.verify(repair=True)
    assert "pieces/0.parquet is set aside as 0.parquet.damaged" in capsys.readouterr().out
    verify.verify()


def test_other_versions_of_what_made_the_data_are_named(plan, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text(json.dumps(plan.settings))
    same = {"verovio": importlib.metadata.version("verovio"), "torch": "0.1"}  # torch makes none
    for versions, told in ((same, False), (same | {"verovio": "2.7"}, True)):
        record = {"outputs": {}, "versions": versions}
        Path(plan.results, "data/provenance.json").write_text(json.dumps(record))
        verify.verify()
        assert ("made with verovio 2.7 (now" in capsys.readouterr().out) == told


# --- downloads
@pytest.fixture
def archive(tmp_path, monkeypatch):
    """A fetched archive that the catalogue knows, and the plan of a run that reads it."""
    path = tmp_path / "downloads/little.zip"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a.mid", bytes(range(256)))
    entry = {"file": "little.zip", "digest": archives.contents_digest(path), "layout": "staves"}
    other = entry | {"file": "other.zip"}
    monkeypatch.setattr(catalogue, "catalogue", lambda: {"little": entry, "other": other})
    plan = plans.plan(tmp_path, collections={"tunes": {"source": "little"}})
    return path, plan


@pytest.mark.parametrize("spoilt", [b"", b"PK", bytes(400)])
def test_archive_is_known_by_its_contents(archive, spoilt):
    path, plan = archive
    assert verify.faults(plan) == []
    path.write_bytes(spoilt)
    (path.parent / "other.zip").write_bytes(spoilt)  # of another config that shares the folder
    assert [fault.path for fault in verify.faults(plan)] == [path]


def test_archive_with_a_changed_member_is_known(archive):
    path, plan = archive
    path.write_bytes(path.read_bytes().replace(bytes(range(256)), bytes(256)))
    assert [fault.path for fault in verify.faults(plan)] == [path]


def test_archive_that_is_a_link_is_left_alone(archive):
    path, plan = archive
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")
    path.write_bytes(b"PK")
    assert verify.faults(plan) == []


def test_archive_older_than_the_record_is_not_read_again(archive, tmp_path, monkeypatch):
    path, plan = archive
    (tmp_path / "results/data").mkdir(parents=True)
    (tmp_path / "results/data/provenance.json").write_text('{"outputs": {}}')
    os.utime(path, (1, 1))
    monkeypatch.setattr(archives, "contents_digest", None)
    assert verify.faults(plan) == []


def test_damaged_performances_do_not_stop_the_look(plan):
    table = Path(plan.results, "data/tunes/performances/TimGM6mb/1.0/0.parquet")
    for content in (b"", b"PAR1" + bytes(4) + b"PAR1", b"PAR1xxxxPAR1"):
        rewrite(table, content, newer=True)
        found(plan)
    pa.parquet.write_table(pa.table({"audio": ["../../../../../../etc/passwd"]}), table)
    assert found(plan) == {}
