"""Write an alignment for other programs: CSV, Parquet, Sonic Visualiser, match files."""

import csv
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

from models.following import timeline
from models.following.alignment import ALIGNMENT, Alignment, write_parquet
from models.following.match_file import write_match
from pipeline.replacing import replacing

SVL_RATE_HZ = 44_100  # of the frames that a layer counts in
WITHIN = " "  # between the ids in a cell of a CSV file


def write_csv(alignment: Alignment, path: Path) -> None:
    """Write the table as CSV: one row an onset, ids of notes divided by spaces."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(ALIGNMENT.names)
        for row in alignment.table.to_pylist():
            writer.writerow(_cell(row[name]) for name in ALIGNMENT.names)


def _cell(value) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return WITHIN.join(map(str, value))
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def write_layer(alignment: Alignment, path: Path) -> None:
    """Write the onsets as a time-instant layer (SVL) that Sonic Visualiser loads: bar and beat at
    each onset."""
    root = ET.Element("sv")
    data = ET.SubElement(root, "data")
    rows = alignment.table.to_pylist()
    frames = [round(row["time"] * SVL_RATE_HZ) for row in rows]
    shape = {"id": "1", "name": "onsets", "sampleRate": str(SVL_RATE_HZ), "type": "sparse",
             "start": str(min(frames, default=0)), "end": str(max(frames, default=0) + 1),
             "dimensions": "1", "resolution": "1", "notifyOnAdd": "true", "dataset": "0",
             "subtype": ""}  # fmt: skip
    ET.SubElement(data, "model", shape)
    dataset = ET.SubElement(data, "dataset", {"id": "0", "dimensions": "1"})
    stops = timeline.stops(alignment)
    for row, frame, stop in zip(rows, frames, stops, strict=True):
        said = label(row) if row["bar"] else stop.label
        ET.SubElement(dataset, "point", {"frame": str(frame), "label": said})
    display = ET.SubElement(root, "display")
    ET.SubElement(display, "layer", {"id": "2", "type": "timeinstants", "model": "1",
                                     "name": f"onsets of {alignment.about.recording}"})  # fmt: skip
    ET.indent(root)
    text = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE sonic-visualiser>\n'
    with replacing(path) as temporary:
        temporary.write_text(text + ET.tostring(root, encoding="unicode") + "\n", encoding="utf-8")


def label(row: dict) -> str:
    """An onset of a bar whose number is known: bar and beat, as musicians count from 1."""
    return f"{row['bar']}:{row['beat'] + 1:g}" if row["beat"] is not None else row["bar"]


WRITERS: dict[str, Callable[[Alignment, Path], None]] = {
    ".csv": write_csv,
    ".parquet": lambda alignment, path: write_parquet(alignment.table, path),
    ".svl": write_layer,
    ".match": write_match,
}


def write(alignment: Alignment, path: Path) -> None:
    """Write an alignment in the format that the suffix of `path` names."""
    WRITERS[path.suffix.lower()](alignment, path)
