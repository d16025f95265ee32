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
