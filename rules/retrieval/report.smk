# The tables of Balke et al. 2019 beside the paper's numbers, and their figures.


rule retrieval_tables:
    input:
        metrics=f"{RESULTS}/predictions/retrieval/metrics.parquet",
        identified=f"{RESULTS}/predictions/retrieval/identified.parquet",
        aligned=f"{RESULTS}/predictions/retrieval/aligned.parquet",
    output:
        [
            report(
                f"{RESULTS}/tables/{name}.html",
                caption=f"../captions/{name}.rst",
                category="Retrieval",
            )
            for name in RETRIEVAL_TABLES
        ],
        expand(
            f"{RESULTS}/tables/{{name}}.{{kind}}",
            name=RETRIEVAL_TABLES,
            kind=["md", "csv", "tex"],
        ),
    log:
        f"{RESULTS}/logs/retrieval/tables.log",
    conda:
        "../../envs/learning.yaml"
    params:
        out=folder,
    message:
        "Write the tables of retrieval"
    shell:
        "python -m partimento retrieval tables --metrics {input.metrics:q}"
        " --identified {input.identified:q} --aligned {input.aligned:q} --out {params.out:q} 2> {log:q}"


rule retrieval_curves:
    input:
        metrics=f"{RESULTS}/predictions/retrieval/metrics.parquet",
        histories=expand(
            f"{RETRIEVAL_MODELS}/{{model}}_history.parquet", model=RETRIEVAL_DRAWN
        ),
    output:
        *in_report(RETRIEVAL_CURVES),
    log:
        f"{RESULTS}/logs/retrieval/curves.log",
    conda:
        "../../envs/learning.yaml"
    params:
        out=folder,
        models=RETRIEVAL_DRAWN,
    message:
        "Draw the training of retrieval"
    shell:
        "python -m partimento retrieval curves --metrics {input.metrics:q} --models {params.models:q}"
        " --histories {input.histories:q} --out {params.out:q} 2> {log:q}"


rule retrieval_example:
    input:
        weights=weights_of(BEST, "-refined"),
        embeddings=f"{RESULTS}/predictions/retrieval/{BEST}.parquet",
        shards=tested_shards(AT_WRITTEN_TEMPO),
    output:
        *in_report(["retrieval_example"]),
    log:
        f"{RESULTS}/logs/retrieval/example.log",
    conda:
        "../../envs/learning.yaml"
    resources:
        mem_mb=memory(2000, 3),  # the test split at one tempo
    params:
        out=folder,
        weights=named_weights([BEST], "-refined"),
    message:
        "Draw an example of retrieval"
    shell:
        "python -m partimento retrieval example --weights {params.weights:q} --shards {input.shards:q}"
        " --embeddings {input.embeddings:q} --out {params.out:q} 2> {log:q}"


if ATTENDING:

    rule retrieval_attention:
        input:
            weights=f"{RETRIEVAL_MODELS}/{ATTENDING[-1]}.safetensors",
            embeddings=f"{RESULTS}/predictions/retrieval/{ATTENDING[-1]}.parquet",
            shards=tested_shards(AT_WRITTEN_TEMPO),
        output:
            *in_report(learning_files.ATTENTION_FIGURES),
        log:
            f"{RESULTS}/logs/retrieval/attention.log",
        conda:
            "../../envs/learning.yaml"
        resources:
            mem_mb=memory(2000, 3),  # the test split at one tempo
        params:
            out=folder,
            seed=config["seed"],
        message:
            "Draw what the network attends to"
        shell:
            "python -m partimento retrieval attention --weights {input.weights:q} --shards {input.shards:q}"
            " --embeddings {input.embeddings:q} --seed {params.seed:q} --out {params.out:q} 2> {log:q}"
