"""Draw docs/architecture.svg: python docs/draw_architecture.py"""

from pathlib import Path

INK, GREY, PAPER, LINE = "#1b2733", "#5b6b7a", "#f6f8fa", "#c9d2da"
DATA, LEARNING, DOOR = "#e3eefa", "#fdeeda", "#e5f3e8"  # the two halves, and the ways in
OUT = Path(__file__).with_name("architecture.svg")
WIDTH, HEIGHT = 1120, 640
NOTES = (
    "Arrows from stage to stage, and into models/, are data; all others lead to what is imported."
    " None leads up.",
    "Blue needs no torch. models/ reads shards, and of pipeline/ borrows schemas, constants and the"
    " spectrogram.",
)


def box(x: int, y: int, width: int, height: int, fill: str, *lines: str) -> list[str]:
    """A box with a bold first line and smaller ones below it."""
    middle = y + height / 2 - 9 * (len(lines) - 1)
    parts = [
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8" fill="{fill}"'
        f' stroke="{LINE}" stroke-width="1.5"/>'
    ]
    for number, line in enumerate(lines):
        style = f'font-size="15" fill="{INK}" font-weight="600"'
        if number:
            style = f'font-size="12.5" fill="{GREY}"'
        parts.append(
            f'<text x="{x + width / 2:g}" y="{middle + 5 + 18 * number:g}" {style}'
            f' text-anchor="middle">{line}</text>'
        )
    return parts


def label(x: int, y: int, text: str, anchor: str = "middle") -> list[str]:
    return [
        f'<text x="{x}" y="{y}" font-size="12.5" fill="{GREY}" text-anchor="{anchor}">{text}</text>'
    ]


def arrow(path: str, dashed: bool = False) -> list[str]:
    dashes = ' stroke-dasharray="5 4"' if dashed else ""
    style = f'fill="none" stroke="{GREY}" stroke-width="1.8"{dashes} marker-end="url(#tip)"'
    return [f'<path d="{path}" {style}/>']


def stages(y: int, left: int, width: int, gap: int, fill: str, entries: list[tuple]) -> list[str]:
    """Boxes in a row, each with an arrow to the next, and what goes along it."""
    parts = []
    for number, (name, about, made) in enumerate(entries):
        x = left + number * (width + gap)
        parts += box(x, y, width, 64, fill, name, about)
        if number < len(entries) - 1:
            parts += arrow(f"M{x + width} {y + 32} H{x + width + gap - 4}")
        if made:
            parts += label(x + width + gap // 2, y + 84, made)
    return parts


def drawing() -> str:
    """The whole picture as SVG."""
    tip = f'<path d="M0 0 L8 4 L0 8 z" fill="{GREY}"/>'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        ' font-family="Helvetica, Arial, DejaVu Sans, sans-serif">',
        "<title>The packages of the project, and the path of a score through them</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="12" fill="{PAPER}"/>',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="5"'
        f' markerHeight="5" orient="auto">{tip}</marker></defs>',
    ]
    # the ways in
    parts += box(
        24, 24, 528, 64, DOOR, "Snakefile, rules/", "which stage makes which file, and when"
    )
    parts += box(
        568, 24, 528, 64, DOOR, "partimento/", "the command line, and values for notebooks"
    )
    parts += arrow("M288 88 V124") + arrow("M832 88 V124")
    parts += label(300, 112, "runs stages as commands", "start")
    parts += label(844, 112, "calls the same functions", "start")
    # the stages
    parts += [
        f'<rect x="24" y="128" width="1072" height="124" rx="8" fill="#ffffff" stroke="{LINE}"/>'
    ]
    parts += label(40, 150, "pipeline/: the stages of the data half, a table after each", "start")
    parts += stages(160, 40, 150, 28, DATA, [
        ("select", "which pieces", ""), ("engrave", "image and notes", ""),
        ("synthesize", "sound", ""), ("spectrogram", "what is heard", ""),
        ("shard", "what training reads", ""), ("card", "what there is", ""),
    ])  # fmt: skip
    for x, made in ((204, "pieces"), (382, "noteheads, notes"), (560, "performances"),
                    (738, "features"), (916, "shards")):  # fmt: skip
        parts += label(x, 244, made)
    # the rooms below
    parts += box(40, 292, 176, 84, DATA, "reading/", "a source", "becomes text")
    parts += box(244, 292, 176, 84, DATA, "engraving/", "text becomes pages,", "noteheads, notes")
    parts += box(448, 292, 176, 84, DATA, "describing/", "card, provenance,", "verify, inspect")
    parts += box(652, 292, 176, 84, DATA, "planning/", "settings, names", "of files")
    parts += arrow("M115 224 V288") + arrow("M293 224 V288")
    parts += arrow("M996 252 V270 H536 V288") + arrow("M244 334 H220") + arrow("M624 334 H648")
    parts += box(
        40, 408, 380, 60, DATA, "sandbox/", "programs that read scores run confined, within limits"
    )
    parts += arrow("M128 376 V404") + arrow("M332 376 V404")
    # learning
    parts += arrow("M1060 252 V288") + label(1052, 276, "shards", "end")
    parts += [
        f'<rect x="856" y="292" width="240" height="252" rx="8" fill="#ffffff" stroke="{LINE}"/>'
    ]
    parts += label(872, 314, "models/: the learning half", "start")
    parts += box(872, 324, 208, 60, LEARNING, "score_following/", "train, evaluate, report")
    parts += box(872, 396, 208, 60, LEARNING, "retrieval/", "train, evaluate, index, query")
    parts += box(872, 468, 208, 60, LEARNING, "shared", "training, data sets, plotting")
    # the ground
    parts += box(40, 500, 788, 44, DATA, "constants, tables, tempo, strips, images")
    parts += arrow("M230 468 V496", dashed=True) + arrow("M868 522 H832", dashed=True)
    parts += arrow("M740 376 V496", dashed=True) + arrow("M536 376 V496", dashed=True)
    parts += label(560, 584, NOTES[0]) + label(560, 606, NOTES[1])
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    OUT.write_text(drawing())
