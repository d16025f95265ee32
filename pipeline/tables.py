"""The tables between stages: their schemas, and how they are written and read.

A schema's fields carry their unit and meaning in the metadata, so a Parquet file explains itself.
"""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.replacing import replacing


def field(name: str, kind: pa.DataType, description: str, unit: str = "") -> pa.Field:
    """A column that says what it means, and in which unit."""
    metadata = {"description": description}
    if unit:
        metadata["unit"] = unit
    return pa.field(name, kind, metadata=metadata)


_PIECE = field("piece_id", pa.string(), "unit of the split and of failure")
_SPLIT = field("split", pa.string(), "train, valid, test, or extra: in no published split")
_FONT = field(
    "font",
    pa.string(),
    "name of the sound font in the config; `recordings`: a recording of people, whose onsets were"
    " found by alignment",
)
_SPECTROGRAM = field(
    "spectrogram", pa.list_(pa.float32()), "frames x bins, flat, row after row", "log10(1+|X|)"
)
_RHO = field(
    "tempo_ratio", pa.float32(), "tempo ratio, 2 is twice as fast; null: a person's own tempo"
)
_PERFORMER = field(
    "performer",
    pa.string(),
    "who plays, by the name of a match file or a recording; null: the notes of the score",
)
_ROOM = field(
    "room", pa.string(), "room of the config that it is recorded in; null: dry or unknown"
)
LATER = {"sureness"}  # fields of structures that files of earlier versions lack
ONSET = pa.struct(
    [
        ("note_id", pa.int32()),
        ("notehead_id", pa.int32()),
        ("onset_s", pa.float64()),
        ("duration_s", pa.float64()),
        ("pitch", pa.int16()),
        ("velocity", pa.int16()),
        ("pass", pa.int16()),
        ("reason", pa.string()),
        ("sureness", pa.float32()),
    ]
)

PIECES = pa.schema(
    [
        _PIECE,
        field("collection", pa.string(), "name of the collection in the config"),
        _SPLIT,
        field("source", pa.string(), "file or work that the piece was read from"),
        field("composer", pa.string(), "as the source gives it"),
        field("title", pa.string(), "as the source gives it"),
        field("lyricist", pa.string(), "as the source gives it"),
        field("licence", pa.string(), "of the score"),
        field("chunk", pa.int32(), "job that carries the piece; follows from its id"),
        field("reason", pa.string(), "why the piece was left out; null where it was kept"),
        field(
            "score",
            pa.list_(pa.struct([("name", pa.string()), ("text", pa.large_string())])),
            "LilyPond files by relative name, the first is compiled; or one file in another format",
        ),
        field("look", pa.string(), "what its pages look like, by name; null if the default"),
        field(
            "melody",
            pa.list_(
                pa.struct(
                    [("onset", pa.float64()), ("duration", pa.float64()), ("pitch", pa.int16())]
                )
            ),
            "notes that must sound, repeats played out; null where the source does not tell",
            "quarter notes, MIDI pitch",
        ),
        field(
            "performances",
            pa.list_(
                pa.struct(
                    [
                        ("performer", pa.string()),
                        ("source", pa.string()),
                        ("match", pa.large_string()),
                        ("reason", pa.string()),
                    ]
                )
            ),
            "match files of performances by people, or why one cannot be read; null if it has none",
        ),
    ]
)

IMAGES = pa.schema(
    [
        _PIECE,
        field("image", pa.int32(), "running number in the piece"),
        field("png", pa.binary(), "a page, or one staff of a tune; 8-bit grey, white 255"),
        field("width", pa.int32(), "of the image", "px"),
        field("height", pa.int32(), "of the image", "px"),
    ]
)

SYSTEMS = pa.schema(
    [
        _PIECE,
        field("system", pa.int32(), "running number in the piece, from the top"),
        field("image", pa.int32(), "image that shows the system"),
        field("left", pa.float32(), "where the staff lines begin", "px"),
        field("right", pa.float32(), "where the staff lines end", "px"),
        field("top", pa.list_(pa.float32()), "first line of each staff, from the top", "px"),
        field("bottom", pa.list_(pa.float32()), "last line of each staff", "px"),
    ]
)

