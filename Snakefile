# Partimento: from scores to aligned audio and sheet music, to trained networks, tables and figures.


from snakemake.utils import min_version

min_version("9.12")


configfile: "config.yaml"


report: "rules/captions/workflow.rst"


include: "rules/common.smk"
include: "rules/fetch.smk"
include: "rules/select.smk"
include: "rules/engrave.smk"
include: "rules/synthesize.smk"
include: "rules/spectrogram.smk"
include: "rules/shard.smk"
include: "rules/card.smk"
include: "rules/train.smk"
include: "rules/evaluate.smk"
include: "rules/report.smk"


rule all:
    default_target: True
    input:
        f"{RESULTS}/tables/score_following.md",
        expand(
            f"{RESULTS}/figures/{{name}}.{{kind}}",
            name=[
                "staves",
                "score_following_history",
                "score_following_errors",
                "score_following_example",
            ],
            kind=["png", "pdf"],
        ),
        expand(f"{DATA}/README.md", collection=config["collections"]),


rule data:
    input:
        expand(f"{DATA}/README.md", collection=config["collections"]),
