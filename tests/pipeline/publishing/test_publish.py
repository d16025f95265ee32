"""A collection that others can load: with `datasets` alone, from the folder alone."""

import csv
import hashlib
import io
import json
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile

from pipeline import tables
from pipeline.publishing import files, publish
from tests.support import collection, staves

LOADER = """
import io, json, sys
import datasets
rows = datasets.load_dataset(sys.argv[1], cache_dir=sys.argv[2])
scores = datasets.load_dataset(sys.argv[1], "scores", cache_dir=sys.argv[2])
row, score = rows["train"][0], scores["train"][0]
print(json.dumps({
    "rows": {split: part.num_rows for split, part in rows.items()},
    "scores": {split: part.num_rows for split, part in scores.items()},
    "piece": [row["piece_id"], row["composer"], row["licence"]],
    "images": [image.size for image in row["images"]],
    "pages": [image.size for image in score["pages"]],
    "spectrogram": rows["train"].with_format("numpy")[0]["spectrogram"].shape,
    "sound": row["audio"]["bytes"][:4].decode(),
    "noteheads": score["noteheads"],
    "ours": [name for name in sys.modules if name.split(".")[0] in ("pipeline", "models")],
}))
"""


def change(data, column, values):
    """Give pieces of a collection other values in a column, by piece id."""
    path = data / "pieces/0.parquet"
    rows = tables.read(path, tables.PIECES).to_pylist()
    for row in rows:
        row[column] = values.get(row["piece_id"], row[column])
    tables.write(rows, tables.PIECES, path)


def write(folder, **licences):
    """The data of a tiny collection, with pages and sound; gives its folder."""
    data = folder / "own"
    collection.write(data)
    change(data, "licence", licences)
    png = staves.png(np.full((20, 30), 255, np.uint8))
    for name, schema, row in (
        ("images", tables.IMAGES, {"image": 0, "png": png, "width": 30, "height": 20}),
        ("systems", tables.SYSTEMS, {"system": 0, "image": 0}),
        ("noteheads", tables.NOTEHEADS, {"notehead_id": 0, "x": 7.5, "pitch": 60}),
    ):
        found = [{"piece_id": piece} | row for piece in collection.PIECES]
        tables.write(found, schema, data / name / "0.parquet")
    sound = data / "audio/grand/1.0/0/waltz.flac"
    sound.parent.mkdir(parents=True)
    soundfile.write(sound, np.zeros(100), 44_100)
    played = [{"piece_id": "waltz", "font": "grand", "tempo_ratio": 1.0, "audio": "waltz.flac"}]
    tables.write(played, tables.PERFORMANCES, data / "performances/grand/1.0/0.parquet")
    (data / "performances/0.parquet").unlink()
    return data


