"""Draw docs/figures/learning_curve.png: how trainings of retrieval learn over time.

`python docs/draw_learning_curve.py PT.parquet BL2-SC.parquet`: histories that the trainings wrote,
named after their networks.
"""

import sys
from pathlib import Path

import matplotlib as mpl
import pandas as pd

from models import plotting
from models.plotting import BLUE, INK, STYLE
from pipeline.replacing import replacing

OUT = Path(__file__).parent / "figures/learning_curve.png"
LOOKS = ((INK, "P"), (BLUE, "o"))


@mpl.rc_context(STYLE)
def main(paths: list[Path]) -> None:
    """Draw the mean reciprocal rank of each training over minutes."""
    figure = plotting.new(5.0, 2.8)
    axes = figure.subplots()
    for path, (colour, mark) in zip(paths, LOOKS, strict=False):
        epochs = pd.read_parquet(path)
        minutes, pairs = epochs.seconds.cumsum() / 60, epochs.samples.iloc[-1]
        axes.plot(minutes, epochs.valid_mrr, color=colour, marker=mark, markersize=4)
        axes.annotate(
            f"{path.stem}, {pairs:,} pairs",
            (minutes.iloc[-1], epochs.valid_mrr.iloc[-1]),
            xytext=(0, 6),
            textcoords="offset points",
            ha="right",
            color=colour,
        )
    axes.set(xlabel="minutes of one core", ylabel="validation MRR", xlim=(0, None), ylim=(0, 1))
    with replacing(OUT) as temporary:
        figure.savefig(temporary, dpi=plotting.DPI, metadata=plotting.UNDATED[".png"], format="png")


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
