"""Notes into sound: FluidSynth plays every performance offline, in this process, into a FLAC file.

A performance is a piece played with one preset of one sound font: at one tempo ratio (B 3.1), or as
a person played it; dry, or in a room.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from ctypes import c_int, c_void_p
from pathlib import Path
from typing import Literal

import fluidsynth
import numpy as np
import pyarrow.parquet as pq
import soundfile
from tqdm import tqdm

from pipeline import performing, rooms, tables, tempo
from pipeline.constants import AUDIO_RATE_HZ, GAIN, TAIL_S
from pipeline.levels import loudness, normalise
from pipeline.performing import Note, Performance, Unplayable
from pipeline.reading.fonts import font_path

BLOCK_SAMPLES = 64  # FluidSynth acts on events between blocks of this size
MAX_DURATION_S = 3_600.0  # a longer performance is taken for a damaged score
SPAN_BLOCKS = 1_024  # both sides of the sound exist for this many blocks at a time
SILENCE = 0.5 / 32_768  # a peak below half a step of 16 bits; reverb alone leaves 1e-8
CHANNEL = 0
RELEASE, PEDAL, STROKE = range(3)  # in this order, if at the same time
FONT = 1  # FluidSynth's number of the only font of a synthesizer
PROGRAM_CHANNELS = [channel for channel in range(1, 16) if channel != 9]  # 9 is for drums
BEND_CENTS = 200.0  # of FluidSynth's pitch wheel at either end
BEND_STEPS = 8_192  # from its middle to an end
DRY = rooms.Room()

# The binding wraps only the 16-bit variant, which adds dither and clips.
_write_float = fluidsynth.cfunc(
    "fluid_synth_write_float",
    c_int,
    ("synth", c_void_p, 1),
    ("len", c_int, 1),
    ("lout", c_void_p, 1),
    ("loff", c_int, 1),
    ("lincr", c_int, 1),
    ("rout", c_void_p, 1),
    ("roff", c_int, 1),
    ("rincr", c_int, 1),
)


class Instrument:
    """One preset of a sound font, ready to play; use as a context manager.

    Each recording gets a synthesizer of its own, because a reset leaves the phases of reverb and
    chorus as they were. The one held here keeps the font's samples in FluidSynth's cache, which
    all synthesizers of a process share, so that a new one costs milliseconds.
    """

    def __init__(self, font_file: Path | str, bank: int = 0, preset: int = 0):
        """Raises ValueError for a file that is no sound font or has no such preset."""
        self.font_file, self.bank, self.preset = Path(font_file), bank, preset
        self._held = self.synthesizer()

    def synthesizer(self) -> fluidsynth.Synth:
        """A synthesizer in its first state with the preset on CHANNEL; the caller deletes it."""
        synth = fluidsynth.Synth(gain=GAIN, samplerate=AUDIO_RATE_HZ, channels=16)
        font = synth.sfload(str(self.font_file))
        if font == fluidsynth.FLUID_FAILED:
            synth.delete()
            raise ValueError(f"sound font {self.font_file}: not readable as SF2 or SF3")
        chosen = synth.program_select(CHANNEL, font, self.bank, self.preset)
        if chosen == fluidsynth.FLUID_FAILED:
            synth.delete()
            raise ValueError(
                f"sound font {self.font_file}: no preset {self.preset} in bank {self.bank}"
            )
        return synth

    def channels(self, synth: fluidsynth.Synth, notes: list[Note]) -> dict[int | None, int]:
        """Give the programs of notes channels of their own; those the font lacks share CHANNEL."""
        programs = sorted({note.program for note in notes if note.program is not None})
        return {
            program: channel
            for program, channel in zip(programs, PROGRAM_CHANNELS, strict=False)
            if synth.program_select(channel, FONT, 0, program) != fluidsynth.FLUID_FAILED
        }

    def close(self) -> None:
        self._held.delete()

    def __enter__(self) -> "Instrument":
        return self

    def __exit__(self, *_) -> None:
        self.close()


def _events(
    notes: list[Note],
    tempo_ratio: float,
    channels: dict[int | None, int],
    pedals: list[tuple[float, int, int]],
) -> list[tuple[int, int, int, int, int]]:
    """What happens when, in order: (block, kind, what, value, channel), a key's release before the
    pedals, and these before its next stroke; `what` is a pitch or a MIDI controller.

    A key that is struck again while it sounds is released first; two strokes at once are one.
    """
    blocks_per_s = AUDIO_RATE_HZ / BLOCK_SAMPLES / tempo_ratio
    ends: dict[tuple[int, int], dict[int, int]] = defaultdict(dict)  # key -> onset -> end, blocks
    loudest: dict[tuple[int, int, int], int] = defaultdict(int)
    for note in notes:
        start = round(note.onset_s * blocks_per_s)
        end = max(round((note.onset_s + note.duration_s) * blocks_per_s), start + 1)
        key = (note.pitch, channels.get(note.program, CHANNEL))
        ends[key][start] = max(end, ends[key].get(start, 0))
        loudest[*key, start] = max(note.velocity, loudest[*key, start])
    events: list[tuple[int, int, int, int, int]] = []
    for (pitch, channel), strokes in ends.items():
        starts = sorted(strokes)
        for start, following in zip(starts, [*starts[1:], math.inf], strict=True):
            events.append((start, STROKE, pitch, loudest[pitch, channel, start], channel))
            events.append((int(min(strokes[start], following)), RELEASE, pitch, 0, channel))
    for time_s, controller, value in pedals:
        block = round(max(time_s, 0.0) * blocks_per_s)
        events += [(block, PEDAL, controller, value, c) for c in {CHANNEL, *channels.values()}]
    in_order = sorted(events, key=lambda event: (event[:2], () if event[1] == PEDAL else event[2:]))
    return in_order  # pedals that move at the same time keep their order


def render(
    notes: list[Note],
    instrument: Instrument,
    tempo_ratio: float = 1.0,
    pedals: list[tuple[float, int, int]] | None = None,
    tuning_cents: float = 0.0,
) -> np.ndarray:
    """Play notes at a multiple of their tempo: mono (n,) float32, 44.1 kHz, the mean of both sides.

    A note starts within 32 samples (0.7 ms) of onset_s / tempo_ratio: FluidSynth acts on whole
    blocks of 64. The recording ends TAIL_S after the last note does. It is not clipped, and
    depends on nothing that was rendered before.

    Args:
        notes: What sounds.
        instrument: What it sounds with.
        tempo_ratio: 2 is twice as fast.
        pedals: Time (s, at tempo ratio 1), MIDI controller and value.
        tuning_cents: How much higher the instrument is tuned, at most 200 either way.

    Raises:
        ValueError: for tempo_ratio <= 0, and Unplayable for notes that make no recording.
    """
    if not (math.isfinite(tempo_ratio) and tempo_ratio > 0):
        raise ValueError(f"tempo_ratio is {tempo_ratio}; a tempo ratio must be above 0")
    if not notes:
        raise Unplayable("no notes")
    for note in notes:
        if not (math.isfinite(note.onset_s) and note.onset_s >= 0):
            raise Unplayable(f"a note begins at {note.onset_s} s")
        if not (math.isfinite(note.duration_s) and note.duration_s >= 0):
            raise Unplayable(f"a note lasts {note.duration_s} s")
        if not 0 <= note.pitch <= 127:
            raise Unplayable(f"a note has the pitch {note.pitch}; MIDI knows 0 to 127")
    duration_s = max(note.onset_s + note.duration_s for note in notes) / tempo_ratio + TAIL_S
    if duration_s > MAX_DURATION_S:
        raise Unplayable(f"would last {duration_s:.0f} s; the limit is {MAX_DURATION_S:.0f} s")

    samples = math.ceil(duration_s * AUDIO_RATE_HZ)
    blocks = math.ceil(samples / BLOCK_SAMPLES)
    sound = np.empty((blocks, BLOCK_SAMPLES), np.float32)
    synth = instrument.synthesizer()
    try:
        now = 0
        channels = instrument.channels(synth, notes)
        if tuning_cents:
            for channel in {CHANNEL, *channels.values()}:
                synth.pitch_bend(channel, round(tuning_cents / BEND_CENTS * BEND_STEPS))
        for block, kind, what, value, channel in _events(
            notes, tempo_ratio, channels, pedals or []
        ):
            if block >= blocks:  # pedals alone may move after the last note has died away
                break
            _play(synth, sound[now:block])
            now = block
            if kind == STROKE:
                synth.noteon(channel, what, value)
            elif kind == RELEASE:
                synth.noteoff(channel, what)
            else:
                synth.cc(channel, what, value)
        _play(synth, sound[now:])
    finally:
        synth.delete()
    return sound.ravel()[:samples]


def _play(synth: fluidsynth.Synth, sound: np.ndarray) -> None:
    """Fill `sound` (blocks, 64) with what sounds next, the mean of both sides."""
    for first in range(0, len(sound), SPAN_BLOCKS):
        span = sound[first : first + SPAN_BLOCKS]
        sides = np.empty((2, span.size), np.float32)
        left, right = (side.ctypes.data for side in sides)
        _write_float(synth.synth, span.size, left, 0, 1, right, 0, 1)
        span[:] = sides.mean(axis=0).reshape(span.shape)


def _performances(
    pieces: Iterable[performing.Piece],
    manner: performing.Manner,
    instrument: Instrument,
    font: str,
    seed: int,
    loudness_db: float | None,
    room: tuple[str | None, rooms.Room],
    folder: Path,
) -> Iterator[dict]:
    """Write a FLAC file into `folder` for each performance, and yield its row of PERFORMANCES."""
    for piece in tqdm(pieces, desc="synthesize", unit="piece", disable=None):
        for performance in performing.performances(piece, manner, font, seed):
            row = {
                "piece_id": piece.piece_id,
                "font": font,
                "tempo_ratio": performance.tempo_ratio,
                "performer": performance.performer,
                "room": room[0],
            }
            try:
                place = f"room:{seed}:{room[0]}:{piece.piece_id}:{font}:{performance.performer}"
                samples = _sound(performance, instrument, room[1], place)
            except Unplayable as reason:
                yield row | {"reason": str(reason)}
                continue
            if loudness_db is not None:
                samples = normalise(samples, loudness_db)
            name = performing.file_name(piece.piece_id, performance.performer)
            samples = np.clip(samples, -1, 1, out=samples)
            soundfile.write(folder / name, samples, AUDIO_RATE_HZ, subtype="PCM_16")
            yield row | {
                "audio": name,
                "duration_s": len(samples) / AUDIO_RATE_HZ,
                "loudness_db": loudness(samples),
                "onsets": performance.onsets,
            }


def _sound(
    performance: Performance, instrument: Instrument, room: rooms.Room, seed: str
) -> np.ndarray:
    """The recording of a performance. Raises Unplayable if it cannot be made."""
    if performance.reason:
        raise Unplayable(performance.reason)
    ratio = 1.0 if performance.tempo_ratio is None else performance.tempo_ratio
    samples = render(performance.notes, instrument, ratio, performance.pedals, room.tuning_cents)
    if np.abs(samples).max() < SILENCE:
        raise Unplayable("the sound font is silent at these pitches")
    return samples if room == DRY else rooms.record(samples, AUDIO_RATE_HZ, room, seed)


def _pieces(
    notes: Path | str,
    pieces: Path | str,
    noteheads: Path | str | None,
    splits: list[str],
    manner: performing.Manner,
) -> Iterator[performing.Piece]:
    """The pieces of these splits as they are needed: in the order of the table of NOTES, or, if
    people play, in that of PIECES, those alone that have performances."""
    known = tables.read(pieces, tables.PIECES, ["piece_id", "split"]).to_pylist()
    chosen = {row["piece_id"] for row in known if row["split"] in splits}
    if manner.tempo_ratio == performing.HUMAN:
        if noteheads is None:
            raise ValueError("performances by people need the table of noteheads")
        yield from _played_by_people(Path(pieces), Path(noteheads), chosen)
        return
    columns = [name for name in tables.NOTES.names if name != "program" or manner.programs]
    table = tables.read(notes, tables.NOTES, columns)
    found: dict[str, list[dict]] = defaultdict(list)
    for row in table.to_pylist():
        if (piece_id := row.pop("piece_id")) in chosen:
            found[piece_id].append(row)
    for piece_id, rows in found.items():
        yield performing.Piece(piece_id, rows)


def _played_by_people(
    pieces: Path, noteheads: Path, chosen: set[str]
) -> Iterator[performing.Piece]:
    heads: dict[str, list[dict]] = defaultdict(list)
    columns = ["piece_id", "notehead_id", "source_id", "pitch"]
    for row in tables.read(noteheads, tables.NOTEHEADS, columns).to_pylist():
        heads[row["piece_id"]].append(row)
    tables.read(pieces, tables.PIECES, columns=[])
    for group in pq.ParquetFile(pieces).iter_batches(1, columns=["piece_id", "performances"]):
        (row,) = group.to_pylist()
        if row["piece_id"] in chosen & heads.keys() and row["performances"]:
            yield performing.Piece(row["piece_id"], [], heads[row["piece_id"]], row["performances"])


def synthesize(
    notes: Path | str,
    pieces: Path | str,
    splits: list[str],
    font: str,
    font_file: str,
    bank: int,
    preset: int,
    tempo_ratio: str,
    seed: int,
    loudness_db: float | None,
    audio: Path | str,
    out: Path | str,
    instruments: Literal["piano", "score"] = "piano",
    noteheads: Path | str | None = None,
    expression: Literal["none", "phrased"] = "none",
    velocities: Literal["human", "fixed"] = "human",
    room: str | None = None,
    room_settings: dict | None = None,
) -> None:
    """Play the notes of a chunk with a sound font.

    Writes a FLAC file for each performance, mono, 16 bit, 44.1 kHz, named after the piece (and its
    performer), and a table of PERFORMANCES. A performance that cannot be played has a reason in the
    table instead of a file. The folder is written whole or not at all.

    Args:
        notes: Parquet table of NOTES.
        pieces: Parquet table of PIECES, for the splits.
        splits: The splits whose pieces are played; there may be none.
        font: Name of the font in the table.
        font_file: The font: a file (sf2 or sf3), or PACKAGE:FILE for one that a package brings.
        bank: Number of the bank in the font.
        preset: Number of the preset in the bank.
        tempo_ratio: A number, 2 is twice as fast; or a range like 0.9-1.1, from which each piece's
            ratio is drawn by seed; or `human` for the performances by people that the source has.
        seed: Of all that is drawn.
        loudness_db: Loudness of every recording (dBFS); by default FluidSynth's own.
        audio: Folder to write the recordings to.
        out: Parquet table to write.
        instruments: `piano` plays all with the preset, `score` each part with the General MIDI
            program that the score gives it, if the font has it.
        noteheads: Parquet table of NOTEHEADS, for performances by people.
        expression: `none`, or `phrased`: tempo and loudness follow phrases, chords are spread, the
            end slows down. Not for performances by people.
        velocities: `human` keeps those of people and of expression, `fixed` plays all notes alike.
        room: Name of the room that it is recorded in; None for none.
        room_settings: What it is like, see `pipeline.rooms.Room`.

    Raises:
        FileNotFoundError: If there is no such font.
        ValueError: If the font, its preset or the tempo ratio cannot be used.
    """
    if tempo_ratio != performing.HUMAN:
        tempo.span(tempo_ratio)
    manner = performing.Manner(tempo_ratio, expression, velocities, instruments == "score")
    recorded = room, rooms.from_settings(room_settings)
    with (
        Instrument(font_path(font_file), bank, preset) as instrument,
        tables.replacing(audio) as folder,
    ):
        folder.mkdir()
        chosen = _pieces(notes, pieces, noteheads, splits, manner)
        rows = _performances(chosen, manner, instrument, font, seed, loudness_db, recorded, folder)
        tables.write(rows, tables.PERFORMANCES, out)