def test_datasets_alone_loads_rows_pages_and_sound_from_the_folder_alone(tmp_path):
    publish.publish(write(tmp_path), out=tmp_path / "out/hub")
    done = subprocess.run(
        [sys.executable, "-I", "-c", LOADER, tmp_path / "out/hub", tmp_path / "cache"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    written = staves.performance("waltz")
    assert found["rows"] == {"train": 3, "test": 1}
    assert found["scores"] == {"train": 2, "test": 1}
    assert found["piece"] == ["waltz", "Schubert", "CC0"]
    assert found["images"] == [[390, 40]] * len(written["images"])
    assert found["pages"] == [[30, 20]]
    bins = written["bins"]
    assert found["spectrogram"] == [len(written["spectrogram"]) // bins, bins]
    assert found["sound"] == "fLaC"
    assert found["noteheads"][0]["x"] == 7.5
    assert found["ours"] == []


def test_only_what_the_last_run_made_goes_out_in_the_splits_of_its_shards(tmp_path, capsys):
    """A piece that shares a work with another collection's test pieces is `extra` in the shards."""
    data = write(tmp_path)
    old = data / "shards/train/old-1.0-0.parquet"
    shutil.copy(data / "shards/train/grand-1.0-0.parquet", old)
    (data / "shards/extra").mkdir()
    moved = data / "shards/extra/grand-1.0-0.parquet"
    (data / "shards/test/grand-1.0-0.parquet").rename(moved)
    staves.write_shard(moved, [staves.performance("fugue", split="extra")])
    run = [path for path in sorted(data.glob("shards/*/*.parquet")) if path != old]
    collection.describe(data, run)
    publish.publish(data, out=tmp_path / "hub")
    said = capsys.readouterr().err
    assert "shards of runs with other settings stay: 1, as" in said and old.name in said
    for part in ("performances", "scores"):
        (held,) = (tmp_path / "hub" / part).glob("extra-*.parquet")
        assert pq.read_table(held)["piece_id"].to_pylist() == ["fugue"]
        assert not list((tmp_path / "hub" / part).glob("test-*.parquet"))
    (trained,) = (tmp_path / "hub/performances").glob("train-*.parquet")
    assert pq.read_table(trained).num_rows == 3  # and not the old ones, too
    card = (tmp_path / "hub/README.md").read_text()
    assert "lie beside" not in card and "| pieces | 2 | 1 |" in card


@pytest.mark.parametrize("folder", ["/home/anna/private scores", "../anna/private scores"])
def test_where_scores_lie_is_told_to_nobody(folder, tmp_path):
    data = write(tmp_path)
    inner = {"waltz": "waltz.ly", "march": "book 1/march.ly", "fugue": "book 1/fugue.ly"}
    change(data, "source", {piece: f"{folder}/{name}" for piece, name in inner.items()})
    hub = tmp_path / "hub"
    publish.publish(data, out=hub)
    listed = csv.DictReader((hub / "licences.csv").open())
    assert {row["piece_id"]: row["source"] for row in listed} == inner
    for path in hub.rglob("*"):
        if path.suffix == ".parquet":
            rows = pq.read_table(path).to_pylist()
            assert [row["source"] for row in rows] == [inner[row["piece_id"]] for row in rows]
            assert "anna" not in str(rows)
        elif path.is_file():
            assert "anna" not in path.read_text()


def test_scores_that_lie_anywhere_have_their_names_alone(tmp_path):
    """A list of files names two disks, and a folder is written with a detour."""
    data = write(tmp_path)
    lie = {
        "waltz": "//home/anna/waltz.ly",
        "march": "/mnt/b/march.ly",
        "fugue": "b/../../anna/f.ly",
    }
    change(data, "source", lie)
    publish.publish(data, out=tmp_path / "hub")
    listed = csv.DictReader((tmp_path / "hub/licences.csv").open())
    assert {row["source"] for row in listed} == {"waltz.ly", "march.ly", "f.ly"}


@pytest.mark.parametrize("source", ["msmd.zip:a/waltz.ly", "music21:a/waltz.mxl", "own/waltz.ly"])
def test_names_that_tell_no_folder_outside_stay(source, tmp_path):
    data = write(tmp_path)
    change(data, "source", dict.fromkeys(collection.PIECES, source))
    publish.publish(data, out=tmp_path / "hub")
    assert f",{source}," in (tmp_path / "hub/licences.csv").read_text()


def test_pieces_without_a_licence_stay_and_are_told(tmp_path, capsys):
    data = write(tmp_path, waltz="", fugue="(c) 1998 Somebody, all rights reserved")
    publish.publish(data, out=tmp_path / "hub")
    said = capsys.readouterr().out
    assert "hub: 1 piece, " in said and "2 of 3 pieces were left out for their licence" in said
    assert "  1 piece: no licence stated" in said and "  1 piece: all rights reserved" in said
    (listed,) = csv.DictReader((tmp_path / "hub/licences.csv").open())
    assert (listed["piece_id"], listed["licence"]) == ("march", "CC0")
    card = (tmp_path / "hub/README.md").read_text()
    assert "| pieces | 1 |" in card and "waltz" not in card
    assert "2 of 3 pieces were left out" in card
    held = pq.read_table(tmp_path / "hub/performances/train-00000-of-00001.parquet")
    assert held["piece_id"].to_pylist() == ["march"]
    assert not list((tmp_path / "hub/performances").glob("test*"))


def test_a_licence_that_somebody_has_judged_goes_out(tmp_path):
    data = write(tmp_path, waltz="free for all", march=None, fugue=None)
    publish.publish(data, out=tmp_path / "hub", allow=["free for all"])
    assert "free for all" in (tmp_path / "hub/licences.csv").read_text()


def test_a_collection_that_nobody_may_have_is_refused_with_the_rule(tmp_path):
    data = write(tmp_path, waltz="", march="none stated", fugue=None)
    with pytest.raises(ValueError, match=r"own: no piece of it may be handed on\. A piece is left"):
        publish.publish(data, out=tmp_path / "hub")
    assert not (tmp_path / "hub").exists()


def test_recordings_of_people_stay_whatever_the_licence_of_their_score(tmp_path, capsys):
    data = write(tmp_path)
    performer = {"font": "recordings", "tempo_ratio": None, "performer": "Lee"}
    row = staves.performance("march") | performer
    staves.write_shard(data / "shards/train/recordings-recorded-0.parquet", [row])
    played = [{"piece_id": "march", "duration_s": 720.0} | performer]
    table = data / "performances/recordings/recorded/0.parquet"
    tables.write(played, tables.PERFORMANCES, table)
    publish.publish(data, out=tmp_path / "hub")
    held = pq.read_table(tmp_path / "hub/performances/train-00000-of-00001.parquet")
    assert "recordings" not in held["font"].to_pylist() and held.num_rows == 3
    card = (tmp_path / "hub/README.md").read_text()
    assert "| performances | 3 | 1 |" in card
    for told in (card, capsys.readouterr().out):
        assert "Recordings of people were left out" in told


@pytest.mark.parametrize("make", [publish.publish, publish.release])
def test_what_is_there_stays(make, tmp_path):
    out = tmp_path / "there.zip"
    out.write_text("mine")
    with pytest.raises(FileExistsError, match=r"there\.zip: is there already and stays"):
        make(write(tmp_path), out=out)
    assert out.read_text() == "mine"


def test_chunks_of_two_runs_are_not_mixed(tmp_path):
    data = write(tmp_path)
    rows = tables.read(data / "pieces/0.parquet", tables.PIECES).slice(0, 1).to_pylist()
    tables.write(rows, tables.PIECES, data / "pieces/1.parquet")
    with pytest.raises(ValueError, match=r"own/pieces: the piece waltz is in it 2 times"):
        publish.publish(data, out=tmp_path / "hub")


def test_chunks_of_an_earlier_run_with_more_of_them_stay(tmp_path):
    data = write(tmp_path)
    collection.fewer_chunks(data)
    publish.publish(data, out=tmp_path / "hub")
    (held,) = (tmp_path / "hub/scores").glob("train-*.parquet")
    assert pq.read_table(held)["piece_id"].to_pylist() == ["waltz", "march"]
    assert "| pieces | 2 | 1 |" in (tmp_path / "hub/README.md").read_text()


def test_what_a_killed_job_left_does_not_go_out(tmp_path):
    data = write(tmp_path)
    left = data / "images/.0.parquet.unfinished/0.parquet"
    left.parent.mkdir()
    left.write_bytes(b"half")
    publish.publish(data, out=tmp_path / "hub")
    assert (tmp_path / "hub/scores/train-00000-of-00001.parquet").is_file()


def test_pieces_that_nobody_played_are_no_collection(tmp_path):
    data = write(tmp_path, waltz="", march="")
    shutil.rmtree(data / "shards/test")
    with pytest.raises(ValueError, match=r"own: no performance of a piece"):
        publish.publish(data, out=tmp_path / "hub")
    assert not (tmp_path / "hub").exists()


def test_every_file_has_its_digest(tmp_path):
    out = tmp_path / "hub"
    publish.publish(write(tmp_path), out=out)
    lines = (out / "SHA256SUMS").read_text().splitlines()
    listed = {name: digest for digest, name in (line.split("  ") for line in lines)}
    held = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert listed.keys() == held - {"SHA256SUMS"}
    for name, digest in listed.items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == digest
    described = json.loads((out / "croissant.json").read_text())
    digests = {entry["name"]: entry.get("sha256") for entry in described["distribution"]}
    name = "performances/train-00000-of-00001.parquet"
    assert digests[name] == listed[name]


def test_a_release_is_one_archive_and_the_same_bytes_each_time(tmp_path):
    data = write(tmp_path, fugue="CC BY-ND 4.0")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        publish.release(data, out=tmp_path / name / "own-1.0.zip")
    one, other = (tmp_path / name / "own-1.0.zip" for name in ("a", "b"))
    assert one.read_bytes() == other.read_bytes()
    with zipfile.ZipFile(one) as archive:
        assert archive.testzip() is None
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        names = archive.namelist()
        rows = pq.read_table(
            io.BytesIO(archive.read("own-1.0/scores/train-00000-of-00001.parquet"))
        )
    assert {"own-1.0/croissant.json", "own-1.0/licences.csv", "own-1.0/README.md"} <= set(names)
    assert rows["piece_id"].to_pylist() == ["waltz", "march"]
    assert list((tmp_path / "a").iterdir()) == [one]


def test_files_are_begun_anew_before_they_are_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "FILE_BYTES", 1_000)
    monkeypatch.setattr(files, "GROUP_ROWS", 1)
    schema = tables.IMAGES
    rows = [{"piece_id": str(n), "png": bytes(400)} for n in range(5)]
    count, size = files.write(iter(rows), schema, tmp_path, "train")
    assert count == 5 and size > 2_000
    paths = sorted(tmp_path.iterdir())
    assert [path.name for path in paths] == [f"train-{n:05}-of-00003.parquet" for n in range(3)]
    read = [name for path in paths for name in pq.read_table(path)["piece_id"].to_pylist()]
    assert read == list("01234")