NOTEHEADS = pa.schema(
    [
        _PIECE,
        field("notehead_id", pa.int32(), "running number in the piece, in order of moment"),
        field("image", pa.int32(), "image that shows the notehead"),
        field("system", pa.int32(), "system of the notehead"),
        field("staff", pa.int32(), "staff of the system, 0 at the top"),
        field("x", pa.float32(), "centre of the notehead, origin at the image's left edge", "px"),
        field("y", pa.float32(), "centre of the notehead, origin at the image's top edge", "px"),
        field("width", pa.float32(), "of the notehead", "px"),
        field("height", pa.float32(), "of the notehead", "px"),
        field("pitch", pa.int16(), "MIDI number of the written pitch"),
        field("moment", pa.float64(), "in the printed score, repeats not played", "quarter notes"),
        field("bar", pa.string(), "number of its bar, as printed; null if the source has none"),
        field("beat", pa.float64(), "from the beginning of its bar", "quarter notes"),
        field("grace", pa.bool_(), "a grace note"),
        field("tied", pa.bool_(), "continues a note that already sounds"),
        field("source_id", pa.string(), "id of the note in its source; null if it has none"),
    ]
)

NOTES = pa.schema(
    [
        _PIECE,
        field("note_id", pa.int32(), "running number in the piece, in order of onset"),
        field("onset", pa.float64(), "repeats played out", "quarter notes"),
        field("onset_s", pa.float64(), "at tempo ratio 1", "s"),
        field("duration", pa.float64(), "ties joined", "quarter notes"),
        field("duration_s", pa.float64(), "at tempo ratio 1", "s"),
        field("pitch", pa.int16(), "MIDI number of the sounding pitch"),
        field("pass", pa.int16(), "how often its notehead has sounded by now, repeats played"),
        field("program", pa.int16(), "General MIDI, from 0, of its instrument; null if not said"),
        field("notehead_id", pa.int32(), "notehead printed at the onset; null if there is none"),
        field("reason", pa.string(), "why a note has no notehead; null if it has one"),
    ]
)

ENGRAVED = pa.schema(
    [
        _PIECE,
        field("images", pa.int32(), "images: pages, or staves of a tune"),
        field("systems", pa.int32(), "systems"),
        field("noteheads", pa.int32(), "printed noteheads"),
        field("notes", pa.int32(), "sounding notes"),
        field("linked", pa.int32(), "sounding notes that have a notehead"),
        field("onsets", pa.int32(), "times at which notes begin"),
        field("linked_onsets", pa.int32(), "onsets with a note that has a notehead"),
        field("midi_notes", pa.int32(), "notes in LilyPond's own MIDI files, drums aside"),
        field("midi_frames", pa.int32(), "frames that they begin in, 20 a second, as MSMD counts"),
        field("off_midi", pa.int32(), "notes that differ from LilyPond's MIDI in onset or pitch"),
        field(
            "off_height",
            pa.int32(),
            "noteheads whose vertical position does not match their pitch, nor the source names it",
        ),
        field("off_ink", pa.int32(), "noteheads without a notehead's ink in their box"),
        field(
            "off_accidental",
            pa.int32(),
            "noteheads whose pitch follows from neither accidentals, key nor the source",
        ),
        field("off_source", pa.int32(), "notes that a second reading of the source has otherwise"),
        field("chord_symbols", pa.int32(), "chord symbols, printed and silent"),
        field("chord_notes", pa.int32(), "notes of chord names, printed and not among the notes"),
        field("drum_strokes", pa.int32(), "drum strokes, printed and not among the notes"),
        field("engraving", pa.string(), "program that engraved the piece, and its music font"),
        field(
            "warnings",
            pa.list_(pa.string()),
            "what LilyPond complained of, or what was mended, although the piece was engraved",
        ),
        field("reason", pa.string(), "why nothing was engraved; null if it was"),
    ]
)

PERFORMANCES = pa.schema(
    [
        _PIECE,
        _FONT,
        _RHO,
        field("audio", pa.string(), "FLAC file, relative to the folder of the audio"),
        field("duration_s", pa.float32(), "of the recording", "s"),
        field("loudness_db", pa.float32(), "root mean square below full scale", "dBFS"),
        field("reason", pa.string(), "why there is no recording; null where there is one"),
        _PERFORMER,
        _ROOM,
        field(
            "onsets",
            pa.list_(ONSET),
            "notes as they sound in the recording, in order of onset, and those of the score that"
            " do not; null: those of `notes`, onset_s and duration_s divided by tempo_ratio."
            " `sureness` of a time that alignment found, 0 to 1; null if the time is known",
        ),
    ]
)

