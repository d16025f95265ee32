# Names that the rules of score following share.
WEIGHTS = f"{RESULTS}/models/score_following/{{network}}.safetensors"
HISTORY = f"{RESULTS}/models/score_following/{{network}}_history.parquet"
PREDICTIONS = f"{RESULTS}/predictions/score_following/{{network}}.parquet"
METRICS = f"{RESULTS}/predictions/score_following/{{network}}_metrics.parquet"
REACHED = f"{RESULTS}/predictions/score_following/{{network}}_reached.parquet"
TRACKS = f"{RESULTS}/predictions/score_following/{{network}}_tracks.parquet"
NETWORKS = FOLLOWING["networks"]
FOLLOWING_FILES += [
    *expand(
        [WEIGHTS, HISTORY, PREDICTIONS, METRICS, REACHED, TRACKS], network=NETWORKS
    ),
    *written(["score_following", "tracking"]),
    *figures(
        [
            "staves",
            "score_following_history",
            *expand("score_following_{network}_errors", network=NETWORKS),
            *expand("score_following_{network}_example", network=NETWORKS),
            *expand("score_following_{network}_tracking", network=NETWORKS),
        ]
    ),
]


def by_network(pattern):
    """Params function: a file of each network as one argument, by the network's name."""
    return lambda wildcards: text(
        {name: expand(pattern, network=name)[0] for name in NETWORKS}
    )


def following_shards(split):
    """Input function: the shards of a split that score following learns from."""

    def files(wildcards):
        return chunk_files(
            f"{DATA}/shards/{split}/{{font}}-{{tempo_ratio}}-{{chunk}}.parquet",
            FOLLOWING["collection"],
            split,
        )

    return files
