"""What the documentation tells people to type works as it stands."""

import re
import runpy
from pathlib import Path

import pytest

from partimento.commands import COMMANDS, PARENTS
from tests.support import performances, staves
from tests.support.documents import PAGES, ROOT, written_in


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
    for block in written_in((ROOT / "docs/api.md").read_text(), "python"):
        exec(block, names)
    assert (tmp_path / "page.png").stat().st_size > 1_000
    alignment = names["alignment"]
    assert alignment["x"].is_monotonic_increasing
    assert alignment["seconds"].iloc[-1] == pytest.approx(len(names["samples"]) / 44_100, abs=0.1)
    assert "piece0" in capsys.readouterr().out


def test_the_blocks_for_notebooks_are_short():
    found = written_in((ROOT / "docs/api.md").read_text(), "python")
    assert len(found) >= 7
    for block in found:
        assert len([line for line in block.splitlines() if line]) <= 12


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
    return re.sub("#.*", "", "\n".join([*written_in(text, ""), *re.findall(r"`([^`\n]+)`", rest)]))


def test_every_command_is_documented():
    text = (ROOT / "docs/commands.md").read_text()
    for name in COMMANDS:
        parent, _, own = name.rpartition(" ")
        assert f"partimento {parent or own}" in text or f"`{own}`" in text, name


@pytest.mark.parametrize("name", ["architecture", "road"])
def test_a_drawing_is_what_its_script_draws(name, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    script = runpy.run_path(str(ROOT / f"docs/draw_{name}.py"))
    assert (ROOT / f"docs/{name}.svg").read_text() == script["drawing"]()


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
