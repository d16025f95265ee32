"""Whatever dies, fills up or is cut short at whatever stage: the next run ends like one that was
not disturbed, to the byte. Run by `make test-faults`.

One tiny workflow, tunes and scores to the tables of both papers, is run once undisturbed; its
record of provenance has the digest of every output, and each faulty run must come to the same.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
import yaml

from pipeline.reading.archives import contents_digest
from pipeline.reading.fetching import MIRROR
from pipeline.reading.fonts import font_path
from tests.support.runs import differing, outputs
from tests.workflow.test_retrieval import SETTINGS, TRAINING, write_scores
from tests.workflow.test_workflow import ENVIRONMENT, ROOT, command, write_config, write_tunes

INJECTED = Path(__file__).parent / "injected"
STAGES = {
    "select", "engrave", "synthesize", "spectrogram", "shard", "card", "provenance",
    "score_following-train", "score_following-predict", "score_following-evaluate",
    "score_following-table", "score_following-errors", "score_following-example",
    "score_following-history", "score_following-staves",
    "retrieval-train", "retrieval-refine", "retrieval-choose", "retrieval-embed",
    "retrieval-evaluate", "retrieval-identify", "retrieval-align", "retrieval-tables",
    "retrieval-curves", "retrieval-example", "retrieval-attention",
}  # fmt: skip
MANY = 60  # runs; each that is killed gets a stage further


def prepare(folder: Path, **changes) -> Path:
    """Sources and settings of the tiny workflow."""
    folder.mkdir(exist_ok=True)
    write_tunes(folder)
    write_scores(folder)
    font = folder / "grand.sf2"
    if not font.exists():
        shutil.copy(font_path("pretty_midi:TimGM6mb.sf2"), font)
    settings = {
        "collections__piano__split": "source",
        "retrieval": TRAINING
        | SETTINGS
        | {"networks": ["BL2-SC+AT"], "evaluation": {"protocols": ["fixed"]}},
        "fonts": {
            "TimGM6mb": {"file": "grand.sf2"},
            "electric": None,
            "bright": {"file": "grand.sf2", "tempo_ratios": [0.5, 1.0]},
        },
    }
    write_config(folder, **settings | changes)
    return folder


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """Snakemake in a group of processes of its own; what it says is in `stdout`."""
    return subprocess.run(
        command(*arguments), cwd=folder, env=ENVIRONMENT | environment, text=True, timeout=600,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


def repair(folder: Path, **environment: str) -> str:
    """Set aside what is corrupt, as `make run` does before Snakemake; returns what it said."""
    path = os.pathsep.join([environment.pop("PYTHONPATH", ""), str(ROOT)]).lstrip(os.pathsep)
    done = subprocess.run(
        [sys.executable, "-m", "partimento", "verify", "--repair"], cwd=folder, text=True,
        env=ENVIRONMENT | environment | {"PYTHONPATH": path}, timeout=120,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def unlock(folder: Path) -> None:
    """What one does after a kill -9, which leaves Snakemake's lock behind."""
    assert run(folder, "--unlock").returncode == 0


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = prepare(tmp_path_factory.mktemp("undisturbed") / "run")
    done = run(folder)
    assert done.returncode == 0, done.stdout
    return folder


def test_each_stage_may_be_killed_at_its_first_and_second_output(undisturbed, tmp_path):
    folder, faults = prepare(tmp_path / "run"), tmp_path / "faults"
    faults.mkdir()
    environment = {"FAULT": "worker", "FAULTS": str(faults), "FAULT_TIMES": "2"}
    done = run(folder, "--retries", "2", PYTHONPATH=str(INJECTED), **environment)
    if done.returncode:  # what needs a failed job's outputs is left to the next run
        done = run(folder)
    assert done.returncode == 0, done.stdout
    assert {path.name[:-2] for path in faults.iterdir()} == STAGES
    assert differing(folder, undisturbed) == []


def test_everything_may_be_killed_at_each_stage(undisturbed, tmp_path):
    folder, faults = prepare(tmp_path / "run"), tmp_path / "faults"
    faults.mkdir()
    environment = {"FAULT": "all", "FAULTS": str(faults), "FAULT_TIMES": "1"}
    for _ in range(MANY):
        done = run(folder, PYTHONPATH=str(INJECTED), **environment)
        if done.returncode != -signal.SIGKILL:
            break
        unlock(folder)
    assert done.returncode == 0, done.stdout
    assert {path.name[:-2] for path in faults.iterdir()} == STAGES
    assert differing(folder, undisturbed) == []


def cut(path: Path, share: float) -> None:
    """Shorten a file to a share of its length."""
    os.truncate(path, int(share * path.stat().st_size))


