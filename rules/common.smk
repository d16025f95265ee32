# Settings, names and paths that the stages share.
import contextlib
import copy
import functools
import json
import os
import re
import shlex
import sys

import yaml
from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod
from snakemake.utils import update_config, validate

# Where CI is set, pyfluidsynth prints what it found; stdout is for --dag and --containerize.
with contextlib.redirect_stdout(sys.stderr):
    import pipeline
    from pipeline import cli, select, tempo
    from pipeline.describing import verify
    from pipeline.reading import catalogue, sources

# Settings are merged over the project's own config.yaml: null takes one of its entries away.
given = copy.deepcopy(config)
with open(workflow.source_path("../config.yaml")) as file:
    update_config(config, yaml.safe_load(file))
update_config(config, given)
KNOWN_COLLECTIONS = list(config["collections"])
for section in ("collections", "fonts"):
    config[section] = {
        name: entry for name, entry in config[section].items() if entry is not None
    }
validate(config, schema="../config/schema.yaml")

# A conda environment has the packages that we need, but not us.
if DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method:
    ours = os.path.dirname(os.path.dirname(pipeline.__file__))
    shell.prefix(f"set -euo pipefail; export PYTHONPATH={shlex.quote(ours)}; ")

RESULTS = config["results"]
# What was cut short from outside is made again; a dry run only tells.
if workflow.is_main_process:
    dry = any(re.fullmatch("--dry-?run|-[a-z]*n[a-z]*", word) for word in sys.argv)
    act = verify.damaged if dry else verify.clear
    for path in act(RESULTS, config["downloads"]):
        print(f"{path} is damaged and is made again", file=sys.stderr)
DATA = f"{RESULTS}/data/{{collection}}"
LOGS = f"{RESULTS}/logs/{{collection}}"
SPLITS = list(catalogue.SPLITS)
FOLLOWING = config["score_following"]
RETRIEVAL = config["retrieval"]
# What the learning half leaves; its rules, where they are wanted, say what.
FOLLOWING_FILES = []
RETRIEVAL_FILES = []


def check_name(place, name, known):
    """Tell at once where something that is named elsewhere is not there."""
    if name not in known:
        raise WorkflowError(f"{place}: '{name}' is not one of {', '.join(known)}")


for name in ("score_following", "retrieval"):
    if config[name]:
        check_name(
            f"{name}.collection", config[name]["collection"], config["collections"]
        )


wildcard_constraints:
    collection="|".join(config["collections"]),
    chunk=r"\d+",
    font="|".join(config["fonts"]).replace(".", r"\."),
    tempo_ratio=r"[0-9.]+(-[0-9.]+)?",
    split="|".join(SPLITS),
    model="|".join(map(re.escape, RETRIEVAL["models"])) if RETRIEVAL else "none",


def chunks(collection):
    """Numbers of a collection's jobs."""
    return range(config["collections"][collection]["chunks"])


def of_chunks(pattern, split=None):
    """Input function: a file of every chunk (and performance, where the pattern names them)."""

    def files(wildcards):
        return chunk_files(pattern, wildcards.collection, split)

    return files


def chunk_files(pattern, collection, split=None):
    """A file of every chunk of a collection (and performance, where the pattern names them)."""
    pairs = performances(collection, split) if "{font}" in pattern else [(None, None)]
    return [
        file
        for font, tempo_ratio in pairs
        for file in expand(
            pattern,
            collection=collection,
            chunk=chunks(collection),
            font=font,
            tempo_ratio=tempo_ratio,
        )
    ]


def flags(**values):
    """Settings as `--name value` for a command line; None is left to the command's default."""
    return " ".join(
        f"--{name} {shlex.quote(value if isinstance(value, str) else json.dumps(cli.short(value)))}"
        for name, value in values.items()
        if value is not None
    )


def memory(mb, times_input=0, at_most=None):
    """A job's memory in MB: `mb`, and a multiple of its input, up to `at_most`; the same again at
    each new attempt, where the profile has a failed job submitted anew."""

    def amount(wildcards, input, attempt):
        grown = int(times_input * input.size_mb)
        return attempt * (mb + (grown if at_most is None else min(grown, at_most)))

    return amount


def minutes(count):
    """A job's time, for clusters that want to know: `count`, and as many again at each attempt."""
    return lambda wildcards, attempt: attempt * count


# --- fetch
FETCHED = {
    catalogue.archive(name, "").name: name
    for name, entry in catalogue.catalogue().items()
    if "file" in entry
}


# --- select
@functools.cache
def source_files(collection):
    """The files that each job of a collection reads, by chunk."""
    settings = config["collections"][collection]
    try:
        return sources.files(
            settings["source"],
            config["downloads"],
            settings["layout"],
            settings["chunks"],
            lambda piece: select.chunk_of(piece, settings["chunks"]),
        )
    except (ValueError, OSError) as error:
        raise WorkflowError(f"collections.{collection}.source: {error}")


@functools.cache
def sources_of(collection, chunk):
    """What a job of selection waits for: files that are fetched; of one's own the newest alone.

    Each time that a job ends, Snakemake looks at every input of every job that waits: with ten
    thousand files as inputs that took half the time of a core. The newest stands for all of its
    chunk; which they are, and how large, is in the job's parameters.
    """
    own = source_files(collection)[chunk]
    if catalogue.entry_of(config["collections"][collection]["source"]):
        return own
    return sources.newest(own)


@functools.cache
def sources_known(collection, chunk):
    """A digest of which files a job of selection reads, and how large they are."""
    return sources.digest(source_files(collection)[chunk])


