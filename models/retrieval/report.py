"""The tables of Balke et al. 2019 (2a, 2b and 3), measured here beside the paper's numbers.

Besides: what piece identification and alignment reach, for which the paper has no numbers.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from models import table_output
from models.table_output import MISSING, Grid
from pipeline.constants import PAGE_WIDTH_PX

PAPER = Path(__file__).parents[1] / "paper"
MEASURES = {"r1": "R@1", "r5": "R@5", "r25": "R@25", "mrr": "MRR", "median_rank": "MR"}
WITH_INTERVAL = ("r1", "mrr")
PROJECTIONS = {"unrefined": "un-refined", "refined": "refined"}
TABLES = {"unrefined": "Table 2a", "refined": "Table 2b"}
PROTOCOLS = {"fixed": "", "2019": "; pairs as the authors choose them"}
WITH = {"fixed": "", "2019": " (pairs as the authors choose them)"}
DIRECTIONS = {"A2S": "audio to sheet", "S2A": "sheet to audio"}
METHODS = {"votes": "votes", "sequence": "in sequence"}
ALIGNERS = {"network": "network", "published": "as published", "line": "straight line"}
RANKS = (1, 5, 10)
MEASURED = ["micro", "low", "high", "macro", "n_pairs", "n_pieces"]
HEADER = [
    cell
    for measure, name in MEASURES.items()
    for cell in ([name, "[95 %]"] if measure in WITH_INTERVAL else [name])
]


def tables(
    measures: Path | str,
    out: Path | str,
    identified: Path | str | None = None,
    aligned: Path | str | None = None,
) -> None:
    """Write retrieval, tempo_robustness, identification, alignment as .md, .html, .csv, .tex.

    measures, identified, aligned: Parquet files, as `evaluate`, `identify` and `align` write them;
    without the last two their tables are left out. out: the folder of the tables.
    """
    out, measured = Path(out), pd.read_parquet(measures)
    table = compare(measured)
    _write(out / "retrieval", "Retrieval", table, retrieval_grids(table), sizes(table))
    table = compare_tempi(measured)
    _write(out / "tempo_robustness", "Tempo", table, tempo_grids(table), tempo_sizes(table))
    if identified is not None:
        table = count_ranks(pd.read_parquet(identified))
        grids = [identification_grid(table)]
        _write(out / "identification", "Piece identification", table, grids, IDENTIFICATION)
    if aligned is not None:
        table = summarise_errors(pd.read_parquet(aligned))
        _write(out / "alignment", "Alignment", table, [alignment_grid(table)], ALIGNMENT)


def _write(stem: Path, title: str, table: pd.DataFrame, grids: list[Grid], note: str) -> None:
    forms = {
        ".md": table_output.markdown(grids, note),
        ".html": table_output.page(title, grids, note),
        ".csv": table.to_csv(index=False),
        ".tex": table_output.latex(grids, note),
    }
    table_output.write(stem, forms)


# --- the paper's numbers beside ours -----------------------------------------------------------
def compare(measures: pd.DataFrame) -> pd.DataFrame:
    """Tables 2a and 2b and what else is measured at the tempo of the scores, in both directions.

    Columns: protocol, direction, projection, model, measure, paper, then MEASURED, tempo_ratio. The
    paper's numbers stand for audio to sheet in every protocol. Absent is NaN; rates are fractions.
    Of the tempo ratios measured the one nearest to 1 counts as that of the scores.
    """
    ratios = measures.tempo_ratio.unique()
    written = ratios[np.abs(np.log(ratios)).argmin()]
    ours = measures[measures.tempo_ratio == written].drop(columns="tempo_ratio")
    paper = _paper("retrieval", measures).rename(columns={"value": "paper"})
    return _join(paper, ours, ["projection", "model", "measure"]).assign(
        tempo_ratio=_plain(written)
    )


def compare_tempi(measures: pd.DataFrame) -> pd.DataFrame:
    """Table 3: mean reciprocal rank, audio to sheet, refined, at every tempo ratio."""
    paper = _paper("tempo_robustness", measures).rename(columns={"mrr": "paper"})
    paper = paper.assign(projection="refined", measure="mrr")
    chosen = (measures.direction == "A2S") & (measures.projection == "refined")
    ours = measures[chosen & (measures.measure == "mrr")]
    ours = ours.assign(tempo_ratio=_plain(ours.tempo_ratio))
    return _join(paper, ours, ["projection", "model", "measure", "tempo_ratio"])


def _plain(tempo_ratio):
    """Tempo ratios as the paper writes them; 0.66 as a float32 is another number."""
    return tempo_ratio.astype(float).round(2)


def _paper(name: str, measures: pd.DataFrame) -> pd.DataFrame:
    """A table of the paper, once for every protocol that was measured."""
    paper = pd.read_csv(PAPER / f"{name}.csv", comment="#").assign(direction="A2S")
    return pd.DataFrame({"protocol": measures.protocol.unique()}).merge(paper, how="cross")


def _join(paper: pd.DataFrame, ours: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Whatever the paper or we have, in the order of the tables."""
    keys = ["protocol", "direction", *keys]
    table = paper.merge(ours, on=keys, how="outer")[[*keys, "paper", *MEASURED]]
    orders = {
        "protocol": PROTOCOLS,
        "direction": DIRECTIONS,
        "projection": PROJECTIONS,
        "model": paper.model.unique(),
        "measure": MEASURES,
    }

    def place(column: pd.Series) -> pd.Series:
        if column.name not in orders:
            return column
        places = {value: place for place, value in enumerate(orders[column.name])}
        return column.map(places).fillna(len(places))

    table = table.sort_values(keys, key=place, kind="stable", ignore_index=True)
    return table.astype({"n_pairs": "Int64", "n_pieces": "Int64"})


