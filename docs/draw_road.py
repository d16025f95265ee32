"""Draw docs/road.svg, the way from scores to networks and followed recordings:
python docs/draw_road.py
"""

from pathlib import Path

from draw_architecture import GREY, INK, LINE, PAPER, arrow, box, label

OUT = Path(__file__).with_name("road.svg")
WIDTH, HEIGHT = 1120, 486
WHITE, NIGHT, GOLD, BLUE, ORANGE = "#ffffff", "#102a43", "#ffd166", "#0072b2", "#d55e00"
LEFT, RIGHT = 408, 744  # of the staff
LINES = range(74, 111, 9)  # of the staff
BOTTOM = 332  # of the spectrogram
NOTES = [  # x and y of a notehead, whether its stem points up, x of its onset in the spectrogram
    (440, 101, True, 414), (482, 92, True, 462), (524, 83, False, 510), (566, 92, True, 558),
    (588, 87.5, True, 582), (640, 78.5, False, 606), (682, 87.5, False, 654),
    (724, 96.5, True, 702),
]  # fmt: skip
END = 744  # of the last note
BEAMED = {3, 4}
OVERTONES = ((0, 0.95), (22, 0.63), (34.9, 0.49), (44, 0.41), (51.1, 0.36))  # px, opacity
BARS = [3, 3, 3, 3.3, 8.9, 19, 8.9, 3.3, 3, 3.3, 8.6, 36.2, 63, 36.2, 8.6, 3.3, 3, 3, 3, 3]


def rectangle(x: float, y: float, width: float, height: float, fill: str, more: str = "") -> str:
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" fill="{fill}"{more}/>'


def line(x1: float, y1: float, x2: float, y2: float, width: float, colour: str = INK) -> str:
    where = f'x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}"'
    return f'<line {where} stroke="{colour}" stroke-width="{width:g}"/>'


def staff() -> list[str]:
    """The first bars of a tune, its noteheads in colour."""
    parts = [line(LEFT, y, RIGHT, y, 1) for y in LINES]
    parts += [line(x, LINES[0], x, LINES[-1], width) for x, width in ((612, 1.2), (RIGHT, 2))]
    for number, (x, y, up, _) in enumerate(NOTES):
        parts.append(
            f'<ellipse cx="{x}" cy="{y:g}" rx="5.6" ry="4.2" fill="{ORANGE}"'
            f' transform="rotate(-20 {x} {y:g})"/>'
        )
        stem = x + 5 if up else x - 5
        if number in BEAMED:
            parts.append(line(stem, y - 1, stem, 60, 1.3))
        else:
            parts.append(line(stem, y - 1 if up else y + 1, stem, y - 29 if up else y + 29, 1.3))
    parts.append(f'<path d="M570.4 60 L593.6 55 V59.5 L570.4 64.5 z" fill="{INK}"/>')
    return parts


def spectrogram() -> list[str]:
    """What sounds: a note and its overtones from each onset to the next."""
    parts = []
    ends = [note[3] for note in NOTES[1:]] + [END]
    for (_, y, _, x), end in zip(NOTES, ends, strict=True):
        lowest = 310.4 - (101 - y) * 0.71
        parts += [
            rectangle(x, lowest - above, end - x - 3, 3, GOLD, f' opacity="{opacity:g}"')
            for above, opacity in OVERTONES
        ]  # fmt: skip
    return parts


def links() -> list[str]:
    """From each notehead to its onset."""
    parts = []
    for x, y, _, onset in NOTES:
        way = f"M{x} {y + 6:g} V146 C{x} 190 {onset} 184 {onset} 236"
        style = f'fill="none" stroke="{BLUE}" stroke-width="1.6" stroke-dasharray="4 3"'
        parts.append(f'<path d="{way}" {style}/>')
        parts.append(line(onset, 236, onset, BOTTOM, 1, BLUE))
    parts.append(rectangle(514, 174, 124, 26, "#e3f0f8", f' rx="13" stroke="{BLUE}"'))
    parts.append(
        f'<text x="576" y="192" font-size="13" fill="{BLUE}" text-anchor="middle"'
        ' font-weight="600">linked exactly</text>'
    )
    return parts


