"""Draw docs/figures/linked.png: a system of a score whose noteheads are linked to what sounds.

`python docs/draw_linked.py DATA PIECE`: DATA is the folder of a collection of pages that a run
has engraved, PIECE one of its pieces.
"""

import sys
import tempfile
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pyarrow.dataset as ds
from matplotlib.patches import ConnectionPatch
from PIL import Image

from models import plotting
from models.plotting import STYLE
from pipeline.describing import last_run
from pipeline.images import grey
from pipeline.replacing import replacing

OUT = Path(__file__).parent / "figures/linked.png"
MARGIN_PX = 18
SYSTEM = 0  # that is shown
COLOURS = 128  # of the picture, which keeps it small
LAST_PX = 492  # of the system, from the left of the page


def rows(data: Path, name: str, piece: str) -> pd.DataFrame:
    """The rows of a piece in a table."""
    table = ds.dataset(list(map(str, last_run.files(data, name))))
    return table.to_table(filter=ds.field("piece_id") == piece).to_pandas()


def main(data: Path, piece: str) -> None:
    """Draw the first bars, the notes below them, and a line from each notehead to its note."""
    systems = rows(data, "systems", piece)
    system = systems[systems.system == SYSTEM].iloc[0]
    image = rows(data, "images", piece)
    page = grey(image[image.image == system.image].iloc[0].png)
    heads = rows(data, "noteheads", piece)
    heads = heads[(heads.system == SYSTEM) & (heads.x < LAST_PX)]
    notes = rows(data, "notes", piece).merge(heads, on="notehead_id", suffixes=("", "_printed"))
    notes = notes[notes["pass"] == 1]
    top, bottom = int(min(system.top)) - 2 * MARGIN_PX, int(max(system.bottom)) + 2 * MARGIN_PX
    colours = mpl.colormaps["viridis"](np.linspace(0.05, 0.85, notes.onset_s.nunique()))
    colour = dict(zip(sorted(notes.onset_s.unique()), colours, strict=True))
    with mpl.rc_context(STYLE):
        figure = plotting.new(7.2, 3.6)
        above, below = figure.subplots(2, 1, height_ratios=[1.1, 1])
        plotting.show(above, page[top:bottom, :LAST_PX], cmap="gray", vmin=0, vmax=255)
        for note in notes.itertuples():
            look = {"color": colour[note.onset_s]}
            above.plot(note.x, note.y - top, "o", markersize=6, alpha=0.9, **look)
            below.barh(note.pitch, 0.95 * note.duration_s, left=note.onset_s, height=0.8, **look)
            line = ConnectionPatch(
                (note.x, note.y - top), (note.onset_s, note.pitch), "data", "data",
                axesA=above, axesB=below, linewidth=0.5, alpha=0.45, zorder=5, **look,
            )  # fmt: skip
            figure.add_artist(line)
        below.set(xlabel="seconds", ylabel="pitch (MIDI)")
        with tempfile.TemporaryDirectory() as folder:
            plotting.save(figure, Path(folder) / OUT.stem)
            picture = Image.open(Path(folder) / OUT.name).convert("RGB").quantize(COLOURS)
    with replacing(OUT) as temporary:
        picture.save(temporary, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
