"""A new sound font or tempo ratio: which jobs a finished run has to do again.

Two short tunes are run once; then Snakemake tells what it would do for another config.
"""

import pandas as pd
import pytest
import yaml

from tests.support import scores
from tests.workflow.test_workflow import jobs, snakemake, write_config

FONT = "pretty_midi:TimGM6mb.sf2"
NEW = ("synthesize", "spectrogram", "shard")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder where `data` has been made: one font plays training pieces at a drawn tempo."""
    folder = tmp_path_factory.mktemp("made")
    font = {"file": FONT, "splits": ["train"], "tempo_ratios": ["0.9-1.1"]}
    write_config(
        folder,
        fonts={"first": font} | dict.fromkeys(["TimGM6mb", "electric", "bright"]),
        collections__tunes__chunks=1,
        collections__piano=None,
    )
    for split in ("train", "test"):
        path = folder / "tunes" / split / "tune.mid"
        path.parent.mkdir(parents=True)
        path.write_bytes(scores.midi(scores.scale(8)))
    run = snakemake(folder, "--", "data")
    assert run.returncode == 0, run.stdout
    return folder


def planned(folder, fonts=None, **performances) -> dict[str, int]:
    """Jobs by rule that a run with these fonts besides the first, and these settings, would do."""
    other = folder / "other.yaml"
    other.write_text(yaml.safe_dump({"fonts": fonts or {}, "performances": performances}))
    run = snakemake(folder, "-n", "--configfile", str(other), "--", "data")
    assert run.returncode == 0, run.stdout
    return {rule: count for rule, count in jobs(run).items() if not rule.endswith(":")}


def expected(performances: int) -> dict[str, int]:
    """So many new performances of the one chunk, the card that counts them, the target `data`."""
    again = dict.fromkeys(["card", "data_provenance", "data"], 1)
    return {**dict.fromkeys(NEW, performances), **again, "total": 3 * performances + 3}


def test_nothing_new_is_nothing_to_do(made):
    assert planned(made) == {}


def test_a_new_font_is_one_line_and_runs_its_own_performances_only(made):
    assert planned(made, {"new": {"file": FONT}}) == expected(1)


def test_a_font_may_have_tempi_of_its_own(made):
    assert planned(
        made, {"new": {"file": FONT, "tempo_ratios": [0.5, 2.0, "0.9-1.1"]}}
    ) == expected(3)


def test_a_new_tempo_leaves_alone_the_fonts_that_have_their_own(made):
    assert planned(made, tempo_ratios=[2.0]) == {"data_provenance": 1, "data": 1, "total": 2}


def test_another_loudness_plays_all_again(made):
    assert planned(made, loudness_db=-20) == expected(1)


def test_only_the_pieces_of_its_splits_are_played(made):
    data = made / "results/data/tunes"
    played = pd.read_parquet(data / "performances/first/0.9-1.1/0.parquet")
    assert played.piece_id.tolist() == ["train__tune"]
    assert 0.9 <= played.tempo_ratio.item() <= 1.1
    shard = pd.read_parquet(data / "shards/train/first-0.9-1.1-0.parquet")
    assert shard.tempo_ratio.item() == played.tempo_ratio.item()


def test_a_range_of_tempi_is_checked_before_anything_runs(made):
    bad = {"fonts": {"first": {"tempo_ratios": ["1.1-0.9"]}}}
    (made / "bad.yaml").write_text(yaml.safe_dump(bad))
    run = snakemake(made, "-n", "--configfile", str(made / "bad.yaml"))
    assert run.returncode != 0
    assert "fonts.first: tempo ratio 1.1-0.9: it must be above 0" in run.stdout
