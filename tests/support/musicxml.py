"""Tiny MusicXML scores, bar by bar."""

DIVISIONS = 4  # of a quarter


def note(
    pitch: str | None,
    quarters: float = 1,
    *,
    chord: bool = False,
    voice: int = 1,
    staff: int = 1,
    tie: str = "",
    grace: bool = False,
    extra: str = "",
    **attributes: str,
) -> str:
    """A note, or a rest if `pitch` is None: `note("F#4", 2)`; `tie` holds start, stop or both."""
    names = {4: "whole", 2: "half", 1: "quarter", 0.5: "eighth", 0.25: "16th"}
    if pitch is None:
        what = "<rest/>"
    else:
        alter = {"#": "<alter>1</alter>", "b": "<alter>-1</alter>"}.get(pitch[1:-1], "")
        what = f"<pitch><step>{pitch[0]}</step>{alter}<octave>{pitch[-1]}</octave></pitch>"
    kinds = [kind for kind in ("stop", "start") if kind in tie]
    ties = "".join(f'<tie type="{kind}"/>' for kind in kinds)
    tied = "".join(f'<tied type="{kind}"/>' for kind in kinds)
    said = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in attributes.items())
    dot = "<dot/>" if quarters in (3, 1.5, 0.75) else ""
    shape = names.get(quarters / 1.5 if dot else quarters, "quarter")
    return (
        f"<note{said}>{'<grace/>' if grace else ''}{'<chord/>' if chord else ''}{what}"
        f"{'' if grace else f'<duration>{round(quarters * DIVISIONS)}</duration>'}{ties}"
        f"<voice>{voice}</voice><type>{shape}</type>{dot}<staff>{staff}</staff>{extra}"
        f"<notations>{tied}</notations></note>"
    )


def backup(quarters: float) -> str:
    return f"<backup><duration>{round(quarters * DIVISIONS)}</duration></backup>"


def repeat(direction: str, *, times: int = 2, after: str = "") -> str:
    """A repeat sign; `after` is an ending that stands at the same bar line."""
    side = "left" if direction == "forward" else "right"
    count = f' times="{times}"' if direction == "backward" else ""
    return f'<barline location="{side}">{after}<repeat direction="{direction}"{count}/></barline>'


def ending(numbers: str, kind: str) -> str:
    side = "left" if kind == "start" else "right"
    return f'<barline location="{side}"><ending number="{numbers}" type="{kind}"/></barline>'


def sound(**attributes: str) -> str:
    said = "".join(f' {name}="{value}"' for name, value in attributes.items())
    return f"<direction><direction-type><words/></direction-type><sound{said}/></direction>"


def score(*parts: list[str], attributes: str = "", head: str = "", names=(), staves=1) -> str:
    """A score of some parts, each a list of bars; 4/4 in C."""
    listed, music = "", ""
    first = (
        f"<attributes><divisions>{DIVISIONS}</divisions><key><fifths>0</fifths></key>"
        f"<time><beats>4</beats><beat-type>4</beat-type></time><staves>{staves}</staves>"
        + "".join(
            f'<clef number="{n}"><sign>{sign}</sign><line>{line}</line></clef>'
            for n, (sign, line) in enumerate((("G", 2), ("F", 4))[:staves], 1)
        )
        + f"{attributes}</attributes>"
    )
    for number, bars in enumerate(parts, 1):
        name = names[number - 1] if names else f"Part {number}"
        listed += f'<score-part id="P{number}"><part-name>{name}</part-name></score-part>'
        music += f'<part id="P{number}">'
        for bar, content in enumerate(bars, 1):
            start = first if bar == 1 else ""
            music += f'<measure number="{bar}">{start}{content}</measure>'
        music += "</part>"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><score-partwise version="4.0">{head}'
        f"<part-list>{listed}</part-list>{music}</score-partwise>"
    )


def scale(names: str) -> str:
    """Quarters: `scale("C4 D4 E4 F4")`."""
    return "".join(note(name) for name in names.split())