FEATURES = pa.schema(
    [
        _PIECE,
        _FONT,
        _RHO,
        field("fps", pa.float32(), "frame rate", "1/s"),
        field("bins", pa.int32(), "frequency bins a frame"),
        _SPECTROGRAM,
        _PERFORMER,
    ]
)

SHARDS = pa.schema(
    [
        _PIECE,
        _SPLIT,
        _FONT,
        _RHO,
        field("fps", pa.float32(), "frame rate", "1/s"),
        field("bins", pa.int32(), "frequency bins a frame"),
        _SPECTROGRAM,
        field("images", pa.list_(pa.binary()), "PNG of each staff of a tune, or of one strip"),
        field("left", pa.list_(pa.float32()), "where the lines begin in each image", "px"),
        field("right", pa.list_(pa.float32()), "where the lines end in each image", "px"),
        field("note_id", pa.list_(pa.int32()), "one entry a sounding onset, in order"),
        field("onset_s", pa.list_(pa.float64()), "from the beginning of the recording", "s"),
        field("frame", pa.list_(pa.int32()), "first frame at or after the onset", "frames"),
        field("image", pa.list_(pa.int32()), "index into images"),
        field("x", pa.list_(pa.float32()), "centre of the onset's notehead in its image", "px"),
        field("pitch", pa.list_(pa.int16()), "MIDI number"),
        field(
            "first_frame", pa.list_(pa.int32()), "first onset of the pass over the staff", "frames"
        ),
        field(
            "last_frame", pa.list_(pa.int32()), "last onset of the pass over the staff", "frames"
        ),
        field("reason", pa.list_(pa.string()), "why the onset is no example; null: it is one"),
        _PERFORMER,
        _ROOM,
        field(
            "moment",
            pa.list_(pa.float32()),
            "of the onset in the printed score; null if the tempo ratio tells the tempo",
            "quarter notes",
        ),
    ]
)
SHARED_WORKS = pa.schema(
    [
        field("piece_id", pa.string(), "piece of the split `extra` that stays there"),
        field("shared_with", pa.string(), "piece that is held out"),
        field("split", pa.string(), "of that piece: valid or test"),
        field("reason", pa.string(), "catalogue number, title or music, and what they share"),
    ]
)


def without_piece(schema: pa.Schema) -> pa.Schema:
    """The schema of a table that is of one piece and does not name it."""
    return schema.remove(schema.get_field_index("piece_id"))


def write(rows: Iterable[dict], schema: pa.Schema, path: Path | str, row_group: int = 64) -> None:
    """Write rows (dicts by column name) as a Parquet file of `schema`, whole or not at all.

    At most `row_group` rows are held in memory; iterables may be generators.
    """
    with (
        replacing(path) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd") as writer,
    ):
        held: list[dict] = []
        for row in rows:
            held.append(row)
            if len(held) == row_group:
                writer.write_table(pa.Table.from_pylist(held, schema=schema))
                held = []
        if held:
            writer.write_table(pa.Table.from_pylist(held, schema=schema))


def read(path: Path | str, schema: pa.Schema, columns: list[str] | None = None) -> pa.Table:
    """Read a Parquet file and check that it has the columns of `schema`.

    Structures of files that earlier versions wrote may lack the fields in LATER.

    Raises ValueError that names the file and the column where it differs.
    """
    try:
        found = pq.read_schema(path)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such file") from None
    except pa.ArrowInvalid as error:
        raise ValueError(f"{path}: not a Parquet file ({error}); delete it and run again") from None
    for column in schema:
        if column.name not in found.names:
            raise ValueError(
                f"{path}: column '{column.name}' is missing; if another version wrote the file, "
                "delete it and run again"
            )
        kind = found.field(column.name).type
        if not _fits(kind, column.type):
            raise ValueError(f"{path}: column '{column.name}' is {kind}, not {column.type}")
    try:
        return pq.read_table(path, columns=columns)
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(
            f"{path}: corrupt ({' '.join(str(error).split())}); delete it and run again"
        ) from None


def _fits(found: pa.DataType, expected: pa.DataType) -> bool:
    """Whether a column's type is the expected one, but for fields that earlier versions lack."""
    if pa.types.is_list(found) and pa.types.is_list(expected):
        return _fits(found.value_type, expected.value_type)
    if pa.types.is_struct(found) and pa.types.is_struct(expected):
        known = {field.name for field in found}
        expected = pa.struct([f for f in expected if f.name in known or f.name not in LATER])
    return found == expected
