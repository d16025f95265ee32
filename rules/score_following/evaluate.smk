# Predict with each trained network and the baselines, and compute the metrics of the paper's 3.3;
# follow whole recordings, the paper's future work.


rule predict:
    input:
        weights=WEIGHTS,
        train=following_shards("train"),
        valid=following_shards("valid"),
        test=following_shards("test"),
    output:
        PREDICTIONS,
    log:
        f"{RESULTS}/logs/predict-{{network}}.log",
    benchmark:
        f"{RESULTS}/logs/predict-{{network}}.tsv"
    conda:
        "../../envs/learning.yaml"
    threads: NETWORK_THREADS
    resources:
        mem_mb=memory(4000),  # the weights, one shard, one batch of activations
        runtime=minutes(120),
    params:
        precision=lambda wildcards: FOLLOWING["training"][wildcards.network][
            "precision"
        ],
        train_samples=option("train_samples", FOLLOWING["evaluation"]["train_samples"]),
    message:
        "Follow scores with the network {wildcards.network}"
    shell:
        "python -m partimento score_following predict --weights {input.weights:q}"
        " --shards_train {input.train:q} --shards_valid {input.valid:q} --shards_test {input.test:q}"
        " --precision {params.precision:q} {params.train_samples:q} --out {output:q} 2> {log:q}"


rule evaluate:
    input:
        PREDICTIONS,
    output:
        METRICS,
    log:
        f"{RESULTS}/logs/evaluate-{{network}}.log",
    conda:
        "../../envs/learning.yaml"
    params:
        seed=config["seed"],
    message:
        "Compute the metrics of the network {wildcards.network}"
    shell:
        "python -m partimento score_following evaluate --predictions {input:q} --seed {params.seed:q}"
        " --out {output:q} 2> {log:q}"


rule track:
    input:
        weights=WEIGHTS,
        test=following_shards("test"),
    output:
        reached=REACHED,
        tracks=TRACKS,
    log:
        f"{RESULTS}/logs/track-{{network}}.log",
    conda:
        "../../envs/learning.yaml"
    threads: NETWORK_THREADS
    resources:
        mem_mb=memory(4000),  # the weights, one shard, one batch of activations
        runtime=minutes(60),
    params:
        precision=lambda wildcards: FOLLOWING["training"][wildcards.network][
            "precision"
        ],
        tunes=FOLLOWING["evaluation"]["tracked"],
    message:
        "Track recordings with the network {wildcards.network}"
    shell:
        "python -m partimento score_following track --weights {input.weights:q}"
        " --shards {input.test:q} --tunes {params.tunes:q} --precision {params.precision:q}"
        " --out {output.reached:q} --tracks {output.tracks:q} 2> {log:q}"