@pytest.mark.parametrize("share", [0, 0.5])
def test_every_output_may_be_cut_short(undisturbed, tmp_path, share):
    """A file of every kind at once: of each folder of the results the first and the last."""
    folder = tmp_path / "run"
    shutil.copytree(undisturbed, folder, symlinks=True)
    expected = outputs(folder)
    kinds: dict[tuple, list[str]] = {}
    for name in expected:
        kinds.setdefault((Path(name).parent, Path(name).suffix), []).append(name)
    for names in kinds.values():
        for name in {names[0], names[-1]}:
            cut(folder / "results" / name, share)
    said = repair(folder)
    assert said.count("is set aside as") > len(kinds)
    done = run(folder)
    assert done.returncode == 0, done.stdout
    assert differing(folder, undisturbed) == []
    for name, entry in outputs(folder).items():
        assert (folder / "results" / name).stat().st_size == entry["bytes"]


def test_a_sound_font_that_vanishes_is_told_and_nothing_is_lost(undisturbed, tmp_path):
    folder = prepare(tmp_path / "run")
    font = folder / "grand.sf2"
    hidden = font.rename(folder / "hidden")
    shutil.copy(hidden, font)
    begun = subprocess.Popen(command(), cwd=folder, env=ENVIRONMENT, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True)  # fmt: skip
    notes = folder / "results/data/tunes/notes/0.parquet"
    while not notes.exists() and begun.poll() is None:
        time.sleep(0.05)
    font.unlink()
    said, _ = begun.communicate(timeout=300)
    assert begun.returncode != 0 and "grand.sf2" in said
    engraved = notes.stat().st_mtime
    told = run(folder)
    assert told.returncode != 0
    assert "fonts.TimGM6mb: sound font grand.sf2: no file grand.sf2" in told.stdout
    hidden.rename(font)
    os.utime(font, (0, 0))  # the same font is back, no newer than what was made with it
    done = run(folder)
    assert done.returncode == 0, done.stdout
    assert notes.stat().st_mtime == engraved
    assert differing(folder, undisturbed) == []


def fetched(folder: Path) -> dict[str, str]:
    """Has the tunes come in an archive from a mirror; returns what a run needs to know of it."""
    prepare(folder, collections__tunes__source="little", retrieval=None)
    archive = folder / "mirror" / "Little.zip"
    archive.parent.mkdir()
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted((folder / "tunes").rglob("*.mid")):
            file.write(path, Path("Little", *path.relative_to(folder / "tunes").parts))
    entry = {"title": "a few tunes", "file": archive.name, "url": "file:///nowhere/Little.zip"}
    entry |= {"digest": contents_digest(archive), "licence": "CC0", "layout": "staves"}
    (folder / "catalogue.yaml").write_text(yaml.safe_dump({"little": entry}))
    return {
        "PYTHONPATH": str(INJECTED),
        "CATALOGUE": str(folder / "catalogue.yaml"),
        MIRROR: str(archive.parent),
    }


def flip(path: Path) -> None:
    """Change what a member of an archive holds, not its directory."""
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [flip, lambda path: cut(path, 0.5), lambda path: cut(path, 0)],
    ids=["flipped", "halved", "emptied"],
)
def test_a_damaged_archive_is_fetched_again(tmp_path, damage):
    """Before it was read, and after, when a table that was made from it is lost too."""
    expected, folder = tmp_path / "expected", tmp_path / "run"
    done = run(expected, **fetched(expected))
    assert done.returncode == 0, done.stdout
    environment = fetched(folder)
    archive = folder / "downloads" / "little.zip"
    assert run(folder, str(archive.relative_to(folder)), **environment).returncode == 0
    for _ in range(2):
        damage(archive)
        assert "little.zip is set aside as little.zip.damaged" in repair(folder, **environment)
        done = run(folder, **environment)
        assert done.returncode == 0, done.stdout
        assert differing(folder, expected) == []
        (folder / "results/data/tunes/notes/0.parquet").unlink()


FILLING = """
set -e
mount -t tmpfs -o size=$1 results "$2/results"
shift; cd "$1"; shift
for size in {sizes}; do
    mount -o remount,size=$size results results
    if "$@" > ../log 2>&1; then cp -a results ../copied; echo "done at $size"; exit; fi
    grep -q -i "no space left" ../log || exit 1
    echo "full at $size"
done
exit 1
"""


def test_a_disk_may_fill_up_again_and_again(undisturbed, tmp_path):
    """The results lie on a small file system in memory, which grows after each failure."""
    folder = prepare(tmp_path / "run")
    (folder / "results").mkdir()
    sizes = " ".join(f"{256 * 2**step}k" for step in range(14))
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "bash", "-c", FILLING.format(sizes=sizes),
         "bash", "256k", str(folder), *command()],
        env=ENVIRONMENT, capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + (tmp_path / "log").read_text()
    assert done.stdout.count("full at") > 3, done.stdout
    (folder / "results").rmdir()
    (tmp_path / "copied").rename(folder / "results")
    assert differing(folder, undisturbed) == []
