"""The record of a run: what it was made of, by what, and a digest of what came out."""

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from pipeline.describing import provenance
from tests.support import scores

ROOT = Path(__file__).parents[3]


@pytest.fixture
def settings(tmp_path):
    """Settings of a run of one tune, and files as its stages would leave them."""
    (tmp_path / "tunes").mkdir()
    (tmp_path / "tunes/a.mid").write_bytes(scores.midi(scores.scale(16)))
    results = tmp_path / "results"
    for name, content in {
        "data/tunes/pieces/0.parquet": b"pieces",
        "data/tunes/images/.0.parquet.abc/0.parquet": b"half a file of a killed job",
        "tables/table.md": b"| a |\n",
    }.items():
        (results / name).parent.mkdir(parents=True, exist_ok=True)
        (results / name).write_bytes(content)
    head = "s\th:m:s\tmax_rss\tcpu_time\n"
    for name, line in {
        "tunes/engrave/0.tsv": "2.5\t0:00:02\t100.0\t2.0\n",
        "tunes/engrave/1.tsv": "1.5\t0:00:01\t200.0\t1.0\n",
        "retrieval/train-BL2-SC.tsv": "9.0\t0:00:09\t400.0\t8.0\n",
    }.items():
        (results / "logs" / name).parent.mkdir(parents=True, exist_ok=True)
        (results / "logs" / name).write_text(head + line)
    return {
        "results": str(results),
        "downloads": "downloads",
        "performances": {"tempo_ratios": [1.0]},
        "collections": {"tunes": {"source": str(tmp_path / "tunes"), "layout": "staves"}},
        "fonts": {"piano": {"file": "pretty_midi:TimGM6mb.sf2"}},
    }


def recorded(settings, folders, **more) -> dict:
    out = Path(settings["results"], "provenance.json")
    provenance.provenance(settings, folders, out, **more)
    return json.loads(out.read_text())


def test_every_output_has_its_digest_and_half_files_are_none(settings):
    outputs = recorded(settings, ["data", "tables"])["outputs"]
    assert outputs == {
        "data/tunes/pieces/0.parquet": {
            "bytes": 6, "sha256": hashlib.sha256(b"pieces").hexdigest()
        },
        "tables/table.md": {"bytes": 6, "sha256": hashlib.sha256(b"| a |\n").hexdigest()},
    }  # fmt: skip


def test_a_record_takes_in_another(settings, tmp_path):
    data = tmp_path / "data.json"
    provenance.provenance(settings, ["data"], data)
    assert recorded(settings, ["tables"], beside=[data])["outputs"].keys() == {
        "data/tunes/pieces/0.parquet",
        "tables/table.md",
    }


def test_jobs_are_counted_by_stage(settings):
    assert recorded(settings, [])["jobs"] == {
        "retrieval/train": {"jobs": 1, "seconds": 9.0, "peak_mb": 419},
        "engrave": {"jobs": 2, "seconds": 4.0, "peak_mb": 210},
    }


def test_memory_that_snakemake_cannot_measure_is_no_number(settings):
    """As on macOS."""
    job = Path(settings["results"], "logs/tunes/select/0.tsv")
    job.parent.mkdir()
    job.write_text("s\th:m:s\tmax_rss\tcpu_time\n2.5\t0:00:02\tNA\tNA\n")
    jobs = recorded(settings, [])["jobs"]
    assert jobs["select"] == {"jobs": 1, "seconds": 2.5, "peak_mb": None}


def test_a_changed_source_has_another_digest(settings):
    before = recorded(settings, [])["sources"]
    tune = Path(settings["collections"]["tunes"]["source"], "a.mid")
    tune.write_bytes(scores.midi(scores.scale(17)))
    after = recorded(settings, [])["sources"]
    assert before["collections.tunes"] != after["collections.tunes"]
    assert before["collections.tunes"]["files"] == 1
    assert before["fonts.piano"] == after["fonts.piano"]


def test_recordings_are_sources_too_and_one_that_is_missing_is_no_fault(settings, tmp_path):
    (tmp_path / "recordings.csv").write_text("piece,file\na,one.wav\na,lost.wav\n")
    (tmp_path / "one.wav").write_bytes(b"sound")
    settings["collections"]["tunes"]["recordings"] = str(tmp_path / "recordings.csv")
    before = recorded(settings, [])["sources"]["collections.tunes.recordings"]
    assert before["files"] == 2
    (tmp_path / "one.wav").write_bytes(b"other sound")
    assert recorded(settings, [])["sources"]["collections.tunes.recordings"] != before


def test_commit_and_versions_are_there(settings):
    found = recorded(settings, [])
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if head.returncode:  # unpacked from an archive, without git
        assert found["commit"] is None
    else:
        assert found["commit"]["hash"] == head.stdout.strip()
    assert found["versions"]["snakemake"] and found["versions"]["fluidsynth"].startswith("2.")
    assert found["settings"] == settings


@pytest.mark.parametrize("within", [False, True])
def test_the_commit_is_never_that_of_a_repository_around_the_project(
    settings, tmp_path, monkeypatch, within
):
    """Such as one of somebody's thesis, in which the project was unpacked."""
    repository = tmp_path / "thesis"
    project = repository / "vendor/partimento" if within else repository
    project.mkdir(parents=True)
    git = ["git", "-C", str(repository), "-c", "user.name=A", "-c", "user.email=a@b.c"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "mine"], check=True)
    monkeypatch.setattr(provenance, "PROJECT", project)
    assert (recorded(settings, [])["commit"] is None) == within
