"""Table 2 of Dorfer et al. 2016: our numbers beside the paper's."""

from itertools import chain
from pathlib import Path

import pandas as pd

from models import table_output
from models.table_output import Grid

PAPER = Path(__file__).parents[1] / "paper" / "score_following.csv"
SPLITS = ("train", "valid", "test")
NETWORK = "network"
BASELINES = {
    "chance": "chance",
    "frequent": "most frequent bucket",
    "linear": "linear position",
    "timed": "linear, given true staff boundaries (oracle)",
}
# metric: (name in Markdown, name in LaTeX, is a rate)
METRICS = {
    "top1": ("top-1 bucket hit rate", "Top-1 bucket hit rate", True),
    "top2": ("top-2 bucket hit rate", "Top-2 bucket hit rate", True),
    "mean_npd_max": ("mean NPD, max", r"mean$(|NPD_{max}|)$", False),
    "mean_npd_int": ("mean NPD, int", r"mean$(|NPD_{int}|)$", False),
    "median_npd_max": ("median NPD, max", r"median$(|NPD_{max}|)$", False),
    "median_npd_int": ("median NPD, int", r"median$(|NPD_{int}|)$", False),
    "within_max": ("NPD < one bucket, max", r"$|NPD_{max}| < w_b$", True),
    "within_int": ("NPD < one bucket, int", r"$|NPD_{int}| < w_b$", True),
}


def table(metrics: Path, out_stem: Path) -> None:
    """Write the table of score following: the paper's numbers, ours and the baselines'.

    Args:
        metrics: Parquet table that `evaluate` wrote.
        out_stem: path of the table without its suffix; .md, .html, .csv and .tex are written.
    """
    compared = compare(pd.read_parquet(metrics))
    note = sizes(compared)
    forms = {
        ".md": table_output.markdown(grids(compared), note),
        ".html": table_output.page("Score following", grids(compared), note),
        ".csv": compared.to_csv(index=False),
        ".tex": latex(compared),
    }
    table_output.write(out_stem, forms)


def compare(metrics: pd.DataFrame) -> pd.DataFrame:
    """Join the paper's numbers, ours and the baselines' of each split and metric.

    Args:
        metrics: rows of `evaluate.METRICS`.

    Returns:
        Columns split, metric, paper, micro (over notes), low and high (95 % interval of micro),
        macro (over pieces), a column for each baseline's micro, n_notes, n_pieces; NaN if absent.
    """
    paper = pd.read_csv(PAPER, comment="#").rename(columns={"value": "paper"})
    keys = ["split", "metric"]
    network = metrics[metrics.predictor == NETWORK].drop(columns="predictor")
    table = paper.merge(network, on=keys, how="left")
    for baseline in BASELINES:
        micro = metrics[metrics.predictor == baseline][[*keys, "micro"]]
        table = table.merge(micro.rename(columns={"micro": baseline}), on=keys, how="left")
    columns = ["paper", "micro", "low", "high", "macro", *BASELINES, "n_notes", "n_pieces"]
    table = table[[*keys, *columns]]
    return table.astype({"n_notes": "Int64", "n_pieces": "Int64"})


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
    """Three small tables: beside the paper, beside the baselines, by piece."""
    rows = table.set_index(["metric", "split"])
    splits = [split for split in SPLITS if rows.micro.xs(split, level="split").notna().any()]
    last = splits[-1] if splits else SPLITS[-1]
    predictors = ["micro", *BASELINES]
    beside_paper, beside_baselines, by_piece = [], [], []
    for metric, (name, _, rate) in METRICS.items():
        pairs = [_pair(rows.loc[metric, split], rate) for split in splits]
        beside_paper.append([name, *chain.from_iterable(pairs)])
        here = rows.loc[metric, last]
        beside_baselines.append([name, *(number(here[column], rate) for column in predictors)])
        macro = [number(rows.loc[metric, split].macro, rate) for split in splits]
        by_piece.append([name, *macro])
    both = [f"{split}, {who}" for split in splits for who in ("paper", "ours [95 %]")]
    return [
        Grid(["", *both], beside_paper),
        Grid([last, "ours", *BASELINES.values()], beside_baselines),
        Grid(["ours, mean over pieces", *splits], by_piece),
    ]


def _pair(row: pd.Series, rate: bool) -> tuple[str, str]:
    return number(row.paper, rate), number(row.micro, rate) + interval(row, rate)


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


def latex(table: pd.DataFrame) -> str:
    """Render one `tabular`: paper, ours, by piece for each split, then the baselines."""
    known = table.set_index(["metric", "split"])
    rows = []
    for metric, (_, name, rate) in METRICS.items():
        cells = []
        for split in SPLITS:
            row = known.loc[metric, split]
            cells += [*_pair(row, rate), number(row.macro, rate)]
        last = known.loc[metric, SPLITS[-1]]
        cells += [number(last[baseline], rate) for baseline in BASELINES]
        rows.append([name, *map(table_output.escape, cells)])
    columns = "l" + "rrr" * len(SPLITS) + "r" * len(BASELINES)
    return table_output.tabular(columns, _latex_heads(), rows, sizes(table))


def _latex_heads() -> list[list[str]]:
    groups = [rf"\multicolumn{{3}}{{c}}{{{split.capitalize()}}}" for split in SPLITS]
    groups.append(rf"\multicolumn{{{len(BASELINES)}}}{{c}}{{Baselines, {SPLITS[-1]}}}")
    names = ["paper", r"ours [95\,\%]", "by piece"] * len(SPLITS) + list(BASELINES)
    return [["", *groups], ["", *names]]
