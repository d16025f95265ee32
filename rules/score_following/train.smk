# Train the network of Dorfer et al. 2016. A run that is killed continues from its checkpoint.
import json


rule train:
    input:
        train=following_shards("train"),
        valid=following_shards("valid"),
    output:
        weights=f"{RESULTS}/models/score_following.safetensors",
        history=f"{RESULTS}/models/score_following_history.parquet",
    log:
        f"{RESULTS}/logs/train.log",
    benchmark:
        f"{RESULTS}/logs/train.tsv"
    conda:
        "../../envs/learning.yaml"
    threads: 64  # as many as there are, Snakemake sees to that
    resources:
        # 75 million weights with gradient and momentum, activations; the shards decoded
        mem_mb=memory(4000, 4, config["memory_mb"]),
        runtime=minutes(720),  # continues from its checkpoint if that is not enough
    params:
        settings=lambda wildcards: json.dumps(FOLLOWING["training"]),
        seed=config["seed"],
        memory_mb=option("memory_mb", config["memory_mb"]),
    shell:
        "python -m partimento score_following train --shards_train {input.train:q}"
        " --shards_valid {input.valid:q} --settings {params.settings:q} --seed {params.seed:q}"
        " {params.memory_mb:q} --weights {output.weights:q} --history {output.history:q}"
        " 2>&1 | tee {log:q}"