PIECES_PER_CHUNK = 1_000  # five minutes of tunes, but hours of piano works

# Told at once where there are none; but a job of a cluster, which reads this too, lists no sources.
if workflow.is_main_process:
    for name, settings in config["collections"].items():
        most = max(map(len, source_files(name)))
        if most > PIECES_PER_CHUNK:
            print(
                f"collections.{name}: {most:,} files in one chunk; with more `chunks` more jobs run"
                " side by side, in less memory, and a kill costs less",
                file=sys.stderr,
            )


def select_flags(wildcards):
    settings = config["collections"][wildcards.collection]
    return flags(
        source=settings["source"],
        downloads=config["downloads"],
        layout=settings["layout"],
        chunks=settings["chunks"],
        fraction=settings["fraction"],
        shares=None if settings["split"] == "source" else settings["split"],
        durations=settings.get("durations"),
        tempo=settings.get("tempo"),
        looks=settings.get("looks"),
        every_look=settings.get("every_look"),
        seed=config["seed"],
        unconfined=config["unconfined"],
    )


# --- engrave
def engrave_flags(wildcards):
    settings = config["collections"][wildcards.collection]
    return flags(
        layout=settings["layout"],
        repeats=settings.get("repeats", "unfold"),
        looks=settings.get("looks"),
        parts=settings.get("parts"),
        seed=config["seed"],
        unconfined=config["unconfined"],
    )


# --- synthesize
KEEP = (lambda path: path) if config["performances"]["keep_audio"] else temp


def font_file(name, font):
    """The file of a sound font; tells at once where there is none, but for one that is fetched."""
    fetched = catalogue.archive(font["file"], config["downloads"])
    try:
        return str(fetched or catalogue.font_path(font["file"]))
    except FileNotFoundError as error:
        raise WorkflowError(f"fonts.{name}: {error}")


FONT_FILES = {name: font_file(name, font) for name, font in config["fonts"].items()}
# What a job is told: an image has the packages, too, but in another place.
FONT_NAMES = {
    name: font["file"] if catalogue.packaged(font["file"]) else FONT_FILES[name]
    for name, font in config["fonts"].items()
}
ARCHIVES = [
    path
    for settings in config["collections"].values()
    for path in catalogue.needed(settings["source"], config["downloads"]).values()
] + [
    path
    for font in config["fonts"].values()
    if (path := catalogue.archive(font["file"], config["downloads"]))
]  # all that is fetched and that the data half reads
PLAYED_SPLITS = {
    name: font.get("splits", SPLITS) for name, font in config["fonts"].items()
}


def performances(collection, split=None):
    """(font, tempo_ratio) of all that is played of a collection, or of one split of it; tempo_ratio as in paths."""
    return [
        (name, str(tempo_ratio))
        for name, font in config["fonts"].items()
        if collection in font.get("collections", [collection])
        if split is None or split in PLAYED_SPLITS[name]
        for tempo_ratio in font.get(
            "tempo_ratios", config["performances"]["tempo_ratios"]
        )
    ]


for name, font in config["fonts"].items():
    for collection in font.get("collections", []):
        check_name(f"fonts.{name}.collections", collection, KNOWN_COLLECTIONS)
    for tempo_ratio in font.get("tempo_ratios", config["performances"]["tempo_ratios"]):
        try:
            tempo.span(str(tempo_ratio))
        except ValueError as error:
            raise WorkflowError(f"fonts.{name}: {error}")


# --- shard
def shards_of(split):
    """Input function: all shards of a split."""
    return of_chunks(
        f"{DATA}/shards/{split}/{{font}}-{{tempo_ratio}}-{{chunk}}.parquet", split
    )


# --- card
MSMD = [
    name
    for name, settings in config["collections"].items()
    if settings["source"] == "msmd"
]
MSMD_COUNTS = catalogue.archive("msmd-counts", config["downloads"]) if MSMD else []

CARDS = expand(f"{DATA}/README.md", collection=config["collections"])


def data_files(collection):
    """All that the data half makes of a collection and keeps."""
    tables = ["pieces", "images", "systems", "noteheads", "notes", "engraved"]
    played = [
        "performances/{font}/{tempo_ratio}/{chunk}",
        "features/{font}/{tempo_ratio}/{chunk}",
    ]
    shards = [f"shards/{split}/{{font}}-{{tempo_ratio}}-{{chunk}}" for split in SPLITS]
    patterns = [f"{name}/{{chunk}}.parquet" for name in tables]
    patterns += [f"{name}.parquet" for name in played + shards]
    if config["performances"]["keep_audio"]:
        patterns.append("audio/{font}/{tempo_ratio}/{chunk}")
    return [
        file
        for pattern in patterns
        for file in chunk_files(f"{DATA}/{pattern}", collection)
    ]


def beside(wildcards):
    """Input function: what the card of a collection takes in besides."""
    name = wildcards.collection
    return [f"{RESULTS}/tables/{name}_counts.md"] if name in MSMD else []


# --- tables and figures
def written(names):
    """The files of some tables."""
    return expand(
        f"{RESULTS}/tables/{{name}}.{{kind}}",
        name=names,
        kind=["md", "csv", "tex", "html"],
    )


def figures(names):
    """The files of some figures."""
    return expand(
        f"{RESULTS}/figures/{{name}}.{{kind}}", name=names, kind=["png", "pdf"]
    )


def stem(wildcards, output):
    """What the names of a rule's outputs have in common, up to their suffix."""
    return output[0].rsplit(".", 1)[0]


def folder(wildcards, output):
    """The folder that a rule's outputs share."""
    return os.path.dirname(output[0])
