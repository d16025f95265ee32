"""Tables 2a, 2b and 3 of Balke et al. 2019: our numbers beside the paper's.

And tables of piece identification and alignment, for which the paper has no numbers.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from models import frames, table_output
from models.retrieval import piece_report
from models.retrieval.piece_report import DIRECTIONS
from models.retrieval.token_network import PT
from models.table_output import MISSING, Grid
from pipeline.planning.learning_files import SHIPPED

PAPER = Path(__file__).parents[1] / "paper"
METRICS = {"r1": "R@1", "r5": "R@5", "r25": "R@25", "mrr": "MRR", "median_rank": "MR"}
WITH_INTERVAL = ("r1", "mrr")
PROJECTIONS = {"unrefined": "un-refined", "refined": "refined"}
TABLES = {"unrefined": "Table 2a", "refined": "Table 2b"}
PROTOCOLS = {"fixed": "", "2019": "; pairs as the authors choose them"}
WITH = {"fixed": "", "2019": " (pairs as the authors choose them)"}
NUMBERS = ["micro", "low", "high", "macro", "n_pairs", "n_pieces"]
HEADER = [
    cell
    for metric, name in METRICS.items()
    for cell in ([name, "[95 %]"] if metric in WITH_INTERVAL else [name])
]


def tables(
    metrics: Path, out: Path, identified: Path | None = None, aligned: Path | None = None
) -> None:
    """Write the tables of retrieval: our numbers beside the paper's.

    Writes retrieval, tempo_robustness, identification and alignment, as .md, .html, .csv and .tex.

    Args:
        metrics: Parquet table that `evaluate` wrote.
        out: folder of the tables.
        identified: Parquet table that `identify` wrote; without it there is no identification.
        aligned: Parquet table that `align` wrote; without it there is no alignment.
    """
    all_metrics = frames.read(metrics)
    table = compare(all_metrics)
    _write(out / "retrieval", "Retrieval", table, retrieval_grids(table), sizes(table))
    table = compare_tempi(all_metrics)
    _write(out / "tempo_robustness", "Tempo", table, tempo_grids(table), tempo_sizes(table))
    if identified is not None:
        table = piece_report.count_ranks(frames.read(identified))
        grids = [piece_report.identification_grid(table)]
        _write(
            out / "identification",
            "Piece identification",
            table,
            grids,
            piece_report.IDENTIFICATION,
        )
    if aligned is not None:
        table = piece_report.summarise_errors(frames.read(aligned))
        _write(
            out / "alignment",
            "Alignment",
            table,
            [piece_report.alignment_grid(table)],
            piece_report.ALIGNMENT,
        )


def _write(stem: Path, title: str, table: pd.DataFrame, grids: list[Grid], note: str) -> None:
    forms = {
        ".md": table_output.markdown(grids, note),
        ".html": table_output.page(title, grids, note),
        ".csv": table.to_csv(index=False),
        ".tex": table_output.latex(grids, note),
    }
    table_output.write(stem, forms)


# --- the paper's numbers beside ours -----------------------------------------------------------
def compare(metrics: pd.DataFrame) -> pd.DataFrame:
    """Tables 2a and 2b and what else was evaluated at the tempo of the scores, in both directions.

    Columns: protocol, direction, projection, model, metric, paper, then NUMBERS, tempo_ratio. The
    paper's numbers stand for audio to sheet in every protocol. Absent is NaN; rates are fractions.
    Of the tempo ratios evaluated the one nearest to 1 counts as that of the scores.
    """
    ratios = metrics.tempo_ratio.unique()
    written = ratios[np.abs(np.log(ratios)).argmin()]
    ours = metrics[metrics.tempo_ratio == written].drop(columns="tempo_ratio")
    paper = _paper("retrieval", metrics).rename(columns={"value": "paper"})
    return _join(paper, ours, ["projection", "model", "metric"]).assign(tempo_ratio=_plain(written))


def compare_tempi(metrics: pd.DataFrame) -> pd.DataFrame:
    """Table 3: mean reciprocal rank, audio to sheet, refined, at every tempo ratio."""
    paper = _paper("tempo_robustness", metrics).rename(columns={"mrr": "paper"})
    paper = paper.assign(projection="refined", metric="mrr")
    chosen = (metrics.direction == "A2S") & (metrics.projection == "refined")
    ours = metrics[chosen & (metrics.metric == "mrr")]
    ours = ours.assign(tempo_ratio=_plain(ours.tempo_ratio))
    return _join(paper, ours, ["projection", "model", "metric", "tempo_ratio"])


def _plain(tempo_ratio):
    """Tempo ratios as the paper writes them; 0.66 as a float32 is another number."""
    return tempo_ratio.astype(float).round(2)


def _paper(name: str, metrics: pd.DataFrame) -> pd.DataFrame:
    """A table of the paper, once for every protocol that was evaluated."""
    paper = pd.read_csv(PAPER / f"{name}.csv", comment="#").assign(direction="A2S")
    return pd.DataFrame({"protocol": metrics.protocol.unique()}).merge(paper, how="cross")


def _join(paper: pd.DataFrame, ours: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Whatever the paper or we have, in the order of the tables."""
    keys = ["protocol", "direction", *keys]
    table = paper.merge(ours, on=keys, how="outer")[[*keys, "paper", *NUMBERS]]
    orders = {
        "protocol": PROTOCOLS,
        "direction": DIRECTIONS,
        "projection": PROJECTIONS,
        "model": paper.model.unique(),
        "metric": METRICS,
    }

    def rank(column: pd.Series) -> pd.Series:
        if column.name not in orders:
            return column
        ranks = {value: rank for rank, value in enumerate(orders[column.name])}
        return column.map(ranks).fillna(len(ranks))

    table = table.sort_values(keys, key=rank, kind="stable", ignore_index=True)
    return table.astype({"n_pairs": "Int64", "n_pieces": "Int64"})


