# Tables and figures, beside the paper's numbers; `snakemake --report` gathers them on one page.


rule table:
    input:
        f"{RESULTS}/predictions/score_following_metrics.parquet",
    output:
        report(
            f"{RESULTS}/tables/score_following.html",
            caption="../captions/score_following.rst",
            category="Score following",
        ),
        multiext(f"{RESULTS}/tables/score_following", ".md", ".csv", ".tex"),
    log:
        f"{RESULTS}/logs/table.log",
    conda:
        "../../envs/learning.yaml"
    params:
        stem=stem,
    shell:
        "python -m partimento score_following table --metrics {input:q} --out_stem {params.stem:q} 2> {log:q}"


rule errors:
    input:
        f"{RESULTS}/predictions/score_following.parquet",
    output:
        report(
            f"{RESULTS}/figures/score_following_errors.png",
            caption="../captions/score_following_errors.rst",
            category="Score following",
        ),
        f"{RESULTS}/figures/score_following_errors.pdf",
    log:
        f"{RESULTS}/logs/errors.log",
    conda:
        "../../envs/learning.yaml"
    params:
        stem=stem,
    shell:
        "python -m partimento score_following errors --predictions {input:q} --out_stem {params.stem:q} 2> {log:q}"


rule example:
    input:
        predictions=f"{RESULTS}/predictions/score_following.parquet",
        weights=f"{RESULTS}/models/score_following.safetensors",
        test=following_shards("test"),
    output:
        report(
            f"{RESULTS}/figures/score_following_example.png",
            caption="../captions/score_following_example.rst",
            category="Score following",
        ),
        f"{RESULTS}/figures/score_following_example.pdf",
    log:
        f"{RESULTS}/logs/example.log",
    conda:
        "../../envs/learning.yaml"
    resources:
        mem_mb=memory(3000),  # the weights and one excerpt
    params:
        stem=stem,
    shell:
        "python -m partimento score_following example --predictions {input.predictions:q}"
        " --shards {input.test:q} --weights {input.weights:q} --out_stem {params.stem:q} 2> {log:q}"


rule history:
    input:
        f"{RESULTS}/models/score_following_history.parquet",
    output:
        report(
            f"{RESULTS}/figures/score_following_history.png",
            caption="../captions/score_following_history.rst",
            category="Score following",
        ),
        f"{RESULTS}/figures/score_following_history.pdf",
    log:
        f"{RESULTS}/logs/history.log",
    conda:
        "../../envs/learning.yaml"
    params:
        stem=stem,
    shell:
        "python -m partimento score_following history --table {input:q} --out_stem {params.stem:q} 2> {log:q}"


rule staves:
    input:
        images=expand(
            f"{DATA}/images/{{chunk}}.parquet",
            collection=FOLLOWING["collection"],
            chunk=chunks(FOLLOWING["collection"]),
        ),
        noteheads=expand(
            f"{DATA}/noteheads/{{chunk}}.parquet",
            collection=FOLLOWING["collection"],
            chunk=chunks(FOLLOWING["collection"]),
        ),
    output:
        report(
            f"{RESULTS}/figures/staves.png",
            caption="../captions/staves.rst",
            category="Data",
        ),
        f"{RESULTS}/figures/staves.pdf",
    log:
        f"{RESULTS}/logs/staves.log",
    conda:
        "../../envs/learning.yaml"
    params:
        stem=stem,
    shell:
        "python -m partimento score_following staves --images {input.images:q}"
        " --noteheads {input.noteheads:q} --out_stem {params.stem:q} 2> {log:q}"
