"""Table 2 of Dorfer et al. 2016: the paper's numbers beside those of the networks trained here."""

from pathlib import Path

import pandas as pd

from models import frames, table_output
from models.table_output import Grid

PAPER = Path(__file__).parents[1] / "paper" / "score_following.csv"
SPLITS = ("train", "valid", "test")
PREDICTOR = "network"  # in the tables of metrics
NETWORKS = {"paper": "paper's network", "PT": "PT, our network"}
BASELINES = {
    "chance": "chance",
    "frequent": "most frequent bucket",
    "linear": "linear position",
    "timed": "linear, given true staff boundaries (oracle)",
}
# metric: (name, is a rate)
METRICS = {
    "top1": ("top-1 bucket hit rate", True),
    "top2": ("top-2 bucket hit rate", True),
    "mean_npd_max": ("mean NPD, max", False),
    "mean_npd_int": ("mean NPD, int", False),
    "median_npd_max": ("median NPD, max", False),
    "median_npd_int": ("median NPD, int", False),
    "within_max": ("NPD < one bucket, max", True),
    "within_int": ("NPD < one bucket, int", True),
}


def table(metrics: dict[str, Path], out_stem: Path) -> None:
    """Write the table of score following: the paper's numbers, our networks' and the baselines'.

    Args:
        metrics: Parquet table that `evaluate` wrote, by network: `paper` or `PT`.
        out_stem: path of the table without its suffix; .md, .html, .csv and .tex are written.
    """
    compared = compare({name: frames.read(path) for name, path in metrics.items()})
    note = sizes(compared)
    forms = {
        ".md": table_output.markdown(grids(compared), note),
        ".html": table_output.page("Score following", grids(compared), note),
        ".csv": compared.to_csv(index=False),
        ".tex": table_output.latex(grids(compared), note),
    }
    table_output.write(out_stem, forms)


def compare(metrics: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Join the paper's numbers, a network's and the baselines' of each split and metric.

    Args:
        metrics: rows of `evaluate.METRICS`, by network.

    Returns:
        A row for each network, split and metric, in columns network, split, metric, paper (as
        published), micro (over notes), low and high (95 % interval of micro), macro (over pieces),
        a column for each baseline's micro, n_notes, n_pieces; NaN if absent.
    """
    return pd.concat([_compare(name, rows) for name, rows in metrics.items()], ignore_index=True)


def _compare(network: str, metrics: pd.DataFrame) -> pd.DataFrame:
    paper = pd.read_csv(PAPER, comment="#").rename(columns={"value": "paper"})
    keys = ["split", "metric"]
    own = metrics[metrics.predictor == PREDICTOR].drop(columns="predictor")
    table = paper.merge(own, on=keys, how="left").assign(network=network)
    for baseline in BASELINES:
        micro = metrics[metrics.predictor == baseline][[*keys, "micro"]]
        table = table.merge(micro.rename(columns={"micro": baseline}), on=keys, how="left")
    columns = ["paper", "micro", "low", "high", "macro", *BASELINES, "n_notes", "n_pieces"]
    return table[["network", *keys, *columns]].astype({"n_notes": "Int64", "n_pieces": "Int64"})


def number(value: float, rate: bool) -> str:
    """A metric as the paper prints it: 0.5464 is 54.64% as a rate, 0.5464 as a distance."""
    if pd.isna(value):
        return table_output.MISSING
    return f"{value:.2%}" if rate else f"{value:.4f}"


def interval(row: pd.Series, rate: bool) -> str:
    """The 95 % interval in brackets, in the unit of the number that it follows."""
    if pd.isna(row.low):
        return ""
    low, high = (f"{100 * v:.1f}" if rate else f"{v:.4f}" for v in (row.low, row.high))
    return f" [{low}–{high}]"


def grids(table: pd.DataFrame) -> list[Grid]:
    """Small tables: for each split beside the paper, then beside the baselines, and by piece."""
    rows = table.set_index(["network", "metric", "split"])
    splits = [split for split in SPLITS if rows.micro.xs(split, level="split").notna().any()]
    networks = [name for name in NETWORKS if name in rows.index]
    names = [NETWORKS[name] for name in networks]
    last = splits[-1] if splits else SPLITS[-1]
    beside_paper = [
        Grid([split, "published", *(f"{name} [95 %]" for name in names)], []) for split in splits
    ]
    beside_baselines = Grid([last, *names, *BASELINES.values()], [])
    by_piece = Grid(
        ["mean over pieces", *(f"{split}, {name}" for split in splits for name in names)], []
    )
    for metric, (label, rate) in METRICS.items():
        for grid, split in zip(beside_paper, splits, strict=True):
            here = [rows.loc[name, metric, split] for name in networks]
            cells = [number(row.micro, rate) + interval(row, rate) for row in here]
            grid.rows.append([label, number(here[0].paper, rate), *cells])
        here = [rows.loc[name, metric, last] for name in networks]
        values = [*(row.micro for row in here), *(here[0][baseline] for baseline in BASELINES)]
        beside_baselines.rows.append([label, *(number(value, rate) for value in values)])
        macro = [rows.loc[name, metric, split].macro for split in splits for name in networks]
        by_piece.rows.append([label, *(number(value, rate) for value in macro)])
    return [*beside_paper, beside_baselines, by_piece]


def sizes(table: pd.DataFrame) -> str:
    """One sentence: how many notes and pieces each split's numbers rest on."""
    first = table.dropna(subset="n_notes").drop_duplicates("split").set_index("split")
    counts = [
        f"{split} {first.n_notes[split]:,} notes of {first.n_pieces[split]:,} pieces"
        for split in SPLITS
        if split in first.index
    ]
    return (
        f"Measured on {', '.join(counts)}. Intervals by bootstrap over pieces. NPD is the absolute "
        "pixel distance divided by the width of the staff image. The paper measured on the "
        "Nottingham set."
    )
