"""The table and the figure of recordings that were followed staff by staff."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd

from models import plotting, table_output
from models.plotting import BLUE, GREEN, GREY, ORANGE, STYLE, TIGHT
from models.score_following.report import NETWORKS
from models.score_following.track import LATEST_S, REACHED, TRACKS, WAYS
from models.table_output import Grid
from pipeline import tables
from pipeline.constants import STAFF_WIDTH_PX

NAMES = {
    "oracle": "arg-max, true staff given (oracle)",
    "arg-max": "arg-max on the tracked staff",
    "tracked": "tracked",
}
HEADS = [
    "within one bucket",
    "staff right",
    "median lag / s",
    "90 % lag / s",
    f"not within {LATEST_S:g} s",
]
DRAWN = {  # colour, shape and size of the marks, which grey prints tell apart, too
    "arg-max": (GREY, "x", 2.5),
    "tracked": (ORANGE, "o", 2.5),
}


def tracking_table(reached: dict[str, Path], out_stem: Path) -> None:
    """Write the table of tracking: how near and how late each way is.

    Args:
        reached: Parquet table that `track` wrote, by network: `paper` or `PT`.
        out_stem: path of the table without its suffix; .md, .html, .csv and .tex are written.
    """
    rows = {name: tables.read(path, REACHED).to_pandas() for name, path in reached.items()}
    compared = pd.concat([compare(part).assign(network=name) for name, part in rows.items()])
    first = next(iter(rows.values()))
    note = (
        f"Measured on {len(first) // len(WAYS):,} onsets of {first.piece_id.nunique()} recordings "
        "from beginning to end. Within one bucket: as the excerpt of an onset ends. Lag: from the "
        "onset until the position is within one bucket, which may be at once if the onset before "
        "it is printed as near."
    )
    grid = Grid(["network", "position", *HEADS], [])
    for row in compared.itertuples():
        values = [f"{row.near:.1%}", f"{row.same_staff:.1%}", _seconds(row.median_lag)]
        values += [_seconds(row.late_lag), f"{row.never:.1%}"]
        grid.rows.append([NETWORKS[row.network], NAMES[row.way], *values])
    forms = {
        ".md": table_output.markdown([grid], note),
        ".html": table_output.page("Tracking", [grid], note),
        ".csv": compared.to_csv(index=False),
        ".tex": table_output.latex([grid], note),
    }
    table_output.write(out_stem, forms)


def compare(reached: pd.DataFrame) -> pd.DataFrame:
    """How near and how late each way is.

    Args:
        reached: rows of REACHED.

    Returns:
        A row for each way: near and same_staff (shares of the onsets), median_lag and late_lag
        (median and 90 % quantile in s, an onset that is never reached counting as later than all),
        never (share of the onsets).
    """
    rows = []
    for way in WAYS:
        part = reached[reached.way == way]
        lag = part.lag.fillna(np.inf)
        rows.append(
            {
                "way": way,
                "near": part.near.mean(),
                "same_staff": part.same_staff.mean(),
                "median_lag": lag.quantile(0.5, interpolation="higher"),
                "late_lag": lag.quantile(0.9, interpolation="higher"),
                "never": np.isinf(lag).mean(),
                "onsets": len(part),
            }
        )
    return pd.DataFrame(rows)


def _seconds(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else f"> {LATEST_S:g}"


def tracking_figure(tracks: Path, out_stem: Path) -> None:
    """Draw the positions over the time of a recording: true, arg-max and tracked.

    Of the recordings that were followed it is the first; its staves stand one above the other.

    Args:
        tracks: Parquet table that `track` wrote.
        out_stem: path of the figure without its suffix; a PNG and a PDF file are written.
    """
    moments = tables.read(tracks, TRACKS).to_pandas()
    moments = moments[moments.piece_id == moments.piece_id.iloc[0]]
    moments["staves"] = moments.image + moments.x / STAFF_WIDTH_PX
    with mpl.rc_context(STYLE):
        figure = plotting.new(7.0, 3.4)
        axes = figure.subplots()
        for way, (colour, shape, size) in DRAWN.items():
            part = moments[moments.way == way]
            mark = {"color": colour, "linestyle": "none", "marker": shape, "markersize": size}
            axes.plot(part.time, part.staves, markeredgewidth=0.4, label=way, **mark)
        truth = moments[moments.way == "truth"]
        turns = truth.image.diff().fillna(0) != 0
        line = truth.staves.where(~turns)
        axes.plot(truth.time, line, color=GREEN, linewidth=1.2, label="truth", zorder=0)
        for time in truth.time[turns]:
            axes.axvline(time, color=BLUE, linewidth=0.5, linestyle=":")
        last = int(moments.image.max()) + 1
        axes.set(
            xlabel="time in the recording (s)",
            ylabel="staff",
            xlim=(0, truth.time.max()),
            ylim=(last, 0),
            yticks=np.arange(last) + 0.5,
            yticklabels=[str(number + 1) for number in range(last)],
        )
        for border in range(1, last):
            axes.axhline(border, color=GREY, linewidth=0.4)
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, markerscale=2, **TIGHT)
        plotting.save(figure, out_stem)