# --- cells -------------------------------------------------------------------------------------
def number(value: float, metric: str) -> str:
    """A metric as the paper prints it: R@1 of 0.1367 as 13.67, MRR as 0.24, MR as 15."""
    if pd.isna(value):
        return MISSING
    if metric == "mrr":
        return f"{value:.2f}"
    if metric == "median_rank":
        return f"{value:,.1f}".removesuffix(".0")
    return f"{100 * value:.2f}"


def interval(row: pd.Series, metric: str) -> str:
    """The 95 % interval in brackets, in the unit of its metric; empty where there is none."""
    if pd.isna(row.low):
        return ""
    ends = (row.low, row.high)
    low, high = (f"{end:.2f}" if metric == "mrr" else f"{100 * end:.1f}" for end in ends)
    return f"[{low}–{high}]"


def _cells(rows: pd.DataFrame, column: str) -> list[str]:
    """The cells below HEADER. rows: of `compare`, by metric; column: paper or micro."""
    cells = []
    for metric, row in rows.reindex(list(METRICS)).iterrows():
        cells.append(number(row[column], metric))
        if metric in WITH_INTERVAL:
            cells.append(interval(row, metric) if column == "micro" else "")
    return cells


# --- retrieval ---------------------------------------------------------------------------------
def retrieval_grids(table: pd.DataFrame) -> list[Grid]:
    """For each protocol: Tables 2a and 2b beside ours, the other direction, pieces, doubles."""
    grids = []
    for protocol, rows in table.groupby("protocol", sort=False):
        label = PROTOCOLS[protocol]
        to_sheet, to_audio = (rows[rows.direction == direction] for direction in DIRECTIONS)
        grids += [
            Grid(
                ["model", "", *HEADER],
                _beside_paper(to_sheet[to_sheet.projection == projection]),
                f"Audio to sheet, {name} projection ({TABLES[projection]}){label}",
            )
            for projection, name in PROJECTIONS.items()
        ]
        grids += [
            _other_direction(to_audio.dropna(subset="micro"), label),
            _by_piece(to_sheet.dropna(subset="micro"), label),
            _doubles(to_sheet.dropna(subset="micro"), label),
        ]
    return grids


def _beside_paper(rows: pd.DataFrame) -> list[list[str]]:
    """Two lines a model, the paper's and ours; one where the paper has no such model."""
    lines = []
    for model, group in rows.groupby("model", sort=False):
        group = group.set_index("metric")
        if group.paper.notna().any():
            lines.append([model, "paper", *_cells(group, "paper")])
            model = ""
        lines.append([model, "ours", *_cells(group, "micro")])
    return lines


