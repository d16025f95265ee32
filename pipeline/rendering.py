"""Play notes with FluidSynth, offline and in this process."""

import math
from collections import defaultdict
from ctypes import c_int, c_void_p
from pathlib import Path

import fluidsynth
import numpy as np

from pipeline.constants import AUDIO_RATE_HZ, GAIN, TAIL_S
from pipeline.performing import Note, Unplayable

BLOCK_SAMPLES = 64  # FluidSynth acts on events between blocks of this size
MAX_DURATION_S = 3_600.0  # a longer performance is taken for a damaged score
SPAN_BLOCKS = 1_024  # both sides of the sound exist for this many blocks at a time
CHANNEL = 0
RELEASE, PEDAL, STROKE = range(3)  # in this order, if at the same time
FONT = 1  # FluidSynth's number of the only font of a synthesizer
PROGRAM_CHANNELS = [channel for channel in range(1, 16) if channel != 9]  # 9 is for drums
BEND_CENTS = 200.0  # of FluidSynth's pitch wheel at either end
BEND_STEPS = 8_192  # from its middle to an end

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
            _play(synth, sound[now:block])  # nothing for pedals that move after the last note died
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
