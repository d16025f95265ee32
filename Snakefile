# Partimento: from scores to aligned audio and sheet music, to trained networks, tables and figures.
import os

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

min_version("9.12")

# Settings of the folder that this runs in, if it has any; what they leave out is in our own.
if os.path.lexists("config.yaml") and not workflow.modifier.skip_configfile:
    from pipeline.planning import settings

    try:
        given = settings.read("config.yaml")
    except (ValueError, OSError) as error:
        raise WorkflowError(str(error))
    if given:

        configfile: "config.yaml"


report: "rules/captions/workflow.rst"


include: "rules/common.smk"


if workflow.is_main_process and not workflow.modifier.skip_configfile:
    progress.install(logger, lambda collection: len(PLAN.chunks(collection)))


if config["container"]:

    container: config["container"]


rule all:
    input:
        f"{RESULTS}/provenance.json",
        f"{RESULTS}/report.html",


rule data:
    input:
        f"{RESULTS}/data/provenance.json",


include: "rules/fetch.smk"
include: "rules/select.smk"
include: "rules/engrave.smk"
include: "rules/works.smk"
include: "rules/synthesize.smk"
include: "rules/align_recordings.smk"
include: "rules/spectrogram.smk"
include: "rules/shard.smk"
include: "rules/card.smk"


if FOLLOWING:

    include: "rules/score_following/common.smk"
    include: "rules/score_following/train.smk"
    include: "rules/score_following/evaluate.smk"
    include: "rules/score_following/report.smk"


if RETRIEVAL:

    include: "rules/retrieval/common.smk"
    include: "rules/retrieval/train.smk"
    include: "rules/retrieval/evaluate.smk"
    include: "rules/retrieval/report.smk"


include: "rules/provenance.smk"
include: "rules/report.smk"


# Snakemake looks at the jobs once more a second after each look, to hold a limit of starts a second,
# and each job that ends begins another such chain: after five hundred jobs that took half of a core.
# Jobs are minutes of work here and need no limit. It has no option for that (seen in 9.27), hence this.
onstart:
    if hasattr(getattr(workflow, "scheduler", None), "job_rate_limiter"):
        workflow.scheduler.job_rate_limiter = None
    if workflow.is_main_process:
        lilypond.tell_unconfined(
            config["unconfined"],
            {job.rule.name for job in workflow.dag.needrun_jobs()},
        )
        for fault in verify.faults(PLAN, digests=False):
            print(
                f"{fault.path}: {fault.reason}; 'python -m partimento verify --repair' sets it aside,"
                " and the next run makes it again",
                file=sys.stderr,
            )
