# Settings, names and paths that the stages share.
import json
import shlex

import yaml
from snakemake.exceptions import WorkflowError
from snakemake.utils import validate

from pipeline import select, sources

validate(config, schema="../config/schema.yaml")

RESULTS = config["results"]
DATA = f"{RESULTS}/data/{{collection}}"
LOGS = f"{RESULTS}/logs/{{collection}}"
SPLITS = list(sources.SPLITS)
FOLLOWING = config["score_following"]

if FOLLOWING["collection"] not in config["collections"]:
    raise WorkflowError(
        f"score_following.collection: '{FOLLOWING['collection']}' is not one of "
        f"{', '.join(config['collections'])}"
    )


wildcard_constraints:
    collection="|".join(config["collections"]),
    batch=r"\d+",
    font="|".join(config["fonts"]).replace(".", r"\."),
    rho=r"[0-9.]+",
    split="|".join(SPLITS),


def batches(collection):
    """Numbers of a collection's jobs."""
    return range(config["collections"][collection]["batches"])


def of_batches(pattern):
    """Input function: a file of every batch (and font and rho, where the pattern names them)."""

    def files(wildcards):
        return expand(
            pattern,
            batch=batches(wildcards.collection),
            font=config["fonts"],
            rho=config["performances"]["rho"],
            allow_missing=True,
        )

    return files


def flags(**values):
    """Settings as `--name value` for a command line; None is left to the command's default."""
    return " ".join(
        f"--{name} {shlex.quote(value if isinstance(value, str) else json.dumps(value))}"
        for name, value in values.items()
        if value is not None
    )


# --- select
def files_by_batch(name, settings):
    """The files that each job of a collection reads; tells at once where there are none."""
    try:
        return {
            batch: sources.files(
                settings["source"],
                config["downloads"],
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
    archive = sources.archive(settings["source"], config["downloads"])
    return flags(
        source=settings["source"],
        archive=archive and str(archive),
        batches=settings["batches"],
        take=settings["take"],
        shares=None if settings["split"] == "source" else settings["split"],
        durations=settings["durations"],
        tempo=settings["tempo"],
        seed=config["seed"],
    )


# --- synthesize
KEEP = (lambda path: path) if config["performances"]["keep_audio"] else temp


def font_file(name, font):
    """The file of a sound font; tells at once where there is none."""
    try:
        return str(sources.font_path(font["file"]))
    except FileNotFoundError as error:
        raise WorkflowError(f"fonts.{name}: {error}")


FONT_FILES = {name: font_file(name, font) for name, font in config["fonts"].items()}


# --- shard
def shards_of(split):
    """Input function: all shards of a split."""
    return of_batches(f"{DATA}/shards/{split}/{{font}}-{{rho}}-{{batch}}.parquet")


# --- score following
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
        return expand(
            f"{DATA}/shards/{split}/{{font}}-{{rho}}-{{batch}}.parquet",
            collection=FOLLOWING["collection"],
            font=config["fonts"],
            rho=config["performances"]["rho"],
            batch=batches(FOLLOWING["collection"]),
        )

    return files


def stem(wildcards, output):
    """What the names of a rule's outputs have in common, up to their suffix."""
    return output[0].rsplit(".", 1)[0]
