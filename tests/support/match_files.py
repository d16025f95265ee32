"""Match files of tiny performances."""

TICKS_A_SECOND = 960
NAMES = ["[C,n]", "[C,#]", "[D,n]", "[D,#]", "[E,n]", "[F,n]",
         "[F,#]", "[G,n]", "[G,#]", "[A,n]", "[A,#]", "[B,n]"]  # fmt: skip


def _score_note(score_id: str, pitch: int) -> str:
    return f"snote({score_id},{NAMES[pitch % 12]},{pitch // 12 - 1},1:1,0,1/4,0.0,1.0,[v1,staff1])"


def _played(number: int, pitch: int, onset_s: float, seconds: float, velocity: int) -> str:
    begin, end = (round(TICKS_A_SECOND * time) for time in (onset_s, onset_s + seconds))
    return f"note(n{number},{pitch},{begin},{end},{velocity},0,0)"


def match(
    notes: list[tuple[str | None, int, float]],
    missing: list[tuple[str, int]] = (),
    pedal: list[tuple[float, int]] = (),
    seconds: float = 0.4,
    velocity: int = 80,
) -> str:
    """A match file in which each note is (id in the score or None, pitch, onset in seconds)."""
    lines = [
        "info(matchFileVersion,1.0.0).",
        "info(midiClockUnits,480).",
        "info(midiClockRate,500000).",
    ]
    for number, (score_id, pitch, onset_s) in enumerate(notes):
        played = _played(number, pitch, onset_s, seconds, velocity)
        front = "insertion" if score_id is None else _score_note(score_id, pitch)
        lines.append(f"{front}-{played}.")
    lines += [f"{_score_note(score_id, pitch)}-deletion." for score_id, pitch in missing]
    lines += [f"sustain({round(TICKS_A_SECOND * time)},{value})." for time, value in pedal]
    return "\n".join(lines) + "\n"
