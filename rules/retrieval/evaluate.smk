# Choose audio-sheet pairs, embed them with every network, and compute the metrics of retrieval.


rule retrieval_pairs:
    input:
        all_tested_shards(),
    output:
        f"{RESULTS}/predictions/retrieval/pairs.parquet",
    log:
        f"{RESULTS}/logs/retrieval/pairs.log",
    conda:
        "../../envs/learning.yaml"
    resources:
        mem_mb=memory(1000),  # the onsets of the test split
        runtime=minutes(20),
    params:
        pairs=RETRIEVAL["evaluation"]["pairs"],
        protocols=RETRIEVAL["evaluation"]["protocols"],
        contexts=RETRIEVAL_CONTEXTS,
    message:
        "Choose pairs to test retrieval with"
    shell:
        "python -m partimento retrieval choose --shards {input:q} --contexts {params.contexts:q}"
        " --count {params.pairs:q} --protocols {params.protocols:q} --out {output:q} 2> {log:q}"


rule retrieval_embed:
    input:
        weights=lambda wildcards: weights_of(wildcards.model),
        pairs=f"{RESULTS}/predictions/retrieval/pairs.parquet",
        shards=all_tested_shards(),
    output:
        f"{RESULTS}/predictions/retrieval/{{model}}.parquet",
    log:
        f"{RESULTS}/logs/retrieval/embed-{{model}}.log",
    benchmark:
        f"{RESULTS}/logs/retrieval/embed-{{model}}.tsv"
    conda:
        "../../envs/learning.yaml"
    threads: NETWORK_THREADS
    resources:
        # one batch of activations; the test split at one tempo
        mem_mb=memory(3000, 3),
        runtime=minutes(120),
    params:
        weights=lambda wildcards: named_weights([wildcards.model]),
        state=lambda wildcards: SHIPPED_STATE if wildcards.model == SHIPPED else None,
        precision=lambda wildcards: training_of(wildcards.model)["precision"],
    message:
        "Embed the test pairs with {wildcards.model}"
    shell:
        "python -m partimento retrieval embed --weights {params.weights:q} --shards {input.shards:q}"
        " --pairs {input.pairs:q} --precision {params.precision:q} --out {output:q} 2> {log:q}"


rule retrieval_evaluate:
    input:
        embeddings=expand(
            f"{RESULTS}/predictions/retrieval/{{model}}.parquet", model=EVALUATED
        ),
        weights=expand(f"{RETRIEVAL_MODELS}/{{model}}.safetensors", model=TRAINED),
        refined=expand(
            f"{RETRIEVAL_MODELS}/{{model}}-refined.safetensors", model=REFINED
        ),
    output:
        f"{RESULTS}/predictions/retrieval/metrics.parquet",
    log:
        f"{RESULTS}/logs/retrieval/evaluate.log",
    benchmark:
        f"{RESULTS}/logs/retrieval/evaluate.tsv"
    conda:
        "../../envs/learning.yaml"
    threads: NETWORK_THREADS
    resources:
        mem_mb=memory(3000, 2),  # the vectors of one network
        runtime=minutes(60),
    params:
        weights=named_weights(EVALUATED),
        refined=named_weights(EVALUATED, "-refined"),
        seed=config["seed"],
    message:
        "Compute the metrics of retrieval"
    shell:
        "python -m partimento retrieval evaluate --embeddings {input.embeddings:q}"
        " --weights {params.weights:q} --refined {params.refined:q} --seed {params.seed:q}"
        " --out {output:q} 2> {log:q}"


rule retrieval_pieces:
    input:
        weights=weights_of(BEST, "-refined"),
        shards=tested_shards(AT_WRITTEN_TEMPO),
    output:
        identified=f"{RESULTS}/predictions/retrieval/identified.parquet",
        aligned=f"{RESULTS}/predictions/retrieval/aligned.parquet",
    log:
        f"{RESULTS}/logs/retrieval/pieces.log",
    benchmark:
        f"{RESULTS}/logs/retrieval/pieces.tsv"
    conda:
        "../../envs/learning.yaml"
    threads: NETWORK_THREADS
    resources:
        mem_mb=memory(4000, 3),  # the test split, its vectors, the distances of one piece
        runtime=minutes(120),
    params:
        weights=named_weights([BEST], "-refined"),
        state=SHIPPED_STATE if BEST == SHIPPED else None,
        precision=training_of(BEST)["precision"],
    message:
        "Identify and align whole pieces"
    shell:
        "{{ python -m partimento retrieval identify --weights {params.weights:q}"
        " --shards {input.shards:q} --precision {params.precision:q} --out {output.identified:q} &&"
        " python -m partimento retrieval align --weights {params.weights:q}"
        " --shards {input.shards:q} --precision {params.precision:q} --out {output.aligned:q}; }}"
        " 2> {log:q}"


if BY_CONDITION:

    rule retrieval_conditions:
        input:
            weights=lambda wildcards: weights_of(wildcards.model, "-refined"),
            shards=[path for paths in BY_CONDITION.values() for path in paths],
        output:
            report(
                f"{RESULTS}/tables/conditions_{{model}}.md",
                caption="../captions/conditions.rst",
                category="Retrieval",
            ),
            f"{RESULTS}/tables/conditions_{{model}}.csv",
            f"{RESULTS}/tables/conditions_{{model}}_local_tempo.csv",
        log:
            f"{RESULTS}/logs/retrieval/conditions-{{model}}.log",
        benchmark:
            f"{RESULTS}/logs/retrieval/conditions-{{model}}.tsv"
        conda:
            "../../envs/learning.yaml"
        threads: NETWORK_THREADS
        resources:
            # the test split in two conditions, its vectors, the distances of one piece
            mem_mb=memory(5000, 3),
            runtime=minutes(120),
        params:
            weights=lambda wildcards: named_weights([wildcards.model], "-refined"),
            state=lambda wildcards: (
                SHIPPED_STATE if wildcards.model == SHIPPED else None
            ),
            shards=lambda wildcards: text(BY_CONDITION),
            stem=stem,
        message:
            "Compare conditions of recording with {wildcards.model}"
        shell:
            "python -m partimento retrieval conditions --shards {params.shards:q}"
            " --weights {params.weights:q} --out_stem {params.stem:q} 2> {log:q}"