# --- cells -------------------------------------------------------------------------------------
def number(value: float, measure: str) -> str:
    """A measure as the paper prints it: R@1 of 0.1367 as 13.67, MRR as 0.24, MR as 15."""
    if pd.isna(value):
        return MISSING
    if measure == "mrr":
        return f"{value:.2f}"
    if measure == "median_rank":
        return f"{value:,.1f}".removesuffix(".0")
    return f"{100 * value:.2f}"


def interval(row: pd.Series, measure: str) -> str:
    """The 95 % interval in brackets, in the unit of its measure; empty where there is none."""
    if pd.isna(row.low):
        return ""
    ends = (row.low, row.high)
    low, high = (f"{end:.2f}" if measure == "mrr" else f"{100 * end:.1f}" for end in ends)
    return f"[{low}–{high}]"


def _cells(rows: pd.DataFrame, column: str) -> list[str]:
    """The cells below HEADER. rows: of `compare`, by measure; column: paper or micro."""
    cells = []
    for measure, row in rows.reindex(list(MEASURES)).iterrows():
        cells.append(number(row[column], measure))
        if measure in WITH_INTERVAL:
            cells.append(interval(row, measure) if column == "micro" else "")
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
    """Two lines a model, the paper's and ours."""
    lines = []
    for model, own in rows.groupby("model", sort=False):
        own = own.set_index("measure")
        lines += [[model, "paper", *_cells(own, "paper")], ["", "ours", *_cells(own, "micro")]]
    return lines


def _each(rows: pd.DataFrame) -> list[tuple[list[str], pd.DataFrame]]:
    """[model, projection] and their rows by measure, of all that was measured."""
    groups = rows.groupby(["projection", "model"], sort=False)
    return [
        ([model, PROJECTIONS[projection]], own.set_index("measure"))
        for (projection, model), own in groups
    ]


def _other_direction(rows: pd.DataFrame, label: str) -> Grid:
    lines = [[*names, *_cells(own, "micro")] for names, own in _each(rows)]
    return Grid(["model", "projection", *HEADER], lines, f"Sheet to audio, ours{label}")


def _by_piece(rows: pd.DataFrame, label: str) -> Grid:
    lines = [
        [*names, *(number(own.macro.get(measure), measure) for measure in MEASURES)]
        for names, own in _each(rows)
    ]
    caption = f"Audio to sheet, ours, mean over pieces{label}"
    return Grid(["model", "projection", *MEASURES.values()], lines, caption)


def _doubles(rows: pd.DataFrame, label: str) -> Grid:
    shown = {"r1": "R@1", "r1_identical": "R@1, a double is right", "duplicates": "doubles (%)"}
    lines = [
        [*names, *(number(own.micro.get(measure), measure) for measure in shown)]
        for names, own in _each(rows)
    ]
    caption = f"Audio to sheet, ours, snippets that look the same{label}"
    return Grid(["model", "projection", *shown.values()], lines, caption)


