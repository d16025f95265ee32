"""What the pages tell people to type, run as it stands there, in order, on tiny inputs.

Two pages go on from a walk-through of docs/regenerate.md, and run in test_walkthroughs.py.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import soundfile
from PIL import Image

from partimento import cli
from pipeline.images import grey
from tests.support import scores
from tests.support.documents import PAGES, ROOT, blocks, commands, lines, split
from tests.support.little_run import SONATA, sonata

# A command that two pages have is run on the first of them.
RUN = [
    "docs/how-to/own-scores.md",
    "docs/how-to/search.md",
    "docs/how-to/train.md",
    "docs/how-to/publish.md",
    "docs/follow.md",
    "docs/commands.md",
    "docs/retrieval.md",
    "README.md",
]
WALKED = ["docs/regenerate.md", "docs/how-to/own-recordings.md", "docs/how-to/sound-font.md"]
# Commands that train for minutes, or make all data again: here they list their jobs (-n).
LISTED = r"partimento run( --config \S+| data --config mine.yaml seed=7)"
NOT_RUN = {  # a pattern of commands: why no test runs them
    r"partimento retrieval (mix|train-segments) .*(third|half|FOURTH|fourth)\b.*":
        "needs the weights of trainings of an hour and more",
    r"make\b.*": "sets up a virtual environment of its own and runs for minutes to hours",
    r"source .*": "enters that environment",
    r"pip install .*": "downloads packages",
    r"podman save .*|(podman|apptainer) build .*":
        "downloads an image; tests/image builds it on request",
    r"partimento run": "trains for minutes; `partimento run -n` lists the same jobs",
    r".*profiles/slurm.*": "needs a cluster; tests/cluster has one on request",
    r"partimento run data --config config/.*": "downloads the data, and runs for hours",
    r".*results/(msmd|human)/.*": "reads the results of such a run",
    r"partimento retrieval .*(\$TRAIN|\$MSMD|\$S/test/|(BL2-SC|PT)(-refined)?\.safetensors).*":
        "trains on those for an hour, or reads what that leaves",
    r"partimento score-following .*": "reads what a training of minutes leaves",
    r".* \.\.\.": "is cut short on the page",
}  # fmt: skip
WRITE = {"--out", "--video", "--table"}  # options that name files to write


def reason(command: str) -> str | None:
    """Why no test runs a command; None if one does."""
    return next((why for what, why in NOT_RUN.items() if re.fullmatch(what, command)), None)


def typed(page: str | Path) -> set[str]:
    """The commands of a page."""
    return {" ".join(words) for words in commands((ROOT / page).read_text())}


def run_page(page: str, but: set[str] = frozenset()) -> None:
    """Write a page's files of settings and run its commands, in order, in the present folder.

    `but`: commands that are passed over, as are those of NOT_RUN.
    """
    for language, block in blocks((ROOT / page).read_text()):
        if named := re.match(r"# (\S+\.yaml)\n", block):
            Path(named[1]).write_text(block)
        elif language == "python":
            subprocess.run([sys.executable, "-c", block], check=True, timeout=120)
        elif not language:
            for line in lines(block):
                run_line(line, but)


def run_line(line: str, but: set[str]) -> None:
    """Run a line as a shell would, but our commands in this process, which saves their start."""
    if assigned := re.fullmatch(r"(\w+)=(\S+)", line):
        os.environ[assigned[1]] = assigned[2]
        return
    found = [" ".join(words) for words in split(line)]
    if all(command in but or reason(command) for command in found):
        return
    line = line.replace("PIECE", SONATA)
    if "|" in line:
        ours = f'partimento() {{ {shlex.quote(sys.executable)} -m partimento "$@"; }}\n'
        subprocess.run(["bash", "-ec", f"set -o pipefail\n{ours}{line}"], check=True, timeout=120)
        return
    program, *words = shlex.split(os.path.expandvars(line))
    assert program == "partimento"
    words = [file for word in words for file in matching(word)]
    cli.run([*words, "-n"] if re.fullmatch(LISTED, line) else words)
    for path in written(words):
        assert path.is_dir() or path.stat().st_size, f"{line}: {path} is empty"


def matching(word: str) -> list[str]:
    """The files that a pattern names, as a shell has it; any other word as it is."""
    return sorted(map(str, Path().glob(word))) if "*" in word else [word]


def written(words: list[str]) -> list[Path]:
    """The files that a command was told to write."""
    found, writes = [], False
    for word in words:
        writes = word in WRITE if word.startswith("--") else writes
        found += [Path(word)] if writes and not word.startswith("--") else []
    return found


def write_recordings() -> None:
    """The sonata as it sounds in several formats, and its page as a scan."""
    data = Path("results/data/piano")
    shutil.copy(data / f"audio/bright/1.0/0/{SONATA}.flac", "take.flac")
    samples, rate = soundfile.read("take.flac")
    soundfile.write("recording.mp3", samples, rate)
    subprocess.run(
        ["ffmpeg", "-loglevel", "error", "-i", "take.flac", "-t", "8", "concert.mp4"], check=True
    )
    images = pd.read_parquet(data / "images/0.parquet").set_index("piece_id")
    Image.fromarray(grey(images.loc[[SONATA]].png.iloc[0])).save("scan.pdf")
    Path("sonata.musicxml").write_text(sonata())


def write_own_files() -> None:
    """Scores, tunes, shards, settings, and what a training would have left."""
    for name in ("scores", "midi", "shards"):
        Path(name).mkdir()
    Path(f"scores/{SONATA}.musicxml").write_text(sonata())
    Path("midi/tune.mid").write_bytes(scores.midi(scores.scale(16)))
    shard = shutil.copy("results/data/piano/shards/test/bright-1.0-0.parquet", "shards")
    Path("shards.txt").write_text(f"{shard}\n")
    for name in ("my.yaml", "mine.yaml"):
        Path(name).write_text("seed: 7\n")
    network = ROOT / "models/weights/retrieval.safetensors"
    for source, target in (
        (network, "models/weights/retrieval.safetensors"),
        (network, "results/mine/models/retrieval/PT.safetensors"),
        (shard, "results/mine/data/piano/shards/test/bright-1.0-0.parquet"),
    ):
        Path(target).parent.mkdir(parents=True)
        shutil.copy(source, target)


@pytest.mark.parametrize("page", RUN)
def test_the_commands_of_a_page_run(page, workspace):
    Path("config.yaml").unlink()  # the pages' settings lie over the project's own
    write_recordings()
    write_own_files()
    before = RUN[: RUN.index(page)]
    run_page(page, set().union(*map(typed, before)))


def test_every_command_is_run_or_there_is_a_reason():
    run = set().union(*map(typed, [*RUN, *WALKED]))
    for page in PAGES:
        for command in typed(page) - run:
            assert reason(command), f"{page}: {command}"


def test_every_reason_is_needed():
    every = set().union(*map(typed, PAGES))
    for pattern in NOT_RUN:
        assert any(re.fullmatch(pattern, command) for command in every), pattern
