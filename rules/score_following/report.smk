# Tables and figures, beside the paper's numbers; `snakemake --report` gathers them on one page.


rule table:
    input:
        expand(METRICS, network=NETWORKS),
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
        metrics=by_network(METRICS),
        stem=stem,
    message:
        "Write the table of score following"
    shell:
        "python -m partimento score_following table --metrics {params.metrics:q} --out_stem {params.stem:q} 2> {log:q}"


rule tracking_table:
    input:
        expand(REACHED, network=NETWORKS),
    output:
        report(
            f"{RESULTS}/tables/tracking.html",
            caption="../captions/tracking.rst",
            category="Score following",
        ),
        multiext(f"{RESULTS}/tables/tracking", ".md", ".csv", ".tex"),
    log:
        f"{RESULTS}/logs/tracking-table.log",
    conda:
        "../../envs/learning.yaml"
    params:
        reached=by_network(REACHED),
        stem=stem,
    message:
        "Write the table of tracking"
    shell:
        "python -m partimento score_following tracking_table --reached {params.reached:q}"
        " --out_stem {params.stem:q} 2> {log:q}"


rule tracking_figure:
    input:
        TRACKS,
    output:
        report(
            f"{RESULTS}/figures/score_following_{{network}}_tracking.png",
            caption="../captions/tracking_figure.rst",
            category="Score following",
            labels={"figure": "tracking", "network": "{network}"},
        ),
        f"{RESULTS}/figures/score_following_{{network}}_tracking.pdf",
    log:
        f"{RESULTS}/logs/tracking-figure-{{network}}.log",
    conda:
        "../../envs/learning.yaml"
    params:
        stem=stem,
    message:
        "Draw a tracked recording"
    shell:
        "python -m partimento score_following tracking_figure --tracks {input:q}"
        " --out_stem {params.stem:q} 2> {log:q}"


rule errors:
    input:
        PREDICTIONS,
    output:
        report(
            f"{RESULTS}/figures/score_following_{{network}}_errors.png",
            caption="../captions/score_following_errors.rst",
            category="Score following",
            labels={"figure": "errors", "network": "{network}"},
        ),
        f"{RESULTS}/figures/score_following_{{network}}_errors.pdf",
    log:
        f"{RESULTS}/logs/errors-{{network}}.log",
    conda:
        "../../envs/learning.yaml"
    params:
        stem=stem,
    message:
        "Draw the errors of the network {wildcards.network}"
    shell:
        "python -m partimento score_following errors --predictions {input:q} --out_stem {params.stem:q} 2> {log:q}"


rule example:
    input:
        predictions=PREDICTIONS,
        weights=WEIGHTS,
        test=following_shards("test"),
    output:
        report(
            f"{RESULTS}/figures/score_following_{{network}}_example.png",
            caption="../captions/score_following_example.rst",
            category="Score following",
            labels={"figure": "example", "network": "{network}"},
        ),
        f"{RESULTS}/figures/score_following_{{network}}_example.pdf",
    log:
        f"{RESULTS}/logs/example-{{network}}.log",
    conda:
        "../../envs/learning.yaml"
    resources:
        mem_mb=memory(3000),  # the weights and one excerpt
    params:
        stem=stem,
    message:
        "Draw an example of the network {wildcards.network}"
    shell:
        "python -m partimento score_following example --predictions {input.predictions:q}"
        " --shards {input.test:q} --weights {input.weights:q} --out_stem {params.stem:q} 2> {log:q}"


rule history:
    input:
        expand(HISTORY, network=DRAWN),
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
        histories=by_network(HISTORY, DRAWN),
        stem=stem,
    message:
        "Draw the training of score following"
    shell:
        "python -m partimento score_following history --histories {params.histories:q} --out_stem {params.stem:q} 2> {log:q}"


rule staves:
    input:
        images=chunk_files(f"{DATA}/images/{{chunk}}.parquet", FOLLOWING["collection"]),
        noteheads=chunk_files(
            f"{DATA}/noteheads/{{chunk}}.parquet", FOLLOWING["collection"]
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
    message:
        "Draw staves with their noteheads"
    shell:
        "python -m partimento score_following staves --images {input.images:q}"
        " --noteheads {input.noteheads:q} --out_stem {params.stem:q} 2> {log:q}"
