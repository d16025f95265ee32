# Train the networks of Balke et al. 2019 on the shards, then refine their projection. A training that
# is killed goes on where it was.


rule retrieval_train:
    input:
        train=retrieval_shards("train"),
        valid=retrieval_shards("valid"),
    output:
        weights=f"{RETRIEVAL_MODELS}/{{model}}.safetensors",
        history=f"{RETRIEVAL_MODELS}/{{model}}_history.parquet",
    log:
        f"{RESULTS}/logs/retrieval/train-{{model}}.log",
    benchmark:
        f"{RESULTS}/logs/retrieval/train-{{model}}.tsv"
    conda:
        "../../envs/learning.yaml"
    threads: 64  # as many as there are, Snakemake sees to that
    resources:
        # activations of a chunk; the strips and spectrograms of the split, decoded
        mem_mb=memory(3000, 3, config["memory_mb"]),
        runtime=minutes(720),  # goes on from its checkpoint where that is not enough
    params:
        flags=flags(
            seed=config["seed"],
            memory_mb=config["memory_mb"],
            **{name: RETRIEVAL[name] for name in RETRIEVAL_TRAINING},
        ),
        shards=lambda wildcards, input: flags(
            shards_train=list(input.train), shards_valid=list(input.valid)
        ),
    shell:
        "python -m models retrieval train {params.shards} --model {wildcards.model} {params.flags}"
        " --weights {output.weights} --history {output.history} 2>&1 | tee {log}"


rule retrieval_refine:
    input:
        weights=f"{RETRIEVAL_MODELS}/{{model}}.safetensors",
        train=retrieval_shards("train"),
    output:
        f"{RETRIEVAL_MODELS}/{{model}}-refined.safetensors",
    log:
        f"{RESULTS}/logs/retrieval/refine-{{model}}.log",
    benchmark:
        f"{RESULTS}/logs/retrieval/refine-{{model}}.tsv"
    conda:
        "../../envs/learning.yaml"
    threads: 64
    resources:
        mem_mb=memory(3000, 3, config["memory_mb"]),  # as in training
        runtime=minutes(120),
    params:
        flags=flags(
            seed=config["seed"],
            memory_mb=config["memory_mb"],
            samples=RETRIEVAL["refine_samples"],
            precision=RETRIEVAL["precision"],
            augmentation=RETRIEVAL["augmentation"],
        ),
        shards=lambda wildcards, input: flags(shards_train=list(input.train)),
    shell:
        "python -m models retrieval refine --weights {input.weights} {params.shards} {params.flags}"
        " --out {output} 2> {log}"
