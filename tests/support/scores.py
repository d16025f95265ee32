"""Scores that the tests write themselves: MIDI files as bytes, tiny ABC tunes."""

import io

import mido


def midi(
    notes: list[tuple[float, float, int]],
    *,
    metres: list[tuple[float, int, int]] = ((0, 4, 4),),
    key: str = "C",
    keys: list[tuple[float, str]] = (),
    tempi: list[tuple[float, int]] = ((0, 500_000),),
    accents: list[float] = (),
    resolution: int = 480,
) -> bytes:
    """A MIDI file whose second track holds (onset, end, pitch) notes, times in quarters.

    metres: (quarter, beats, unit); keys: (quarter, name) of changes; tempi: (quarter, microseconds
    a quarter note); accents: onsets that are struck harder.
    """
    file = mido.MidiFile(ticks_per_beat=resolution)
    conductor = [(0, mido.MetaMessage("key_signature", key=key))]
    conductor += [(t, mido.MetaMessage("key_signature", key=name)) for t, name in keys]
    conductor += [(t, mido.MetaMessage("set_tempo", tempo=tempo)) for t, tempo in tempi]
    conductor += [
        (t, mido.MetaMessage("time_signature", numerator=n, denominator=d)) for t, n, d in metres
    ]
    melody = []
    for onset, end, pitch in notes:
        velocity = 105 if onset in accents else 80
        melody.append((onset, mido.Message("note_on", note=pitch, velocity=velocity)))
        melody.append((end, mido.Message("note_off", note=pitch)))
    for events in (conductor, melody):
        track = mido.MidiTrack()
        now = 0
        # at equal times a note ends before the next begins
        for time, message in sorted(events, key=lambda e: (e[0], e[1].type == "note_on")):
            ticks = round(time * resolution)
            track.append(message.copy(time=ticks - now))
            now = ticks
        file.tracks.append(track)
    out = io.BytesIO()
    file.save(file=out)
    return out.getvalue()


def scale(count: int, length: float = 0.5, start: float = 0.0) -> list[tuple[float, float, int]]:
    """`count` notes of equal length that go up and down the scale of C."""
    steps = [60, 62, 64, 65, 67, 69, 71, 72, 71, 69, 67, 65, 64, 62]
    return [
        (start + i * length, start + (i + 1) * length, steps[i % len(steps)]) for i in range(count)
    ]
