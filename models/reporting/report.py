"""One page on a run: its numbers first, then tables and figures in reading order, with captions."""

import base64
import json
from dataclasses import dataclass, field
from pathlib import Path

import jinja2
import yaml

from models.reporting import markup
from models.reporting.headlines import (
    FOLLOWING,
    RETRIEVAL,
    UNITS,
    following_table,
    headlines,
    named,
    pieces,
    retrieval_table,
)
from models.table_output import MISSING
from pipeline.planning import learning_files
from pipeline.planning.learning_files import SHIPPED, following_figures, retrieval_figures
from pipeline.planning.progress import duration
from pipeline.replacing import replacing, require_writable

TITLES = {FOLLOWING: "Score following", RETRIEVAL: "Retrieval of sheet music by sound"}
PAPERS = {
    FOLLOWING: "Dorfer, Arzt and Widmer (ISMIR 2016): where on a staff is the note that sounds?",
    RETRIEVAL: "Balke, Dorfer, Carvalho, Arzt and Widmer (ISMIR 2019): which snippet of sheet music"
    " does a recording play?",
}
RECORDED = {"written", "settings", "versions", "cores"}  # of every run
LICENCES = "| pieces by licence"  # begins what a card says after its counts


@dataclass(frozen=True)
class Part:
    """A table, a figure or some text."""

    text: str = ""
    title: str = ""
    picture: str = ""
    folded: str = ""  # what stands on it while it is shut


@dataclass(frozen=True)
class Section:
    """A part of the page that its head names."""

    key: str
    title: str
    parts: list[Part] = field(default_factory=list)


def report(results: Path, out: Path | None = None) -> None:
    """Write one page of HTML on a run, with its numbers, tables, figures and data sets.

    The page needs no other file. Figures of networks that have hardly learned are not drawn, and
    the page says so.

    Args:
        results: Folder of the results.
        out: The page; by default report.html in the results.

    Raises:
        ValueError: If there is no finished run in the folder, or its record is corrupt.
    """
    if out:
        require_writable(out)
    run = _recorded(results / "provenance.json")
    settings = run["settings"]
    made = [
        _following(results, settings.get(FOLLOWING)),
        _retrieval(results, settings.get(RETRIEVAL)),
        _data(results),
        _origin(run),
    ]
    sections = [section for section in made if section]
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    template = environment.from_string(Path(__file__).with_name("report.html.j2").read_text())
    heads = [
        {
            "title": TITLES[head.task],
            "network": named(head.network),
            "training": str(head.training or ""),
            "numbers": head.numbers,
            "remark": head.remark(),
        }
        for head in headlines(results)
    ]
    page = template.render(
        title="Scores, sound, and networks that link them",
        about=_about(run),
        headlines=heads,
        pieces=pieces(results),
        sections=sections,
    )
    with replacing(out or results / "report.html") as temporary:
        temporary.write_text(page, encoding="utf-8")


def _recorded(record: Path) -> dict:
    """What the record of a run says. Raises ValueError if it is missing, truncated or another's."""
    if not record.is_file():
        raise ValueError(f"{record}: not found; let the workflow finish first")
    try:
        run = json.loads(record.read_text(encoding="utf-8"))
    except ValueError:
        run = None
    if not (isinstance(run, dict) and run.keys() >= RECORDED):
        raise ValueError(
            f"{record}: truncated, or not the record of a run; set it aside, by "
            "`partimento verify --repair` if it is truncated, and run again"
        )
    return run


def _about(run: dict) -> str:
    """When, and with what code."""
    commit = (run.get("commit") or {}).get("hash", "")
    changed = (run.get("commit") or {}).get("changed_files")
    code = f", commit {commit[:7]}{' with changes' if changed else ''}" if commit else ""
    seconds = sum(stage["seconds"] for stage in run.get("jobs", {}).values())
    return (
        f"Partimento, {run['written'][:10]}{code}; {duration(seconds)} of jobs,"
        f" {run['cores']} cores."
    )


def _picture(results: Path, name: str, title: str, caption: str) -> list[Part]:
    return _image(results / "figures" / f"{name}.png", title, caption)


def _image(path: Path, title: str, caption: str) -> list[Part]:
    if not path.is_file():
        return []
    data = base64.b64encode(path.read_bytes()).decode()
    return [Part(markup.caption(caption), title, f"data:image/png;base64,{data}")]


def _table(
    results: Path, name: str, title: str, first: str = "", caption: str | None = None
) -> list[Part]:
    """A table of the run, its caption below it.

    Args:
        results: Folder of the results.
        name: Of the table.
        title: Above it.
        first: How those parts begin that are shown at once, the others are folded; by default all.
        caption: Name of the caption; by default that of the table.
    """
    path = results / "tables" / f"{name}.md"
    if not path.is_file():
        return []
    blocks = markup.blocks(path.read_text())
    shown = [block for block in blocks if first in block[: len(first) + 2] or "|" not in block]
    folded = [block for block in blocks if block not in shown]
    said = markup.caption(caption or name)
    note = f'<p class="pale">{said}</p>' if said else ""
    parts = [Part(markup.html("\n\n".join(shown)) + note, title)]
    if folded:
        parts.append(Part(markup.html("\n\n".join(folded)), folded="the rest of the table"))
    return parts


