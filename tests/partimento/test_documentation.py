"""The blocks of docs/api.md run as they stand, in order."""

import re
from pathlib import Path

import pytest

from tests.support import performances, staves

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = re.findall(
    r"^```python\n(.*?)^```$", (ROOT / "docs/api.md").read_text(), flags=re.MULTILINE | re.DOTALL
)


@pytest.mark.slow
def test_the_blocks_run_as_they_stand(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rows = [performances.performance(f"piece{n}", split="test", seed=n) for n in range(3)]
    staves.write_shard(tmp_path / "results/data/piano/shards/test/bright-1.0-0.parquet", rows)
    names: dict = {}
    for block in BLOCKS:
        exec(block, names)
    assert (tmp_path / "page.png").stat().st_size > 1_000
    alignment = names["alignment"]
    assert alignment["x"].is_monotonic_increasing
    assert alignment["seconds"].iloc[-1] == pytest.approx(len(names["samples"]) / 44_100, abs=0.1)
    assert "piece0" in capsys.readouterr().out


def test_every_block_is_short():
    assert len(BLOCKS) >= 7
    for block in BLOCKS:
        assert len([line for line in block.splitlines() if line]) <= 12
