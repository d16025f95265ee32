"""Names of the files that the networks' rules make, relative to the results.

A training leaves its checkpoint beside the weights, named `.state`, until it has ended.
"""

TABLES = (".md", ".csv", ".tex", ".html")
FIGURES = (".png", ".pdf")
CONDITIONS = (".md", ".csv", "_local_tempo.csv")  # of a table by conditions of recording
SHIPPED = "shipped"  # names the weights of retrieval that come with the project
SHIPPED_CONTEXT = "SC"  # length of their network's excerpts, a key of constants.CONTEXTS
NETWORK_FIGURES = ("errors", "example", "tracking")  # of each network of score following


def of(settings: dict) -> list[str]:
    """All files of score following and retrieval that a run with these settings keeps."""
    following, retrieval = settings["score_following"], settings["retrieval"]
    return [
        *(_score_following(following["networks"]) if following else []),
        *(_retrieval(retrieval) if retrieval else []),
    ]


def suffixed(folder: str, names: list[str], suffixes: tuple[str, ...]) -> list[str]:
    """A file of a folder for each name and suffix."""
    return [f"{folder}/{name}{suffix}" for name in names for suffix in suffixes]


def _score_following(networks: list[str]) -> list[str]:
    weights = (".safetensors", ".safetensors.state", "_history.parquet")
    predictions = (".parquet", "_metrics.parquet", "_reached.parquet", "_tracks.parquet")
    figures = [f"score_following_{name}_{kind}" for name in networks for kind in NETWORK_FIGURES]
    return [
        *suffixed("models/score_following", networks, weights),
        *suffixed("predictions/score_following", networks, predictions),
        *suffixed("tables", ["score_following", "tracking"], TABLES),
        *suffixed("figures", ["staves", "score_following_history", *figures], FIGURES),
    ]


def evaluated(retrieval: dict) -> list[str]:
    """The networks of retrieval in the tables: those trained, and the shipped one if set."""
    return [*retrieval["models"], *([SHIPPED] if retrieval["shipped"] else [])]


def conditions(retrieval: dict) -> list[str]:
    """The tables by conditions of recording, one a network; none if the settings name none."""
    wanted = retrieval.get("conditions")
    return [f"conditions_{name}" for name in evaluated(retrieval)] if wanted else []


def _retrieval(retrieval: dict) -> list[str]:
    models = retrieval["models"]
    weights = (".safetensors", ".safetensors.state", "-refined.safetensors", "_history.parquet")
    predictions = [*evaluated(retrieval), "pairs", "metrics", "identified", "aligned"]
    tables = ["retrieval", "tempo_robustness", "identification", "alignment"]
    figures = ["retrieval_history", "retrieval_tempo", "retrieval_example"]
    if any(model.endswith("AT") for model in models):
        figures += [f"attention_{name}" for name in ("within_piece", "examples", "entropy")]
    return [
        *suffixed("models/retrieval", models, weights),
        *suffixed("predictions/retrieval", predictions, (".parquet",)),
        *suffixed("tables", tables, TABLES),
        *suffixed("tables", conditions(retrieval), CONDITIONS),
        *suffixed("figures", figures, FIGURES),
    ]
