"""A whole run of retrieval on five tiny scores: from scores to the paper's tables, and a query."""

import subprocess
import sys

import pandas as pd
import pytest
import yaml

from tests.support import piano
from tests.workflow.test_workflow import ENVIRONMENT, ROOT, jobs, snakemake, write_config

SPLITS = {"train": 3, "valid": 1, "test": 2}  # scores in each
FEW = {"epochs": 2, "epoch_samples": 80, "batch_size": 40, "valid_samples": 40}
TRAINING = {"training": {"paper": FEW, "PT": FEW | {"onsets": 8}}}
MODELS = ["PT", "BL2-SC", "BL2-SC+AT"]
SETTINGS = {
    "networks": MODELS,
    "refinement": {"samples": 80},
    "evaluation": {"protocols": ["fixed", "2019"]},
    "figures_from": 100,  # pairs, of the 160 of each training
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder where the workflow ran from scores to tables."""
    folder = tmp_path_factory.mktemp("retrieval")
    write_config(
        folder,
        collections__tunes=None,
        collections__piano__split="source",
        score_following=None,
        retrieval=TRAINING | SETTINGS,
        fonts={},
    )
    write_scores(folder)
    run = snakemake(folder)
    assert run.returncode == 0, run.stdout
    return folder


def write_scores(folder):
    """Scores long enough to learn from, in three splits."""
    for split, count in SPLITS.items():
        for number in range(count):
            path = folder / "scores" / split / f"{split}{number}.ly"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(piano.varied(12, seed=10 * ord(split[1]) + number))


def test_scores_become_the_papers_tables_and_figures(finished):
    tables = finished / "results/tables"
    for name in ("retrieval", "tempo_robustness", "identification", "alignment"):
        for kind in ("md", "csv", "tex", "html"):
            assert (tables / f"{name}.{kind}").stat().st_size > 50
    figures = finished / "results/figures"
    for name in ("attention_within_piece", "attention_examples", "attention_entropy",
                 "retrieval_example", "retrieval_history", "retrieval_tempo"):  # fmt: skip
        for kind in ("png", "pdf"):
            assert (figures / f"{name}.{kind}").stat().st_size > 1_000


def test_every_model_is_evaluated_at_every_tempo_both_ways(finished):
    metrics = pd.read_parquet(finished / "results/predictions/retrieval/metrics.parquet")
    keys = ["model", "projection", "protocol", "tempo_ratio", "direction"]
    assert set(metrics.model) == {*MODELS, "PT, shipped"}
    assert len(metrics[keys].drop_duplicates()) == (len(MODELS) + 1) * 2 * 2 * 5 * 2
    assert (metrics.n_pieces <= SPLITS["test"]).all() and (metrics.n_pairs > 10).all()


def test_a_second_run_has_nothing_to_do(finished):
    assert "Nothing to be done" in snakemake(finished, "-n").stdout


def test_another_model_trains_that_one_alone(finished):
    config = {"retrieval": {"networks": [*MODELS, "BL1-SC"]}}
    (finished / "other.yaml").write_text(yaml.safe_dump(config))
    planned = jobs(snakemake(finished, "-n", "--configfile", "other.yaml"))
    stages = ("retrieval_train", "retrieval_refine", "retrieval_embed", "retrieval_evaluate")
    assert [planned.get(stage) for stage in stages] == [1] * len(stages)
    assert not {"select", "engrave", "synthesize", "shard", "retrieval_pairs"} & planned.keys()


def models(*arguments: str, folder) -> subprocess.CompletedProcess:
    """Run a command of the learning half."""
    return subprocess.run(
        [sys.executable, "-m", "partimento", *arguments],
        cwd=folder,
        env=ENVIRONMENT | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_recording_finds_snippets_in_an_index_of_the_shards(finished):
    data = finished / "results/data/piano"
    shards = [str(path) for path in sorted(data.glob("shards/test/bright-1.0-*.parquet"))]
    weights = str(finished / "results/models/retrieval/BL2-SC+AT-refined.safetensors")
    made = models(
        "index", "--shards", str(shards).replace("'", '"'), "--weights", weights,
        "--out", "scores.index", folder=finished,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    recording = next(data.glob("audio/bright/1.0/0/*.flac"))
    asked = models(
        "query", str(recording), "--index", "scores.index", "--weights", weights,
        "--out", "matches.png", folder=finished,
    )  # fmt: skip
    assert asked.returncode == 0, asked.stderr
    assert "A Little Piece" in asked.stdout  # the title in the scores
    assert (finished / "matches.png").stat().st_size > 5_000


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"test_font": "gone"}, "retrieval.test_font: 'gone' is not one of"),
        ({"test_font": "electric"}, "'electric' does not play the test split of piano"),
        ({"collection": "songs"}, "retrieval.collection: 'songs' is not one of piano"),
        ({"networks": ["BL3"]}, "retrieval.networks.0: must be one of BL1-SC"),
        ({"training": {"paper": {"batch_size": 32}}}, "batch_size: must be at least 34, not 32"),
    ],
)
def test_a_bad_setting_is_told_before_anything_runs(finished, changes, sentence):
    (finished / "bad.yaml").write_text(yaml.safe_dump({"retrieval": changes}))
    run = snakemake(finished, "-n", "--configfile", "bad.yaml")
    assert run.returncode != 0
    assert sentence in run.stdout
    assert "Traceback" not in run.stdout
