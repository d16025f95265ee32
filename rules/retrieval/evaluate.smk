# Choose audio-sheet pairs, embed them with every network, and measure how well one finds the other.


rule retrieval_pairs:
    input:
        [file for tempo_ratio in TEMPI for file in tested_shards(tempo_ratio)],
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
        flags=flags(
            shards={tempo_ratio: tested_shards(tempo_ratio) for tempo_ratio in TEMPI},
            count=RETRIEVAL["pairs"],
            protocols=RETRIEVAL["protocols"],
            contexts=RETRIEVAL_CONTEXTS,
        ),
    shell:
        "python -m models retrieval choose {params.flags} --out {output} 2> {log}"


rule retrieval_embed:
    input:
        weights=f"{RETRIEVAL_MODELS}/{{model}}.safetensors",
        pairs=f"{RESULTS}/predictions/retrieval/pairs.parquet",
        shards=[file for tempo_ratio in TEMPI for file in tested_shards(tempo_ratio)],
    output:
        f"{RESULTS}/predictions/retrieval/{{model}}.parquet",
    log:
        f"{RESULTS}/logs/retrieval/embed-{{model}}.log",
    benchmark:
        f"{RESULTS}/logs/retrieval/embed-{{model}}.tsv"
    conda:
        "../../envs/learning.yaml"
    threads: 64
    resources:
        # one chunk of activations; the test split at one tempo
        mem_mb=memory(3000, 3),
        runtime=minutes(120),
    params:
        flags=flags(
            shards={tempo_ratio: tested_shards(tempo_ratio) for tempo_ratio in TEMPI},
            precision=RETRIEVAL["precision"],
        ),
    shell:
        "python -m models retrieval embed --weights {input.weights} {params.flags}"
        " --pairs {input.pairs} --out {output} 2> {log}"


rule retrieval_evaluate:
    input:
        embeddings=expand(
            f"{RESULTS}/predictions/retrieval/{{model}}.parquet", model=MODELS
        ),
        weights=expand(f"{RETRIEVAL_MODELS}/{{model}}.safetensors", model=MODELS),
        refined=expand(
            f"{RETRIEVAL_MODELS}/{{model}}-refined.safetensors", model=MODELS
        ),
    output:
        f"{RESULTS}/predictions/retrieval/measures.parquet",
    log:
        f"{RESULTS}/logs/retrieval/evaluate.log",
    benchmark:
        f"{RESULTS}/logs/retrieval/evaluate.tsv"
    conda:
        "../../envs/learning.yaml"
    threads: 64
    resources:
        mem_mb=memory(3000, 2),  # the vectors of one network
        runtime=minutes(60),
    params:
        flags=lambda wildcards, input: flags(
            seed=config["seed"],
            **{
                name: dict(zip(MODELS, input[name]))
                for name in ("embeddings", "weights", "refined")
            },
        ),
    shell:
        "python -m models retrieval evaluate {params.flags} --out {output} 2> {log}"


rule retrieval_pieces:
    input:
        weights=f"{RETRIEVAL_MODELS}/{BEST}-refined.safetensors",
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
    threads: 64
    resources:
        mem_mb=memory(4000, 3),  # the test split, its vectors, the distances of one piece
        runtime=minutes(120),
    params:
        flags=lambda wildcards, input: flags(
            shards=list(input.shards), precision=RETRIEVAL["precision"]
        ),
    shell:
        "{{ python -m models retrieval identify --weights {input.weights} {params.flags}"
        " --out {output.identified} &&"
        " python -m models retrieval align --weights {input.weights} {params.flags}"
        " --out {output.aligned}; }} 2> {log}"
