"""Compare the counts that MSMD publishes with ours: an independent check of engraving and linking.

MSMD's file counts the onsets of each piece as its training code sees them: one a frame, of the
notes that its alignment linked to a notehead. Ours are the frames of the notes that have a
notehead. MSMD takes its times from a MIDI file's ticks and allows for no rounding; `midi_frames`
counts so.
"""

from pathlib import Path

import pandas as pd
import yaml

from pipeline import constants, tables
from pipeline.describing import counts
from pipeline.describing.markdown import table
from pipeline.replacing import replacing

SPLITS = ("train", "valid", "test")  # those of MSMD; its other candidates are `extra`
ROUNDING = "rounding: the same, counted at the ticks of the MIDI file"
FEWER = "MSMD's alignment linked fewer"
FPS = constants.RETRIEVAL.fps


def onsets(paths: list[Path]) -> pd.DataFrame:
    """By piece, the frames in which linked notes begin (`ours`), and the `headless` notes."""
    found = []
    for path in paths:
        notes = tables.read(path, tables.NOTES, ["piece_id", "onset_s", "notehead_id"]).to_pandas()
        linked = notes[notes["notehead_id"].notna()]
        frames = linked["onset_s"].map(lambda onset_s: constants.onset_frame(onset_s, FPS))
        rows = pd.DataFrame(
            {
                "ours": frames.groupby(linked["piece_id"]).nunique(),
                "headless": notes["notehead_id"].isna().groupby(notes["piece_id"]).sum(),
            }
        )
        found.append(rows.fillna(0))
    return pd.concat(found)


def compare(
    pieces: list[Path], engraved: list[Path], notes: list[Path], published: dict[str, int]
) -> pd.DataFrame:
    """One row for each piece of MSMD's splits: split, msmd, ours, midi_frames, headless, reason,
    and `differs`, the cause of a difference. A piece that failed has no `ours`.

    Pieces that MSMD counts but that are not in our splits are not among its 467, and are skipped.
    """
    split_of = {p: s for p, s in counts.splits(pieces, tables.PIECES).items() if s in SPLITS}
    reasons = counts.reasons(pieces, tables.PIECES) | {
        piece_id: reason
        for piece_id, reason in counts.reasons(engraved, tables.ENGRAVED).items()
        if reason
    }
    rows = pd.DataFrame({"split": split_of}).join(onsets(notes))
    rows.insert(1, "msmd", rows.index.map(published))
    midi: dict[str, int] = {}
    for path in engraved:
        table_ = tables.read(path, tables.ENGRAVED, ["piece_id", "midi_frames"]).to_pydict()
        midi |= zip(table_["piece_id"], table_["midi_frames"], strict=True)
    rows["midi_frames"] = rows.index.map(midi)
    rows["reason"] = rows.index.map(reasons)
    rows = rows.astype(dict.fromkeys(("msmd", "ours", "midi_frames", "headless"), "Int64"))
    rows["differs"] = [_difference(row) for row in rows.itertuples()]
    return rows.sort_index()


def _difference(row) -> str | None:
    """The cause of a piece's difference; None if the counts are equal."""
    if pd.isna(row.ours):
        return "left out"
    if pd.isna(row.msmd):
        return "not counted there"
    if row.msmd == row.ours:
        return None
    if not pd.isna(row.midi_frames) and row.msmd == row.midi_frames:
        return ROUNDING
    return FEWER if row.msmd < row.ours else "more there than here"


def ours(
    pieces: list[Path], engraved: list[Path], notes: list[Path], by_piece: pd.DataFrame
) -> dict[tuple[str, str], float | int]:
    """Our numbers by (measure, split) of msmd_counts.csv; `all` is MSMD's splits together."""
    failed = {p for p, reason in counts.reasons(engraved, tables.ENGRAVED).items() if reason}
    selected = counts.reasons(pieces, tables.PIECES)
    kept = {
        piece_id: split
        for piece_id, split in counts.splits(pieces, tables.PIECES).items()
        if split in SPLITS and selected[piece_id] is None and piece_id not in failed
    }
    found: dict[tuple[str, str], float | int] = {}
    for split_of in (dict.fromkeys(kept, "all"), kept):
        scores = counts.scores(split_of, pieces, engraved, notes)
        for split, numbers in scores.numbers.items():
            found |= {
                ("pieces", split): numbers["pieces"],
                ("composers", split): numbers["composers"],
                ("pages", split): numbers["images"],
                ("hours of music at tempo ratio 1", split): numbers["hours"],
                ("aligned pairs of note and notehead", split): numbers["aligned"],
            }
    for split, total in by_piece.groupby("split")["ours"].sum().items():
        found["onsets", split] = int(total)
    return found


def markdown(
    by_piece: pd.DataFrame, numbers: dict[tuple[str, str], float | int], collection: str
) -> str:
    """Write the section of the card: published numbers beside ours, and each piece that differs."""
    published = pd.read_csv(Path(__file__).with_name("msmd_counts.csv"), dtype=str)
    rows = [
        (row.measure, row.split, row.number, numbers.get((row.measure, row.split), 0), row.source)
        for row in published.itertuples()
    ]
    differing = by_piece[by_piece["differs"].notna()]
    rounded = (by_piece["differs"] == ROUNDING).sum()
    equal = len(by_piece) - len(differing)

    def shown(row: tuple) -> tuple:
        return tuple("–" if pd.isna(value) else value for value in row)

    text = f"""## MSMD's own counts beside ours

{table(("measure", "split", "MSMD", collection, "source"), rows)}

MSMD counts the onsets of each piece: one a frame of {1 / FPS:g} s, of notes linked to a notehead.
Of the {len(by_piece)} pieces in its splits, {equal} ({equal / len(by_piece):.1%}) have the same
number here, and {rounded} more ({(equal + rounded) / len(by_piece):.1%} in all) if onsets are
counted as MSMD does, at the ticks of a MIDI file and without allowance for rounding.
"""
    if len(differing):
        head = ("piece", "MSMD", "ours", "notes without a notehead", "what differs", "reason")
        columns = differing[["msmd", "ours", "headless", "differs", "reason"]]
        text += f"\n{table(head, map(shown, columns.itertuples(name=None)))}\n"
    return text


def msmd_counts(
    pieces: list[Path],
    engraved: list[Path],
    notes: list[Path],
    counts: Path,
    name: str,
    out_stem: str,
) -> None:
    """Write `<out_stem>.md`, the section of the card, and `<out_stem>.csv`, one row for each piece.

    Args:
        pieces: Tables of pieces.
        engraved: Tables of what was engraved.
        notes: Tables of notes.
        counts: MSMD's file of onsets by piece.
        name: Name of the collection.
        out_stem: Path of the two files without their ending.

    Raises:
        ValueError: `counts` is not such a file, or no piece is in a split of MSMD.
    """
    published = yaml.safe_load(Path(counts).read_text())
    if not isinstance(published, dict):
        raise ValueError(f"{counts}: not a list of pieces with their counts; fetch it again")
    by_piece = compare(pieces, engraved, notes, published)
    if by_piece.empty:
        raise ValueError(f"{name}: no piece is in {', '.join(SPLITS)}; nothing to compare")
    text = markdown(by_piece, ours(pieces, engraved, notes, by_piece), name)
    with replacing(f"{out_stem}.md") as temporary:
        temporary.write_text(text)
    with replacing(f"{out_stem}.csv") as temporary:
        by_piece.to_csv(temporary, index_label="piece_id")
