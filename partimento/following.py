"""Follow a recording on the pages of its score: the command, and the same for notebooks."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pyarrow as pa
import pyarrow.compute as pc

from partimento import scores
from pipeline import tables
from pipeline.describing import inspect
from pipeline.describing.page import MARK
from pipeline.reading import scans
from pipeline.reading.pieces import printable
from pipeline.replacing import require_other, require_writable, unclaimed

if TYPE_CHECKING:
    from models.following.alignment import Alignment, Sheet

By = Literal["notes", "image"]


def follow(
    recording: Path,
    score: str,
    /,
    data: Path | None = None,
    by: By | None = None,
    out: Path | None = None,
    video: Path | None = None,
    table: list[Path] | None = None,
    force: bool = False,
) -> None:
    """Follow a recording on the pages of its score, and write a page that shows it.

    If none of --out, --video and --table is given, a page is written beside the recording, under
    its name with .html, unless another file has that name. A file that is named is replaced. The
    recording and the score are only read.

    Args:
        recording: Any sound file, or a video.
        score: A score file of any format that is engraved; a PDF, a picture, or a folder of
            pictures of pages; or the id of a piece that a run has engraved.
        data: Folder of the data set that has the piece; by default all of results/ is searched.
        by: `notes` synchronises with the notes of the score, `image` with its pages as networks
            see them; by default `notes` if the notes are known.
        out: Page to write, HTML.
        video: Video to write, MP4; needs ffmpeg.
        table: Tables to write; the suffix says which: .csv, .parquet, .svl (a layer for Sonic
            Visualiser) or .match.
        force: Write also if the recording does not seem to be of this score.

    Raises:
        FileNotFoundError: If there is no such recording or score.
        ValueError: If one of both cannot be used, they do not fit, a file to write is one that is
            read, or ffmpeg is missing for a video.
    """
    sources = [recording, _file(score)]
    wanted = _files(recording, out, video, table or [], [file for file in sources if file])
    matches = [path for _, path in wanted if path.suffix.lower() == ".match"]
    if matches and (by == "image" or _picture(score, data)):
        raise ValueError(
            f"{matches[0]}: a match file names the notes of the score, which following by image "
            "does not know; write .csv, .parquet or .svl"
        )
    sheet, method = _printed(recording, score, by, data)
    if matches:
        from models.following.match_file import require_bars

        require_bars(sheet, matches[0])
    alignment = _align(recording, sheet, method)
    about = alignment.about
    if not (about.fits or force):
        raise ValueError(f"{recording}: {about.verdict}; nothing is written; "
                         "--force follows it nevertheless")  # fmt: skip
    for kind, path in wanted:
        if kind == "page":
            from models.following.page import write_page

            write_page(alignment, path)
        elif kind == "video":
            from models.following.video import write_video

            write_video(alignment, path)
        else:
            from models.following.exports import write

            write(alignment, path)
    print(_summary(alignment, [path for _, path in wanted]))


def follow_score(
    recording: Path | str, score: Path | str, *, by: By | None = None, data: Path | None = None
) -> "Alignment":
    """Align a recording with a score.

    Args:
        recording: Any sound file, or a video.
        score: A score file, a PDF or picture of pages, the text of a score in LilyPond's language,
            or the id of a piece that a run has engraved.
        by: `notes` or `image`; by default `notes` if the notes are known.
        data: Folder of the data set that has the piece.

    Returns:
        The table of onsets with their times and places, what is known of the alignment as a whole,
        and the pages.

    Raises:
        FileNotFoundError: If there is no such recording or score.
        ValueError: If one of both cannot be used; the message names the remedy.
    """
    recording = Path(recording)
    return _align(recording, *_printed(recording, score, by, data))


def _align(recording: Path, sheet: "Sheet", by: By) -> "Alignment":
    if by == "image":
        from models.following import image

        return image.align(recording, sheet)
    from models.following import by_notes

    return by_notes.align(recording, sheet)


def _printed(
    recording: Path, score: Path | str, by: By | None, data: Path | None
) -> tuple["Sheet", By]:
    """What is printed and how it is followed, all options checked before the score is engraved."""
    if not recording.is_file():
        raise FileNotFoundError(f"{recording}: no such recording")
    path = _file(score)
    if data is not None and path is not None and path.is_file():
        raise ValueError(f"{score}: is a file, and --data is for the id of a piece; leave out one")
    picture = _picture(score, data)
    if picture and by == "notes":
        raise ValueError(f"{score}: a picture has no notes to follow; leave out --by notes")
    from models.following.recording import check_length

    check_length(recording)
    if picture:
        from models.following import sheet_images

        return sheet_images.read_pages(picture), "image"
    return _sheet(score, data), by or "notes"


def _picture(score: Path | str, data: Path | None) -> Path | None:
    """The pictures of pages that are named, a file or a folder; None if `score` is no picture."""
    path = _file(score)
    if path is None or data is not None:
        return None
    return path if path.suffix.lower() in scans.SUFFIXES or path.is_dir() else None


def _file(score: Path | str) -> Path | None:
    """The file or folder that is named, or the piece; None if `score` is the text of a score."""
    text = str(score)
    there = os.path.exists(text)  # noqa: PTH110 - Path's raises if a text is long
    return Path(text) if there or isinstance(score, Path) or not scores.is_text(text) else None


def _sheet(score: Path | str, data: Path | None) -> "Sheet":
    """What is printed: engraved now if `score` is a file or a text, else found in the results."""
    from models.following.alignment import Sheet

    path = _file(score)
    if path is None or path.is_file():
        found = scores.engraved_tables(path or score)
    else:
        found = _of_collection(str(score), data)
    (piece,) = found["pieces"].select(["title", "composer"]).to_pylist()
    printed = found["images"].sort_by("image")["png"].to_pylist()
    systems, noteheads, notes = (
        found[name].drop_columns(["piece_id"]) for name in ("systems", "noteheads", "notes")
    )
    title = piece["title"] or (printable(path.stem) if path else "")
    return Sheet(printed, systems, noteheads, notes, title, piece["composer"] or "")


def _of_collection(piece: str, data: Path | None) -> dict[str, pa.Table]:
    """The tables of a piece that a run has engraved."""
    try:
        folder, chunk = inspect.find(piece, data)
    except ValueError as error:
        if data is not None:
            raise
        raise FileNotFoundError(
            f"{piece}: no such score file; as the id of a piece: {error}"
        ) from None
    schemas = {
        "pieces": tables.PIECES,
        "images": tables.IMAGES,
        "systems": tables.SYSTEMS,
        "noteheads": tables.NOTEHEADS,
        "notes": tables.NOTES,
    }
    found = {
        name: tables.read(folder / name / f"{chunk}.parquet", schema).filter(
            pc.field("piece_id") == piece
        )
        for name, schema in schemas.items()
    }
    if not found["images"].num_rows:
        raise ValueError(f"piece '{piece}' was not engraved; `inspect` says why")
    return found


def _files(
    recording: Path, out: Path | None, video: Path | None, table: list[Path], sources: list[Path]
) -> list[tuple[str, Path]]:
    """What is to be written, checked before anything is computed; `sources` are read."""
    from models.following import exports, ffmpeg

    wanted = [("page", out), ("video", video), *(("table", path) for path in table)]
    files = [(kind, path) for kind, path in wanted if path is not None]
    if not files:
        files = [("page", unclaimed(recording.with_suffix(".html"), MARK, "page"))]
    suffixes = {"page": {".html", ".htm"}, "video": {".mp4"}, "table": set(exports.WRITERS)}
    for kind, path in files:
        if path.suffix.lower() not in suffixes[kind]:
            known = ", ".join(sorted(suffixes[kind]))
            raise ValueError(f"{path}: a {kind} has one of the suffixes {known}")
        require_writable(path)
        if kind == "video":
            ffmpeg.require(path)
        require_other(path, sources)
    return files


def _summary(alignment: "Alignment", written: list[Path]) -> str:
    """What the user is told at the end."""
    about = alignment.about
    name = " by ".join(filter(None, [alignment.title, alignment.composer])) or "the score"
    lines = [
        f"{about.recording} is followed in {name}: {about.route}",
        f"sureness {about.sureness:.2f}; {about.verdict}",
    ]
    for span in about.unaligned:
        when = f"{span.start:.1f}" if span.what == "cut" else f"{span.start:.1f}-{span.end:.1f}"
        lines.append(f"{when} s: {span.what}")
    lines += [f"written: {path}" for path in written]
    return "\n".join(map(printable, lines))
