"""Croissant: MLCommons' own validator takes the description, and reads the data through it."""

import hashlib
import io
import json
import logging

import mlcroissant
import pytest
from PIL import Image

from pipeline import tables
from pipeline.describing import croissant
from tests.support import collection

SPLITS = ["train", "test"]
LICENCES = ["CC0", "Public Domain"]


@pytest.fixture
def described(tmp_path):
    """A tiny data set with its description, as mlcroissant sees it."""
    collection.write(tmp_path)
    path = tmp_path / "croissant.json"
    sets = [
        croissant.Records(
            split,
            tables.SHARDS,
            f"shards/{split}/*.parquet",
            sorted((tmp_path / "shards" / split).iterdir()),
        )
        for split in SPLITS
    ]
    croissant.write("own", sets, LICENCES, path)
    return mlcroissant.Dataset(jsonld=path), path


def test_the_validator_has_nothing_to_say(described, caplog):
    with caplog.at_level(logging.WARNING):
        found = mlcroissant.Dataset(jsonld=described[1]).metadata.ctx
    assert not found.issues.errors
    assert not found.issues.warnings
    assert not caplog.records  # it warns of a context that is not the standard's
    assert found.is_v1_1()


def test_the_validator_would_tell_of_a_file_set_without_files(described):
    _, path = described
    broken = json.loads(path.read_text())
    del broken["distribution"][-1]["includes"]
    path.write_text(json.dumps(broken))
    with pytest.raises(mlcroissant.ValidationError, match="includes"):
        mlcroissant.Dataset(jsonld=path)


def test_the_first_record_is_the_first_row_of_the_split(described):
    dataset, path = described
    (split_file,) = (path.parent / "shards" / "test").iterdir()
    (row,) = tables.read(split_file, tables.SHARDS).to_pylist()
    record = next(iter(dataset.records("test")))
    assert set(record) == {f"test/{name}" for name in tables.SHARDS.names}
    assert record["test/piece_id"] == b"fugue"  # mlcroissant reads text as bytes
    assert record["test/spectrogram"] == pytest.approx(row["spectrogram"])
    assert record["test/frame"] == row["frame"]
    assert record["test/x"] == pytest.approx(row["x"])
    assert [image.tobytes() for image in record["test/images"]] == [
        Image.open(io.BytesIO(png)).tobytes() for png in row["images"]
    ]


def test_only_the_files_of_a_split_belong_to_it(described):
    pieces = {record["train/piece_id"] for record in described[0].records("train")}
    assert pieces == {b"waltz", b"march"}


def test_columns_are_described_with_their_unit_and_type(described):
    (train, _) = json.loads(described[1].read_text())["recordSet"]
    fields = {field["name"]: field for field in train["field"]}
    assert fields["tempo_ratio"]["description"].startswith("tempo ratio, 2 is twice as fast")
    assert fields["x"]["description"].endswith("(px)")
    assert fields["x"]["dataType"] == "cr:Float32" and fields["x"]["isArray"]
    assert fields["x"]["arrayShape"] == "-1" and "isArray" not in fields["tempo_ratio"]


def test_the_description_cites_both_papers_and_tells_the_licences(described):
    metadata = described[0].metadata
    assert metadata.license == LICENCES
    first, second = metadata.cite_as.splitlines()
    assert "author = {Dorfer, Matthias and Arzt, Andreas and Widmer, Gerhard}" in first
    assert "Tempo-invariant" in second and "year = {2019}" in second


def test_shards_may_lie_on_another_disk(described, tmp_path_factory):
    _, path = described
    before = json.loads(path.read_text())
    elsewhere = tmp_path_factory.mktemp("disk") / "shards"
    (path.parent / "shards").rename(elsewhere)
    (path.parent / "shards").symlink_to(elsewhere)
    files = sorted((path.parent / "shards/test").iterdir())
    sets = [croissant.Records("test", tables.SHARDS, "shards/test/*.parquet", files)]
    listed = croissant.describe("own", sets, LICENCES, path.parent)["distribution"]
    assert listed[0] in before["distribution"]


def test_every_file_is_listed_with_its_digest(described):
    _, path = described
    listed = {
        entry["contentUrl"]: entry["sha256"]
        for entry in json.loads(path.read_text())["distribution"]
        if entry["@type"] == "cr:FileObject"
    }
    files = {
        file.relative_to(path.parent).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for split in SPLITS
        for file in (path.parent / "shards" / split).iterdir()
    }
    assert listed == files
