"""What all figures share: size, letters, colours, and how they are written."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pipeline.replacing import replacing

# Colours that the colour-blind tell apart (Okabe and Ito 2008).
INK, GREY, BLUE, ORANGE, GREEN = "#222222", "#999999", "#0072b2", "#d55e00", "#009e73"
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "legend.frameon": False,
    "pdf.fonttype": 42,  # letters stay letters, fonts embedded
    "path.simplify": False,
}
TIGHT = {"fontsize": 7, "handlelength": 1.2, "columnspacing": 0.8, "handletextpad": 0.4}
DPI = 200
UNDATED = {".png": {"Software": None}, ".pdf": {"CreationDate": None, "Producer": None}}


def new(width: float, height: float) -> Figure:
    """An empty figure of that many inches; draw on it, and save it, within STYLE."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, out_stem: Path | str) -> None:
    """Write `<out_stem>.png` and `.pdf`, the same bytes for the same data."""
    with mpl.rc_context(STYLE):
        for suffix, metadata in UNDATED.items():
            with replacing(f"{out_stem}{suffix}") as temporary:
                figure.savefig(temporary, dpi=DPI, metadata=metadata)


def piece_name(piece_id: str) -> str:
    """A piece's id as words: folders and names once each, underscores as spaces."""
    return " ".join(dict.fromkeys(piece_id.split("__"))).replace("_", " ")


def show(axes, image, **how) -> None:
    """An image (height, width) in its own pixels, the origin at its left and top edge."""
    height, width = image.shape
    axes.imshow(image, extent=(0, width, height, 0), aspect="equal", **how)
    axes.set(xticks=[], yticks=[], xlim=(0, width), ylim=(height, 0))
    for spine in axes.spines.values():
        spine.set_visible(False)
