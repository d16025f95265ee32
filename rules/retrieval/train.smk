# Train the networks of Balke et al. 2019, and ours for the same task, then refine their projection.
# A training that is killed continues from its checkpoint.
import json

# What a training that begins with the shipped weights reruns for: others of them.
BEGINS_WITH = (
    {"initial": SHIPPED_STATE} if training_of("PT").get("initial") == SHIPPED else {}
)


rule retrieval_train:
    input:
        train=retrieval_shards("train"),
        valid=retrieval_shards("valid"),
        initial=initial_weights,
    output:
        weights=f"{RETRIEVAL_MODELS}/{{model}}.safetensors",
        history=f"{RETRIEVAL_MODELS}/{{model}}_history.parquet",
    log:
        f"{RESULTS}/logs/retrieval/train-{{model}}.log",
    benchmark:
        f"{RESULTS}/logs/retrieval/train-{{model}}.tsv"
    conda:
        "../../envs/learning.yaml"
    threads: NETWORK_THREADS
    resources:
        # activations of a batch; the strips and spectrograms of the split, decoded
        mem_mb=memory(3000, 3, config["memory_mb"]),
        runtime=minutes(720),  # continues from its checkpoint if that is not enough
    params:
        **BEGINS_WITH,
        command=lambda wildcards: (
            "train_segments"
            if wildcards.model == "PT"
            else f"train --model {wildcards.model}"
        ),
        settings=lambda wildcards: json.dumps(training_of(wildcards.model)),
        seed=config["seed"],
        memory_mb=option("memory_mb", config["memory_mb"]),
    message:
        "Train {wildcards.model} for retrieval"
    shell:
        "python -m partimento retrieval {params.command} --shards_train {input.train:q}"
        " --shards_valid {input.valid:q} --settings {params.settings:q}"
        " --seed {params.seed:q} {params.memory_mb:q} --weights {output.weights:q}"
        " --history {output.history:q} 2> {log:q} 1>&2"


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
    threads: NETWORK_THREADS
    resources:
        mem_mb=memory(3000, 3, config["memory_mb"]),  # as in training
        runtime=minutes(120),
    params:
        samples=text(RETRIEVAL["refinement"]["samples"]),
        seed=config["seed"],
        precision=lambda wildcards: training_of(wildcards.model)["precision"],
        augmentation=lambda wildcards: json.dumps(
            training_of(wildcards.model)["augmentation"]
        ),
        memory_mb=option("memory_mb", config["memory_mb"]),
    message:
        "Refit the projection of {wildcards.model}"
    shell:
        "python -m partimento retrieval refine --weights {input.weights:q} --shards_train {input.train:q}"
        " --samples {params.samples:q} --seed {params.seed:q} --precision {params.precision:q}"
        " --augmentation {params.augmentation:q} {params.memory_mb:q} --out {output:q} 2> {log:q}"
