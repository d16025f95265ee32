# Train the network of Dorfer et al. 2016 on the shards. A run that is killed goes on where it was.


rule train:
    input:
        train=following_shards("train"),
        valid=following_shards("valid"),
    output:
        weights=f"{RESULTS}/models/score_following.pt",
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
        runtime=minutes(720),  # goes on from its checkpoint where that is not enough
    params:
        flags=flags(
            seed=config["seed"],
            memory_mb=config["memory_mb"],
            **{name: FOLLOWING[name] for name in TRAINING},
        ),
        shards=lambda wildcards, input: flags(
            shards_train=list(input.train), shards_valid=list(input.valid)
        ),
    shell:
        "python -m models score_following train {params.shards} {params.flags} --weights {output.weights}"
        " --history {output.history} 2>&1 | tee {log}"