def distribution(x: int, y: int) -> list[str]:
    """How sure a network is of each position of a staff; the surest is the right one."""
    parts = [
        rectangle(x + 6.8 * n, y - height, 5.2, height, ORANGE if height == max(BARS) else BLUE)
        for n, height in enumerate(BARS)
    ]
    return [*parts, line(x - 4, y + 0.5, x + 138, y + 0.5, 1)]


def table(x: int, y: int) -> list[str]:
    """A head and two rows of four cells."""
    return [
        rectangle(
            x + 21 * column, y + 11 * row, 21, 11, WHITE if row else "#dfe6ec", f' stroke="{LINE}"'
        )
        for row in range(3)
        for column in range(4)
    ]


def drawing() -> str:
    """The whole picture as SVG."""
    tip = f'<path d="M0 0 L8 4 L0 8 z" fill="{GREY}"/>'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        ' font-family="Helvetica, Arial, DejaVu Sans, sans-serif">',
        "<title>From scores to images and sound, linked note by note, to networks trained on both,"
        " and to recordings followed on their pages</title>",
        rectangle(0, 0, WIDTH, HEIGHT, PAPER, ' rx="12"'),
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="5"'
        f' markerHeight="5" orient="auto">{tip}</marker></defs>',
    ]
    # scores and their engravers
    parts += box(24, 86, 152, 84, WHITE, "tunes, scores", "MIDI files,", "LilyPond files")
    parts += box(24, 208, 152, 84, WHITE, "scores", "MusicXML, MEI,", "Humdrum, ABC")
    parts += box(212, 86, 128, 84, WHITE, "LilyPond", "engraves")
    parts += box(212, 208, 128, 84, WHITE, "Verovio", "engraves")
    parts += arrow("M176 128 H208") + arrow("M176 250 H208")
    parts += [f'<path d="M340 128 H364 M340 250 H364" stroke="{GREY}" stroke-width="1.8"/>']
    parts += arrow("M364 190 V92 H388") + arrow("M364 190 V284 H388")
    parts += label(392, 36, "pages or staves, with every notehead's place", "start")
    parts += label(392, 352, "FluidSynth's sound, spectrogram, onset times", "start")
    # image and sound
    parts += box(392, 44, 368, 96, WHITE) + staff()
    parts += box(392, 236, 368, 96, NIGHT) + spectrogram() + links()
    parts += arrow("M760 92 H828 V148") + arrow("M760 284 H828 V236")
    parts += box(770, 152, 116, 80, WHITE) + table(786, 162)
    parts += [
        f'<text x="828" y="220" font-size="14" fill="{INK}" font-weight="600"'
        ' text-anchor="middle">Parquet</text>'
    ]
    # networks
    parts += box(926, 44, 170, 180, WHITE) + distribution(944, 172)
    parts += [
        f'<text x="1011" y="72" font-size="15" fill="{INK}" font-weight="600"'
        ' text-anchor="middle">score following</text>'
    ]
    parts += label(1011, 198, "where on the staff?")
    parts += box(926, 248, 170, 84, WHITE, "retrieval", "which snippet", "of which piece?")
    parts += arrow("M886 192 H922") + arrow("M904 192 V290 H922")
    # a recording
    parts += box(24, 392, 152, 64, WHITE, "your recording", "sound or video")
    parts += box(
        392,
        392,
        368,
        64,
        WHITE,
        "partimento follow",
        "repeats, cuts, silence and applause are found",
    )
    parts += box(926, 392, 170, 64, WHITE, "page or video", "noteheads light up")
    parts += arrow("M176 424 H388") + arrow("M760 424 H922") + arrow("M364 284 V372 H576 V388")
    parts += label(590, 376, "pages and notes", "start")
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    OUT.write_text(drawing())
