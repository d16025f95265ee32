# Names that the rules of score following share.
WEIGHTS = f"{RESULTS}/models/score_following/{{network}}.safetensors"
HISTORY = f"{RESULTS}/models/score_following/{{network}}_history.parquet"
PREDICTIONS = f"{RESULTS}/predictions/score_following/{{network}}.parquet"
METRICS = f"{RESULTS}/predictions/score_following/{{network}}_metrics.parquet"
REACHED = f"{RESULTS}/predictions/score_following/{{network}}_reached.parquet"
TRACKS = f"{RESULTS}/predictions/score_following/{{network}}_tracks.parquet"
NETWORKS = FOLLOWING["networks"]
DRAWN = learning_files.drawn(FOLLOWING)
FOLLOWING_FILES += [
    *expand(
        [WEIGHTS, HISTORY, PREDICTIONS, METRICS, REACHED, TRACKS], network=NETWORKS
    ),
    *written(["score_following", "tracking"]),
    *figures(learning_files.following_figures(FOLLOWING)),
]


def by_network(pattern, networks=NETWORKS):
    """Params function: a file of each network as one argument, by the network's name."""
    return lambda wildcards: text(
        {name: expand(pattern, network=name)[0] for name in networks}
    )


def following_shards(split):
    """Input function: the shards of a split that score following learns from."""
    return lambda wildcards: PLAN.shards(FOLLOWING["collection"], split)