def _each(rows: pd.DataFrame) -> list[tuple[list[str], pd.DataFrame]]:
    """[model, projection] and their rows by metric, of all that was evaluated."""
    groups = rows.groupby(["projection", "model"], sort=False)
    return [
        ([model, PROJECTIONS[projection]], group.set_index("metric"))
        for (projection, model), group in groups
    ]


def _other_direction(rows: pd.DataFrame, label: str) -> Grid:
    lines = [[*names, *_cells(group, "micro")] for names, group in _each(rows)]
    return Grid(["model", "projection", *HEADER], lines, f"Sheet to audio, ours{label}")


def _by_piece(rows: pd.DataFrame, label: str) -> Grid:
    lines = [
        [*names, *(number(group.macro.get(metric), metric) for metric in METRICS)]
        for names, group in _each(rows)
    ]
    caption = f"Audio to sheet, ours, mean over pieces{label}"
    return Grid(["model", "projection", *METRICS.values()], lines, caption)


def _doubles(rows: pd.DataFrame, label: str) -> Grid:
    shown = {"r1": "R@1", "r1_identical": "R@1, a double is right", "duplicates": "doubles (%)"}
    lines = [
        [*names, *(number(group.micro.get(metric), metric) for metric in shown)]
        for names, group in _each(rows)
    ]
    caption = f"Audio to sheet, ours, snippets that look the same{label}"
    return Grid(["model", "projection", *shown.values()], lines, caption)


def sizes(table: pd.DataFrame) -> str:
    """What the numbers mean and rest on."""
    return (
        "R@k: percent of queries whose counterpart is among the first k; MRR: mean reciprocal "
        f"rank; MR: median rank. {_pools(table)} Brackets: 95 % interval by bootstrap over pieces. "
        f"{MISSING}: not trained. Doubles: snippets that have an exact copy among the candidates."
        f"{_own(table)}{_shipped(table)}"
    )


def _own(table: pd.DataFrame) -> str:
    """What the rows of our own network have in common, if it is in the table."""
    if not table.model.str.startswith(PT.name).any():
        return ""
    return f" {PT.name} has no refined projection: its rows are the same in both tables."


def _shipped(table: pd.DataFrame) -> str:
    """What the weights are that come with the project, if they are in the table."""
    if not table.model.str.endswith(SHIPPED).any():
        return ""
    return (
        f" {SHIPPED.capitalize()}: the weights that come with the project, trained on MSMD and "
        "1,184 more scores (models/weights/README.md); some of these works may be MSMD's."
    )


def _pools(table: pd.DataFrame) -> str:
    """Among how many candidates a query is ranked."""
    pools = [
        f"{_span(rows.n_pairs)} candidates from {_span(rows.n_pieces)} pieces{WITH[protocol]}"
        for protocol, rows in table.dropna(subset="n_pairs").groupby("protocol", sort=False)
    ]
    return f"A query is ranked among {', or '.join(pools)}; in the paper, among 10,000."


def _span(values: pd.Series) -> str:
    low, high = values.min(), values.max()
    return f"{low:,}" if low == high else f"{low:,}–{high:,}"


# --- tempo -------------------------------------------------------------------------------------
def tempo_grids(table: pd.DataFrame) -> list[Grid]:
    """For each protocol Table 3: lines of the paper's and ours, a column for each tempo ratio."""
    ratios = sorted(table.tempo_ratio.unique())
    grids = []
    for protocol, rows in table.groupby("protocol", sort=False):
        lines = []
        for model, group in rows.groupby("model", sort=False):
            group = group.set_index("tempo_ratio").reindex(ratios)
            whose = {"paper": "paper", "ours": "micro"}
            if group.paper.isna().all():
                del whose["paper"]
            for index, (who, column) in enumerate(whose.items()):
                cells = [number(value, "mrr") for value in group[column]]
                lines.append(["" if index else model, who, *cells])
        caption = f"MRR by tempo ratio ρ, audio to sheet, refined (Table 3){PROTOCOLS[protocol]}"
        grids.append(Grid(["model", "", *(f"ρ {ratio:g}" for ratio in ratios)], lines, caption))
    return grids


def tempo_sizes(table: pd.DataFrame) -> str:
    """What the numbers by tempo mean and rest on."""
    return f"ρ 2 is twice as fast as written. {_pools(table)} {MISSING}: not run."
