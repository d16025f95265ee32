"""The walk-throughs of docs/regenerate.md, run as they stand there on tiny sources."""

import math
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import soundfile
import yaml

from pipeline.reading.fonts import font_path
from tests.support.documents import ROOT, blocks
from tests.support.little_run import SETTINGS, write_sources
from tests.support.match_files import match
from tests.support.musicxml import scale, score
from tests.workflow.test_how_to import run_page
from tests.workflow.test_workflow import ENVIRONMENT, command, jobs

TEXT = (ROOT / "docs/regenerate.md").read_text()
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", TEXT, flags=re.MULTILINE | re.DOTALL))


def follow(section: str, folder: Path) -> str:
    """Write the files of a section and run its commands; what they say."""
    said = ""
    for language, text in blocks(SECTIONS[section]):
        if named := re.match(r"# (\S+\.yaml|Snakefile)\n", text):
            (folder / named[1]).write_text(text)
            continue
        text = text.replace("snakemake --cores all", " ".join(command()))
        text = re.sub(r"\bpartimento (?=index|query)", f"{sys.executable} -m partimento ", text)
        own = (folder / "Snakefile").exists()
        if own:  # a workflow that has ours inside
            text = text.replace(str(ROOT / "Snakefile"), "Snakefile")
        run = [sys.executable, "-c", text] if language == "python" else ["bash", "-ec", text]
        done = subprocess.run(
            run, cwd=folder, env=ENVIRONMENT | {"PYTHONPATH": str(ROOT)}, text=True, timeout=300,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        said += done.stdout
    return said


def times(folder: Path, pattern: str) -> dict[Path, float]:
    return {path: path.stat().st_mtime for path in folder.glob(f"results/data/{pattern}")}


def test_a_new_sound_font(workspace):
    folder = workspace
    (folder / "fonts").mkdir()
    shutil.copy(font_path("pretty_midi:TimGM6mb.sf2"), folder / "fonts/steinway.sf2")
    before = times(folder, "*/images/*") | times(folder, "*/shards/*/TimGM6mb*")
    follow("A new sound font", folder)
    assert (folder / "results/data/piano/shards/train/steinway-1.0-0.parquet").exists()
    assert times(folder, "*/images/*") | times(folder, "*/shards/*/TimGM6mb*") == before
    run_page("docs/how-to/sound-font.md")


def test_performances_by_people(folder):
    """The frames are those of the lines of the match file, read here with a pattern."""
    notes = [("C4", 60), ("D4", 62), ("E4", 64), ("G4", 67)] * 4
    bars = [scale(" ".join(name for name, _ in notes[:4]))] * 4
    onsets_s = [0.5 * n + 0.1 * (n % 3) for n in range(16)]
    played = [(f"note{n}", notes[n][1], onset_s) for n, onset_s in enumerate(onsets_s)]
    (folder / "scores").mkdir()
    (folder / "scores/waltz.musicxml").write_text(score(bars))
    (folder / "scores/waltz_lee.match").write_text(match(played))
    follow("Performances by people", folder)
    shards = folder / "results/people/data/piano/shards/test"
    for name in ("TimGM6mb-human-0", "hall-human-0"):
        (row,) = pd.read_parquet(shards / f"{name}.parquet").to_dict("records")
        ticks = re.findall(r"-note\(n\d+,\d+,(\d+),", match(played))
        assert row["performer"] == "lee"
        assert row["frame"].tolist() == [math.ceil(int(tick) / 960 * 20) for tick in ticks]
        assert row["moment"].tolist() == [float(n) for n in range(16)]
        assert sorted(row["x"]) == list(row["x"])
    assert pd.isna(row["tempo_ratio"])


def test_new_tempi(folder):
    before = times(folder, "*/images/*") | times(folder, "*/shards/*/TimGM6mb-1.0*")
    follow("New tempi", folder)
    played = pd.read_parquet(folder / "results/data/piano/shards/train/TimGM6mb-0.5-0.parquet")
    assert (played.tempo_ratio == 0.5).all()
    assert (folder / "results/data/tunes/shards/train/TimGM6mb-0.9-1.1-0.parquet").exists()
    assert times(folder, "*/images/*") | times(folder, "*/shards/*/TimGM6mb-1.0*") == before


def test_my_scores_and_my_recordings(workspace):
    folder = workspace
    shutil.copytree(folder / "works/train", folder / "scores")
    (folder / "recordings").mkdir()
    recording = folder / "results/data/piano/audio/TimGM6mb/1.0/0/train__train.flac"
    shutil.copy(recording, folder / "recordings/my take.flac")
    said = follow("My scores, my recordings held out", folder)
    assert "A Little Piece" in said  # the title of the one piece there is
    assert (folder / "my take-matches.png").stat().st_size > 5_000
    soundfile.write("recording.mp3", *soundfile.read(recording))
    run_page("docs/how-to/own-recordings.md")
    assert (folder / "recording-matches.png").stat().st_size > 5_000


def test_the_data_alone(folder):
    said = follow("The data alone, for a model of one's own", folder)
    assert re.search(r"^train__train TimGM6mb \d+ onsets$", said, flags=re.MULTILINE)
    assert not (folder / "results/models").exists()


def test_inside_another_workflow(tmp_path):
    write_sources(tmp_path)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"partimento": SETTINGS, "mine": 1}))
    (tmp_path / "partimento").symlink_to(ROOT)
    follow("Inside another workflow", tmp_path)
    assert 0 < int((tmp_path / "onsets.txt").read_text()) <= 16


def test_the_catalog_s_entry_runs_the_same_rules(tmp_path):
    def planned(snakefile: str) -> dict[str, int]:
        done = subprocess.run(
            [sys.executable, "-m", "snakemake", "-s", ROOT / snakefile, "--cores", "1", "-n"],
            cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=60,
        )  # fmt: skip
        return {rule: count for rule, count in jobs(done).items() if rule not in ("all", "total")}

    entry = planned("workflow/Snakefile")
    del entry["everything"]
    assert entry == planned("Snakefile")
    assert "select" in entry


def test_every_section_is_followed():
    """A new walk-through wants a test of its own."""
    source = Path(__file__).read_text()
    for section in SECTIONS:
        assert f'follow("{section}"' in source or not blocks(SECTIONS[section]), section
