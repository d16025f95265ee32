"""Follow a recording on the pages of its score: the command, and the same for notebooks."""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pyarrow as pa
import pyarrow.compute as pc

from partimento import scores
from pipeline import tables
from pipeline.describing import inspect

if TYPE_CHECKING:
    from models.following.alignment import Alignment, Sheet

PICTURES = {".pdf", ".png", ".jpg", ".jpeg", ".tif", ".tiff"}  # pages without notes
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
    its name with .html. The recording and the score are only read.

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
        ValueError: If one of both cannot be used, they do not fit, or a file to write is there
            and is not one of ours.
    """
    wanted = _files(recording, score, out, video, table or [])
    alignment = follow_score(recording, score, by=by, data=data)
    about = alignment.about
    if not (about.fits or force):
        raise ValueError(f"{recording}: {about.verdict}; nothing is written; "
                         "--force follows it nevertheless")  # fmt: skip
    for kind, path in wanted:
        if kind == "page":
            importlib.import_module("models.following.page").write_page(alignment, path)
        elif kind == "video":
            importlib.import_module("models.following.video").write_video(alignment, path)
        else:
            importlib.import_module("models.following.exports").write(alignment, path)
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
    if not recording.is_file():
        raise FileNotFoundError(f"{recording}: no such recording")
    picture = "\n" not in str(score) and (
        Path(score).suffix.lower() in PICTURES or Path(score).is_dir()
    )
    if picture and by == "notes":
        raise ValueError(f"{score}: a picture has no notes to follow; leave out --by notes")
    if by == "image" or picture:
        image = importlib.import_module("models.following.image")
        if picture:
            pages = importlib.import_module("models.following.sheet_images")
            return image.align(recording, pages.read_pages(Path(score)))
        return image.align(recording, _sheet(score, data))
    from models.following import by_notes

    return by_notes.align(recording, _sheet(score, data))


def _sheet(score: Path | str, data: Path | None) -> "Sheet":
    """What is printed: engraved now if `score` is a file, else found in the results."""
    from models.following.alignment import Sheet

    text = str(score)
    if "\n" in text or Path(text).is_file() or (Path(text).suffix and data is None):
        found = scores.engraved_tables(score)
    else:
        found = _of_collection(text, data)
    (piece,) = found["pieces"].select(["title", "composer"]).to_pylist()
    pages = found["images"].sort_by("image")["png"].to_pylist()
    systems, noteheads, notes = (
        found[name].drop_columns(["piece_id"]) for name in ("systems", "noteheads", "notes")
    )
    title = piece["title"] or ("" if "\n" in text else Path(text).stem)
    return Sheet(pages, systems, noteheads, notes, title, piece["composer"] or "")


def _of_collection(piece: str, data: Path | None) -> dict[str, pa.Table]:
    """The tables of a piece that a run has engraved."""
    folder, chunk = inspect.find(piece, data)
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
    recording: Path, score: str, out: Path | None, video: Path | None, table: list[Path]
) -> list[tuple[str, Path]]:
    """What is to be written, checked before anything is computed."""
    wanted = [("page", out), ("video", video), *(("table", path) for path in table)]
    files = [(kind, path) for kind, path in wanted if path is not None]
    if not files:
        files = [("page", recording.with_suffix(".html"))]
        if files[0][1].exists() and not _ours(files[0][1]):
            raise ValueError(f"{files[0][1]}: is there already and is not a page of this program; "
                             "name another with --out")  # fmt: skip
    suffixes = {"page": {".html", ".htm"}, "video": {".mp4"}}
    suffixes["table"] = set(importlib.import_module("models.following.exports").WRITERS)
    for kind, path in files:
        if path.suffix.lower() not in suffixes[kind]:
            known = ", ".join(sorted(suffixes[kind]))
            raise ValueError(f"{path}: a {kind} has one of the suffixes {known}")
        if path.is_dir():
            raise ValueError(f"{path}: is a folder; name a file to write")
        for source in (recording, Path(score) if "\n" not in score else None):
            if source and path.exists() and source.exists() and path.samefile(source):
                raise ValueError(f"{path}: is what is read; name another file to write")
    return files


def _ours(page: Path) -> bool:
    """Whether a page was written by this program, so that it may be written anew."""
    with page.open("rb") as file:
        return b"partimento" in file.read(4096).lower()


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
    return "\n".join(lines)