def sizes(table: pd.DataFrame) -> str:
    """What the numbers mean and rest on."""
    return (
        "R@k: percent of queries whose counterpart is among the first k; MRR: mean reciprocal "
        f"rank; MR: median rank. {_pools(table)} Brackets: 95 % interval by bootstrap over pieces. "
        f"{MISSING}: not trained. Doubles: snippets that have an exact copy among the candidates."
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
    """For each protocol Table 3: two lines a model, a column for each tempo ratio."""
    ratios = sorted(table.tempo_ratio.unique())
    grids = []
    for protocol, rows in table.groupby("protocol", sort=False):
        lines = []
        for model, own in rows.groupby("model", sort=False):
            own = own.set_index("tempo_ratio").reindex(ratios)
            for name, who, column in ((model, "paper", "paper"), ("", "ours", "micro")):
                lines.append([name, who, *(number(value, "mrr") for value in own[column])])
        caption = f"MRR by tempo ratio ρ, audio to sheet, refined (Table 3){PROTOCOLS[protocol]}"
        grids.append(Grid(["model", "", *(f"ρ {ratio:g}" for ratio in ratios)], lines, caption))
    return grids


def tempo_sizes(table: pd.DataFrame) -> str:
    """What the numbers by tempo mean and rest on."""
    return f"ρ 2 is twice as fast as written. {_pools(table)} {MISSING}: not run."


# --- piece identification ----------------------------------------------------------------------
IDENTIFICATION = (
    "At which rank the right piece is found, queries being whole pieces. Votes: each place of the "
    "query votes for the pieces of its nearest entries. In sequence: the places in their order "
    "are laid along each of the pieces with most votes, from its beginning to its end."
)


def count_ranks(identified: pd.DataFrame) -> pd.DataFrame:
    """How many pieces are found at rank 1, up to 5, up to 10 and beyond, of how many."""
    rows = []
    keys = ["model", "direction", "method"]
    for names, own in identified.groupby(keys, sort=False):
        counts = {f"up_to_{k}": int((own["rank"] <= k).sum()) for k in RANKS}
        beyond = len(own) - counts[f"up_to_{RANKS[-1]}"]
        rows.append({**dict(zip(keys, names, strict=True)), **counts, "beyond": beyond})
        rows[-1] |= {"pieces": len(own), "candidates": own.n_pieces.max()}
    return pd.DataFrame(rows)


def identification_grid(counts: pd.DataFrame) -> Grid:
    """A line for each network, direction and method."""
    lines = [
        [model, DIRECTIONS[direction], METHODS[method], *map(str, numbers)]
        for model, direction, method, *numbers in counts.itertuples(index=False)
    ]
    ranks = [f"rank {RANKS[0]}", *(f"≤ {k}" for k in RANKS[1:]), f"> {RANKS[-1]}"]
    header = ["model", "direction", "method", *ranks, "pieces", "among"]
    return Grid(header, lines, "Piece identification: how many pieces are found at which rank")


# --- alignment ---------------------------------------------------------------------------------
ALIGNMENT = (
    "Distance between the true and the found place of an onset in its strip, in px and in percent "
    f"of the width of a page ({PAGE_WIDTH_PX} px). As published: an onset beyond the ends of the "
    "path counts as no error. Straight line: between the same ends."
)


def summarise_errors(aligned: pd.DataFrame) -> pd.DataFrame:
    """What onsets miss by, for each network and method.

    aligned: rows of ALIGNED. Columns: model, method, median_px (of the medians of pieces), mean_px
    (over all onsets), both also in percent of a page, within (share of all onsets at most 25 px
    off), outside (share beyond the ends of the path), pieces, onsets.
    """
    rows = []
    for (model, method), own in aligned.groupby(["model", "method"], sort=False):
        onsets = own.onsets.sum()
        median, mean = own.median_px.median(), np.average(own.mean_px, weights=own.onsets)
        rows.append(
            {
                "model": model,
                "method": method,
                "median_px": median,
                "median_percent": 100 * median / PAGE_WIDTH_PX,
                "mean_px": mean,
                "mean_percent": 100 * mean / PAGE_WIDTH_PX,
                "within": np.average(own.within, weights=own.onsets),
                "outside": own.outside.sum() / onsets,
                "pieces": len(own),
                "onsets": onsets,
            }
        )
    return pd.DataFrame(rows)


def alignment_grid(errors: pd.DataFrame) -> Grid:
    """A line for each network and method."""
    lines = [
        [
            row.model,
            ALIGNERS[row.method],
            f"{row.median_px:.1f}",
            f"{row.median_percent:.2f}",
            f"{row.mean_px:.1f}",
            f"{row.mean_percent:.2f}",
            f"{row.within:.1%}",
            f"{row.pieces:,}",
            f"{row.onsets:,}",
        ]
        for row in errors.itertuples()
    ]
    header = ["model", "method", "median px", "%", "mean px", "%", "≤ 25 px", "pieces", "onsets"]
    return Grid(header, lines, "Alignment: median over pieces, mean and share over all onsets")
