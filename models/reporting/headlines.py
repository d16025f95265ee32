"""The numbers of a run that come first: of each paper the best network, beside its number."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from models import frames
from models.score_following.report import NETWORKS
from pipeline.describing import last_run
from pipeline.planning.learning_files import SHIPPED
from pipeline.planning.progress import duration

FOLLOWING, RETRIEVAL = "score_following", "retrieval"
# Examples seen; a network that has seen fewer does not reproduce its paper, and the report says so.
ENOUGH = {FOLLOWING: 300_000, RETRIEVAL: 300_000}
UNITS = {FOLLOWING: "notes", RETRIEVAL: "pairs"}


@dataclass(frozen=True)
class Training:
    """What a network has seen.

    Attributes:
        task: FOLLOWING or RETRIEVAL.
        samples: Notes or pairs.
        seconds: That it took, validation included.
    """

    task: str
    samples: int
    seconds: float

    @property
    def enough(self) -> bool:
        """Whether it is long enough to be held against the paper's."""
        return self.samples >= ENOUGH[self.task]

    def __str__(self) -> str:
        return f"{self.samples:,} {UNITS[self.task]} in {duration(self.seconds)}"


@dataclass(frozen=True)
class Headline:
    """The best network of a task on the test split.

    Attributes:
        task: FOLLOWING or RETRIEVAL.
        network: Its name.
        numbers: Name of a metric to ours, the paper's, and what chance would give, as text.
        training: Of the network; None if its history was not kept.
    """

    task: str
    network: str
    numbers: dict[str, tuple[str, str, str]]
    training: Training | None

    def remark(self) -> str:
        """What has to be known of the training before the numbers are compared."""
        if self.training is None or self.training.enough:
            return ""
        return f"Trained for {duration(self.training.seconds)}: not a reproduction."


def training(results: Path, task: str, network: str) -> Training | None:
    """What a network of a run has seen; None if that was not kept."""
    path = results / "models" / task / f"{network}_history.parquet"
    if not path.is_file():
        return None
    epochs = frames.read(path, columns=["samples", "seconds"])
    if epochs.empty:
        return None
    return Training(task, int(epochs.samples.max()), float(epochs.seconds.sum()))


def named(network: str) -> str:
    """A network's name in words."""
    if network.endswith(f", {SHIPPED}"):
        return f"{network.removesuffix(f', {SHIPPED}')}, which comes with the project"
    return NETWORKS.get(network, network)


def headlines(results: Path) -> list[Headline]:
    """The headlines of those tasks that a run has tables of."""
    found = [_following(results), _retrieval(results)]
    return [headline for headline in found if headline]


def following_table(results: Path) -> pd.DataFrame:
    """Metrics of the test split, by network and metric; empty if there is no table."""
    path = results / "tables/score_following.csv"
    if not path.is_file():
        return pd.DataFrame()
    table = pd.read_csv(path)
    return table[table.split == "test"].set_index(["network", "metric"])


def _following(results: Path) -> Headline | None:
    table = following_table(results)
    if table.empty:
        return None
    top1 = table.xs("top1", level="metric").micro.dropna()
    if top1.empty:
        return None
    network = str(top1.idxmax())
    shown = {"top1": "exact bucket (top-1)", "top2": "at most one bucket off (top-2)"}
    numbers = {}
    for metric, name in shown.items():
        if (network, metric) in table.index:
            row = table.loc[(network, metric)]
            numbers[name] = (_percent(row.micro), _percent(row.paper), _percent(row.chance))
    return Headline(FOLLOWING, network, numbers, training(results, FOLLOWING, network))


def retrieval_table(results: Path) -> pd.DataFrame:
    """Metrics of audio to sheet, refined, by model and metric; empty if there is no table."""
    path = results / "tables/retrieval.csv"
    if not path.is_file():
        return pd.DataFrame()
    table = pd.read_csv(path)
    table = table[(table.direction == "A2S") & (table.projection == "refined")]
    table = table[table.protocol == table.protocol.iloc[0]] if len(table) else table
    return table.set_index(["model", "metric"])


def _retrieval(results: Path) -> Headline | None:
    table = retrieval_table(results)
    if table.empty:
        return None
    mrr = table.xs("mrr", level="metric").micro.dropna()
    if mrr.empty:
        return None
    model = str(mrr.idxmax())
    pairs = table.loc[(model, "mrr"), "n_pairs"]
    numbers = {}
    for metric, name, rank in (("r1", "R@1", 1), ("r25", "R@25", 25)):
        if (model, metric) in table.index:
            row = table.loc[(model, metric)]
            chance = _percent(min(1.0, rank / pairs))
            numbers[name] = (_percent(row.micro), _percent(row.paper), chance)
    row = table.loc[(model, "mrr")]
    numbers["MRR"] = (f"{row.micro:.2f}", _plain(row.paper), "")
    return Headline(RETRIEVAL, model, numbers, training(results, RETRIEVAL, model))


def _percent(value: float) -> str:
    return "" if pd.isna(value) else f"{value:.1%}".replace("%", " %")


def _plain(value: float) -> str:
    return "" if pd.isna(value) else f"{value:.2f}"


def pieces(results: Path) -> dict[str, int]:
    """How many pieces of each collection were kept in selection."""
    return {
        data.name: sum(
            pq.read_table(path, columns=["reason"])["reason"].null_count
            for path in last_run.files(data, "pieces")
        )
        for data in sorted(path.parent for path in (results / "data").glob("*/pieces"))
    }
