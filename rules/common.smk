# Settings, and the names that all rules share; what they mean stands in pipeline/planning.
import os
import re
import shlex
import sys

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.settings.types import DeploymentMethod

import pipeline
from pipeline import tempo
from pipeline.describing import verify
from pipeline.planning import conflicts, learning_files, progress, settings
from pipeline.planning.arguments import folder, option, stem, text
from pipeline.planning.plan import SYNTHESIZED, TEMPO_RATIO, Plan
from pipeline.planning.resources import memory, minutes, network_threads
from pipeline.reading import catalogue
from pipeline.reading.recording_files import RECORDED, RECORDINGS
from pipeline.sandbox import lilypond

try:
    config, notes = settings.complete(
        config,
        files=[*workflow.configfiles, *workflow.overwrite_configfiles],
        default=workflow.source_path("../config.yaml"),
        schema=workflow.source_path("../config/schema.yaml"),
    )
    PLAN = Plan(config)
    conflicts.check(PLAN)
    if (
        workflow.is_main_process
    ):  # a job of a cluster, which reads this too, lists no sources
        notes += PLAN.check_sources()
except (ValueError, OSError) as error:
    raise WorkflowError(str(error))

if workflow.is_main_process:
    for note in notes:
        print(note, file=sys.stderr)

# A conda environment has the packages that we need, but not us.
if DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method:
    ours = os.path.dirname(os.path.dirname(pipeline.__file__))
    shell.prefix(f"set -euo pipefail; export PYTHONPATH={shlex.quote(ours)}; ")

RESULTS = PLAN.results
DATA = PLAN.data
LOGS = f"{RESULTS}/logs/{{collection}}"
SPLITS = list(catalogue.SPLITS)
FOLLOWING = config["score_following"]
RETRIEVAL = config["retrieval"]
NETWORK_THREADS = network_threads(
    workflow.resource_settings.cores,
    both=bool(FOLLOWING and RETRIEVAL) and workflow.is_main_process,
)
# Data come before trainings, so that these can run side by side; of the data what is begun is ended
# first, so that few recordings lie on the disk at once; of the trainings the longest begins first.
PRIORITY = {
    "shard": 6,
    "spectrogram": 5,
    "synthesize": 4,
    "engrave": 3,
    "select": 2,
    "train": 1,
}
# What the learning half leaves; its rules, if they are wanted, say what.
FOLLOWING_FILES = []
RETRIEVAL_FILES = []

chunks, chunk_files, performances = PLAN.chunks, PLAN.chunk_files, PLAN.performances
written, figures = PLAN.written, PLAN.figures


wildcard_constraints:
    collection="|".join(config["collections"]),
    chunk=r"\d+",
    font=PLAN.font_pattern(),
    tempo_ratio=TEMPO_RATIO,
    split="|".join(SPLITS),
    network="|".join(FOLLOWING["networks"]) if FOLLOWING else "none",
    model=(
        "|".join(map(re.escape, learning_files.evaluated(RETRIEVAL)))
        if RETRIEVAL
        else "none"
    ),


def of_chunks(pattern, split=None):
    """Input function: a file of every chunk (and performance, if the pattern has a `{font}`)."""
    return lambda wildcards: chunk_files(pattern, wildcards.collection, split)


def of_collection(name):
    """Params function: a setting of the job's collection, as an argument."""
    return lambda wildcards: text(config["collections"][wildcards.collection][name])


def if_given(name):
    """Params function: an option for a setting that a collection may lack."""
    return lambda wildcards: option(
        name, config["collections"][wildcards.collection].get(name)
    )
