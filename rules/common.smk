# Settings, names and paths that the stages share.
import json
import shlex

import yaml
from snakemake.exceptions import WorkflowError
from snakemake.utils import validate

from pipeline import items, select, sources, tempo

# A config file is merged over config.yaml: null takes one of its entries away.
for section in ("collections", "fonts"):
    config[section] = {
        name: entry for name, entry in config[section].items() if entry is not None
    }
validate(config, schema="../config/schema.yaml")

RESULTS = config["results"]
DATA = f"{RESULTS}/data/{{collection}}"
LOGS = f"{RESULTS}/logs/{{collection}}"
SPLITS = list(sources.SPLITS)
FOLLOWING = config["score_following"]

if FOLLOWING and FOLLOWING["collection"] not in config["collections"]:
    raise WorkflowError(
        f"score_following.collection: '{FOLLOWING['collection']}' is not one of "
        f"{', '.join(config['collections'])}"
    )


wildcard_constraints:
    collection="|".join(config["collections"]),
    batch=r"\d+",
    font="|".join(config["fonts"]).replace(".", r"\."),
    rho=r"[0-9.]+(-[0-9.]+)?",
    split="|".join(SPLITS),


def batches(collection):
    """Numbers of a collection's jobs."""
    return range(config["collections"][collection]["batches"])


def of_batches(pattern, split=None):
    """Input function: a file of every batch (and performance, where the pattern names them)."""

    def files(wildcards):
        return batch_files(pattern, wildcards.collection, split)

    return files


def batch_files(pattern, collection, split=None):
    """A file of every batch of a collection (and performance, where the pattern names them)."""
    pairs = performances(split) if "{font}" in pattern else [(None, None)]
    return [
        file
        for font, rho in pairs
        for file in expand(
            pattern,
            collection=collection,
            batch=batches(collection),
            font=font,
            rho=rho,
        )
    ]


def flags(**values):
    """Settings as `--name value` for a command line; None is left to the command's default."""
    return " ".join(
        f"--{name} {shlex.quote(value if isinstance(value, str) else json.dumps(value))}"
        for name, value in values.items()
        if value is not None
    )


# --- fetch
FETCHED = {
    sources.archive(name, "").name: name
    for name, entry in sources.catalogue().items()
    if "file" in entry
}


# --- select
def files_by_batch(name, settings):
    """The files that each job of a collection reads; tells at once where there are none."""
    try:
        return {
            batch: items.files(
                settings["source"],
                config["downloads"],
                settings["layout"],
                lambda piece: select.batch_of(piece, settings["batches"]) == batch,
            )
            for batch in batches(name)
        }
    except ValueError as error:
        raise WorkflowError(f"collections.{name}.source: {error}")


SOURCE_FILES = {
    name: files_by_batch(name, settings)
    for name, settings in config["collections"].items()
}


def select_flags(wildcards):
    settings = config["collections"][wildcards.collection]
    return flags(
        source=settings["source"],
        downloads=config["downloads"],
        layout=settings["layout"],
        batches=settings["batches"],
        take=settings["take"],
        shares=None if settings["split"] == "source" else settings["split"],
        durations=settings.get("durations"),
        tempo=settings.get("tempo"),
        seed=config["seed"],
        unconfined=config["unconfined"],
    )


# --- engrave
def engrave_flags(wildcards):
    settings = config["collections"][wildcards.collection]
    return flags(
        layout=settings["layout"],
        repeats=settings.get("repeats", "unfold"),
        unconfined=config["unconfined"],
    )


# --- synthesize
KEEP = (lambda path: path) if config["performances"]["keep_audio"] else temp


def font_file(name, font):
    """The file of a sound font; tells at once where there is none, but for one that is fetched."""
    fetched = sources.archive(font["file"], config["downloads"])
    try:
        return str(fetched or sources.font_path(font["file"]))
    except FileNotFoundError as error:
        raise WorkflowError(f"fonts.{name}: {error}")


FONT_FILES = {name: font_file(name, font) for name, font in config["fonts"].items()}
PLAYED_SPLITS = {
    name: font.get("splits", SPLITS) for name, font in config["fonts"].items()
}


def performances(split=None):
    """(font, rho) of all that is played, rho as in paths; with a split, of what is played of it."""
    return [
        (name, str(rho))
        for name, font in config["fonts"].items()
        if split is None or split in PLAYED_SPLITS[name]
        for rho in font.get("rho", config["performances"]["rho"])
    ]


for name, rho in performances():
    try:
        tempo.span(rho)
    except ValueError as error:
        raise WorkflowError(f"fonts.{name}: {error}")


# --- shard
def shards_of(split):
    """Input function: all shards of a split."""
    return of_batches(
        f"{DATA}/shards/{split}/{{font}}-{{rho}}-{{batch}}.parquet", split
    )


# --- card
MSMD = [
    name
    for name, settings in config["collections"].items()
    if settings["source"] == "msmd"
]
MSMD_COUNTS = sources.archive("msmd-counts", config["downloads"]) if MSMD else []


def beside(wildcards):
    """Input function: what the card of a collection takes in besides."""
    name = wildcards.collection
    return [f"{RESULTS}/tables/{name}_counts.md"] if name in MSMD else []


# --- score following
FOLLOWING_REPORT = (
    [f"{RESULTS}/tables/score_following.md"]
    + expand(
        f"{RESULTS}/figures/{{name}}.{{kind}}",
        name=[
            "staves",
            "score_following_history",
            "score_following_errors",
            "score_following_example",
        ],
        kind=["png", "pdf"],
    )
    if FOLLOWING
    else []
)
TRAINING = [
    "epochs",
    "epoch_samples",
    "notes_per_staff",
    "batch",
    "rate",
    "rate_decay",
    "rate_epochs",
    "momentum",
    "weight_decay",
    "precision",
    "valid_samples",
]


def following_shards(split):
    """Input function: the shards of a split that score following learns from."""

    def files(wildcards):
        return batch_files(
            f"{DATA}/shards/{split}/{{font}}-{{rho}}-{{batch}}.parquet",
            FOLLOWING["collection"],
            split,
        )

    return files


def stem(wildcards, output):
    """What the names of a rule's outputs have in common, up to their suffix."""
    return output[0].rsplit(".", 1)[0]
