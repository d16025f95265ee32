# Settings and names that the rules of score following share.
FOLLOWING_FILES += [
    f"{RESULTS}/models/score_following.safetensors",
    f"{RESULTS}/models/score_following_history.parquet",
    f"{RESULTS}/predictions/score_following.parquet",
    f"{RESULTS}/predictions/score_following_metrics.parquet",
    *written(["score_following"]),
    *figures(
        [
            "staves",
            "score_following_history",
            "score_following_errors",
            "score_following_example",
        ]
    ),
]


def following_shards(split):
    """Input function: the shards of a split that score following learns from."""

    def files(wildcards):
        return chunk_files(
            f"{DATA}/shards/{split}/{{font}}-{{tempo_ratio}}-{{chunk}}.parquet",
            FOLLOWING["collection"],
            split,
        )

    return files
