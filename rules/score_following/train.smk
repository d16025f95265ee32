# Train the network of Dorfer et al. 2016, and ours for the same task. A run that is killed continues from its checkpoint.
TRAIN = {"paper": "train", "PT": "train_matching"}  # commands by network


rule train:
    input:
        train=following_shards("train"),
        valid=following_shards("valid"),
    output:
        weights=WEIGHTS,
        history=HISTORY,
    log:
        f"{RESULTS}/logs/train-{{network}}.log",
    benchmark:
        f"{RESULTS}/logs/train-{{network}}.tsv"
    priority: PRIORITY["train"]
    conda:
        "../../envs/learning.yaml"
    threads: NETWORK_THREADS
    resources:
        # 75 million weights (the paper's) with gradient and momentum, activations; the shards decoded
        mem_mb=memory(4000, 4, config["memory_mb"]),
        runtime=minutes(720),  # continues from its checkpoint if that is not enough
    params:
        command=lambda wildcards: TRAIN[wildcards.network],
        settings=lambda wildcards: text(FOLLOWING["training"][wildcards.network]),
        seed=config["seed"],
        memory_mb=option("memory_mb", config["memory_mb"]),
    message:
        "Train the network {wildcards.network} for score following"
    shell:
        "python -m partimento score_following {params.command:q} --shards_train {input.train:q}"
        " --shards_valid {input.valid:q} --settings {params.settings:q} --seed {params.seed:q}"
        " {params.memory_mb:q} --weights {output.weights:q} --history {output.history:q}"
        " 2> {log:q} 1>&2"