def _following(results: Path, settings: dict | None) -> Section | None:
    table = following_table(results)
    if table.empty or not settings:
        return None
    parts = [Part(f"<p>{PAPERS[FOLLOWING]}</p>")]
    parts += _table(results, "score_following", "How often the place is found", "test")
    parts += _table(results, "tracking", "Whole recordings, followed staff by staff")
    top1 = table.xs("top1", level="metric").sort_values("micro", ascending=False)
    figures = [
        (f"score_following_{network}_{kind}", f"{title}: {named(str(network))}", caption)
        for network in top1.index
        for kind, title, caption in (
            ("example", "One note", "score_following_example"),
            ("errors", "How far off", "score_following_errors"),
            ("tracking", "A whole recording", "tracking_figure"),
        )
    ]
    history = "score_following_history"
    parts += _drawn(
        results, [*figures, (history, "Training", history)], following_figures(settings)
    )
    return Section("following", TITLES[FOLLOWING], [*parts, *_not_drawn(FOLLOWING, settings)])


def _retrieval(results: Path, settings: dict | None) -> Section | None:
    table = retrieval_table(results)
    if table.empty or not settings:
        return None
    drawn = retrieval_figures(settings)
    parts = [Part(f"<p>{PAPERS[RETRIEVAL]}</p>")]
    parts += _table(results, "retrieval", "How high the right snippet ranks",
                    "Audio to sheet, refined")  # fmt: skip
    parts += _drawn(results, [("retrieval_example", "One query", "retrieval_example")], drawn)
    parts += _table(results, "identification", "Whole pieces")
    parts += _table(results, "alignment", "Recordings along their scores")
    parts += _table(results, "tempo_robustness", "Slower and faster")
    for model in map(str, table.index.unique("model")):
        name = f"conditions_{SHIPPED if model.endswith(SHIPPED) else model}"
        title = f"Played and recorded in several ways: {named(model)}"
        parts += _table(results, name, title, caption="conditions")
    figures = {
        "retrieval_tempo": "Tempo as a curve",
        "attention_within_piece": "Attention within a piece",
        "attention_examples": "Attention from dense to sparse",
        "attention_entropy": "Attention and density",
        "retrieval_history": "Training",
    }
    parts += _drawn(results, [(name, title, name) for name, title in figures.items()], drawn)
    return Section("retrieval", TITLES[RETRIEVAL], [*parts, *_not_drawn(RETRIEVAL, settings)])


def _drawn(results: Path, figures: list[tuple[str, str, str]], drawn: list[str]) -> list[Part]:
    """Those figures (name, title, caption) that a run with these settings draws."""
    return [
        part
        for name, title, caption in figures
        if name in drawn
        for part in _picture(results, name, title, caption)
    ]


def _not_drawn(task: str, settings: dict) -> list[Part]:
    """A sentence on the networks without figures."""
    drawn = learning_files.drawn(settings)
    others = [named(network) for network in settings["networks"] if network not in drawn]
    if not others:
        return []
    return [
        Part(
            f'<p class="pale">Not drawn, since figures of networks trained on fewer than'
            f" {settings['figures_from']:,} {UNITS[task]} show nothing (<code>figures_from</code>"
            f" in the settings): {', '.join(others)}.</p>"
        )
    ]


def _data(results: Path) -> Section | None:
    cards = sorted((results / "data").glob("*/README.md"))
    if not cards:
        return None
    parts = _picture(results, "staves", "Staves with every notehead marked", "staves")
    for path in cards:
        _, _, text = f"\n{markup.body(path.read_text())}".partition("\n# ")
        _, _, text = text.partition("\n")
        first, mark, rest = text.partition(LICENCES)
        parts.append(Part(markup.html(first), f"Collection {path.parent.name}"))
        parts += _image(path.parent / "scans.png", "A page and its scan", "scans")
        if mark:
            shut = "licences, composers, checks, and what was left out"
            parts.append(Part(markup.html(mark + rest), folded=shut))
    return Section("data", "Data", parts)


def _memory(peak_mb: int | None) -> str:
    """In words; some systems do not let Snakemake measure it."""
    return MISSING if peak_mb is None else f"{peak_mb:,}"


def _origin(run: dict) -> Section:
    """Settings, versions and time of each stage."""
    stages = "".join(
        f"| {name} | {stage['jobs']} | {stage['seconds']:,.0f} | {_memory(stage['peak_mb'])} |\n"
        for name, stage in run.get("jobs", {}).items()
    )
    times = f"| stage | jobs | seconds | most memory of one / MB |\n|---|---|---|---|\n{stages}"
    settings = yaml.safe_dump(run["settings"], sort_keys=False, allow_unicode=True)
    versions = "\n".join(f"{name} {version}" for name, version in run["versions"].items())
    return Section(
        "origin",
        "How it was made",
        [
            Part("<p><code>provenance.json</code> beside it has a digest of every file.</p>"),
            Part(markup.html(times) if stages else "", folded="time and memory of each stage"),
            Part(markup.html(f"```\n{settings}\n```"), folded="settings"),
            Part(markup.html(f"```\n{versions}\n```"), folded="versions"),
        ],
    )
