# Predictions of the trained network and of the baselines, and the measures of the paper's 3.3.


rule evaluate:
    input:
        weights=f"{RESULTS}/models/score_following.pt",
        train=following_shards("train"),
        valid=following_shards("valid"),
        test=following_shards("test"),
    output:
        f"{RESULTS}/predictions/score_following.parquet",
    log:
        f"{RESULTS}/logs/evaluate.log",
    benchmark:
        f"{RESULTS}/logs/evaluate.tsv"
    conda:
        "../../envs/learning.yaml"
    threads: 64  # as many as there are, Snakemake sees to that
    resources:
        mem_mb=memory(4000),  # the weights, one shard, one chunk of activations
        runtime=minutes(120),
    params:
        flags=flags(
            precision=FOLLOWING["precision"],
            train_samples=FOLLOWING["evaluate_train_samples"],
        ),
        shards=lambda wildcards, input: flags(
            shards={split: list(input[split]) for split in catalogue.DRAWN}
        ),
    shell:
        "python -m models score_following evaluate --weights {input.weights} {params.shards} {params.flags}"
        " --out {output} 2> {log}"


rule measure:
    input:
        f"{RESULTS}/predictions/score_following.parquet",
    output:
        f"{RESULTS}/predictions/score_following_measures.parquet",
    log:
        f"{RESULTS}/logs/measure.log",
    conda:
        "../../envs/learning.yaml"
    params:
        flags=flags(seed=config["seed"]),
    shell:
        "python -m models score_following measure --predictions {input} {params.flags} --out {output} 2> {log}"
