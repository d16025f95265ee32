"""What the documentation tells people to type works as it stands."""

import os
import re
import shlex
from pathlib import Path

import pytest

from partimento import cli
from partimento.commands import COMMANDS, PARENTS
from tests.support import performances, staves

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
NETWORK = ROOT / "models/weights/retrieval.safetensors"


def blocks(text: str, language: str = "") -> list[str]:
    """The blocks of code of a page; commands have no language."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    return [block for kind, block in found if kind == language]


def write_shards(folder: Path, tempo_ratios: tuple[float, ...] = (1.0,)) -> None:
    """The shards of a test split with three pieces."""
    for tempo_ratio in tempo_ratios:
        rows = [
            performances.performance(
                f"piece{n}", split="test", font="bright", tempo_ratio=tempo_ratio, seed=n
            )
            for n in range(3)
        ]
        name = f"results/data/piano/shards/test/bright-{tempo_ratio}-0.parquet"
        staves.write_shard(folder / name, rows)


@pytest.mark.slow
def test_the_blocks_for_notebooks_run_in_order(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_shards(tmp_path)
    names: dict = {}
    for block in blocks((ROOT / "docs/api.md").read_text(), "python"):
        exec(block, names)
    assert (tmp_path / "page.png").stat().st_size > 1_000
    alignment = names["alignment"]
    assert alignment["x"].is_monotonic_increasing
    assert alignment["seconds"].iloc[-1] == pytest.approx(len(names["samples"]) / 44_100, abs=0.1)
    assert "piece0" in capsys.readouterr().out


def test_the_blocks_for_notebooks_are_short():
    found = blocks((ROOT / "docs/api.md").read_text(), "python")
    assert len(found) >= 7
    for block in found:
        assert len([line for line in block.splitlines() if line]) <= 12


@pytest.mark.slow
def test_a_network_is_evaluated_as_documented(tmp_path, monkeypatch):
    """With the weights that ship, up to tables with the paper's numbers beside ours."""
    monkeypatch.chdir(tmp_path)
    write_shards(tmp_path, (0.5, 1.0))
    (tmp_path / "models/weights").mkdir(parents=True)
    (tmp_path / "models/weights/retrieval.safetensors").symlink_to(NETWORK)
    text = (ROOT / "docs/commands.md").read_text().split("## Evaluate a network")[1]
    (block,) = blocks(text)
    for line in filter(None, block.splitlines()):
        if assigned := re.fullmatch(r"(\w)=(\S+)", line):
            monkeypatch.setenv(*assigned.groups())
            continue
        program, *words = shlex.split(os.path.expandvars(line))
        assert program == "partimento"
        cli.run([file for word in words for file in expanded(word)])
    table = (tmp_path / "tables/retrieval.md").read_text()
    assert "48.91" in table, "the paper's R@1"
    assert (tmp_path / "tables/alignment.csv").exists()


def expanded(word: str) -> list[str]:
    """The files that a pattern names, as a shell has it; any other word as it is."""
    return sorted(map(str, Path().glob(word))) if "*" in word else [word]


def test_every_command_on_a_page_exists():
    for page in PAGES:
        for first, second in re.findall(
            r"(?<!import )partimento ([a-z]\S*)(?: (\S+))?", code(page)
        ):
            assert first in PARENTS or first in COMMANDS, page
            if first in PARENTS and second and re.fullmatch("[a-z][a-z-]+", second):
                assert f"{first} {second}" in COMMANDS, page


def code(page: Path) -> str:
    """What a page shows as commands, comments left out."""
    text = page.read_text()
    rest = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub("#.*", "", "\n".join([*blocks(text), *re.findall(r"`([^`\n]+)`", rest)]))


def test_every_command_is_documented():
    text = (ROOT / "docs/commands.md").read_text()
    for name in COMMANDS:
        parent, _, own = name.rpartition(" ")
        assert f"partimento {parent or own}" in text or f"`{own}`" in text, name


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
