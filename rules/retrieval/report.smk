# The tables of Balke et al. 2019 beside the paper's numbers, and their figures.


rule retrieval_tables:
    input:
        measures=f"{RESULTS}/predictions/retrieval/measures.parquet",
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
    shell:
        "python -m models retrieval tables --measures {input.measures}"
        " --identified {input.identified} --aligned {input.aligned} --out {params.out} 2> {log}"


rule retrieval_curves:
    input:
        measures=f"{RESULTS}/predictions/retrieval/measures.parquet",
        histories=expand(f"{RETRIEVAL_MODELS}/{{model}}_history.parquet", model=MODELS),
    output:
        *in_report(RETRIEVAL_CURVES),
    log:
        f"{RESULTS}/logs/retrieval/curves.log",
    conda:
        "../../envs/learning.yaml"
    params:
        out=folder,
        flags=lambda wildcards, input: flags(
            histories=dict(zip(MODELS, input.histories))
        ),
    shell:
        "python -m models retrieval curves --measures {input.measures} {params.flags}"
        " --out {params.out} 2> {log}"


rule retrieval_example:
    input:
        weights=f"{RETRIEVAL_MODELS}/{BEST}-refined.safetensors",
        embeddings=f"{RESULTS}/predictions/retrieval/{BEST}.parquet",
        shards=tested_shards(AT_WRITTEN_TEMPO),
    output:
        *in_report(RETRIEVAL_EXAMPLE),
    log:
        f"{RESULTS}/logs/retrieval/example.log",
    conda:
        "../../envs/learning.yaml"
    resources:
        mem_mb=memory(2000, 3),  # the test split at one tempo
    params:
        out=folder,
        flags=flags(shards=tested_shards(AT_WRITTEN_TEMPO)),
    shell:
        "python -m models retrieval example --weights {input.weights} {params.flags}"
        " --embeddings {input.embeddings} --out {params.out} 2> {log}"


if ATTENDING:

    rule retrieval_attention:
        input:
            weights=f"{RETRIEVAL_MODELS}/{ATTENDING[-1]}.safetensors",
            embeddings=f"{RESULTS}/predictions/retrieval/{ATTENDING[-1]}.parquet",
            shards=tested_shards(AT_WRITTEN_TEMPO),
        output:
            *in_report(RETRIEVAL_ATTENTION),
        log:
            f"{RESULTS}/logs/retrieval/attention.log",
        conda:
            "../../envs/learning.yaml"
        resources:
            mem_mb=memory(2000, 3),  # the test split at one tempo
        params:
            out=folder,
            flags=flags(shards=tested_shards(AT_WRITTEN_TEMPO), seed=config["seed"]),
        shell:
            "python -m models retrieval attention --weights {input.weights} {params.flags}"
            " --embeddings {input.embeddings} --out {params.out} 2> {log}"
