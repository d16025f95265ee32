"""Names of the files that the networks' rules make, relative to the results.

A training leaves its checkpoint beside the weights, named `.state`, until it has ended.
"""

import math

TABLES = (".md", ".csv", ".tex", ".html")
FIGURES = (".png", ".pdf")
CONDITIONS = (".md", ".csv", "_local_tempo.csv")  # of a table by conditions of recording
RETRIEVAL_MODELS = "models/retrieval"  # folder of the weights
CHECKPOINT = ".state"  # ends the name of weights' checkpoint
SHIPPED = "shipped"  # names the weights of retrieval that come with the project
SHIPPED_CONTEXT = "LC"  # length of their network's excerpts, a key of constants.CONTEXTS
NETWORK_FIGURES = ("errors", "example", "tracking")  # of each network of score following
ATTENTION_FIGURES = ("attention_within_piece", "attention_examples", "attention_entropy")


def of(settings: dict) -> list[str]:
    """All files of score following and retrieval that a run with these settings keeps."""
    following, retrieval = settings["score_following"], settings["retrieval"]
    return [
        *(_score_following(following) if following else []),
        *(_retrieval(retrieval) if retrieval else []),
    ]


def suffixed(folder: str, names: list[str], suffixes: tuple[str, ...]) -> list[str]:
    """A file of a folder for each name and suffix."""
    return [f"{folder}/{name}{suffix}" for name in names for suffix in suffixes]


def drawn(section: dict) -> list[str]:
    """The networks that a section of the settings trains long enough for figures to show anything.

    Of a network that trains on fewer than `figures_from` examples no figure is drawn.
    """
    return [
        network
        for network in section["networks"]
        if _examples(section["training"]["PT" if network == "PT" else "paper"])
        >= section.get("figures_from", 0)  # an older run's settings have none
    ]


def _examples(training: dict) -> float:
    """Notes or pairs that a training sees; as many as there may be if it takes all there are."""
    return training["epochs"] * (training["epoch_samples"] or math.inf)


def following_figures(following: dict) -> list[str]:
    """Names of the figures of score following."""
    networks = drawn(following)
    found = [f"score_following_{name}_{kind}" for name in networks for kind in NETWORK_FIGURES]
    return ["staves", *(["score_following_history"] if networks else []), *found]


def retrieval_figures(retrieval: dict) -> list[str]:
    """Names of the figures of retrieval."""
    models = drawn(retrieval)
    found = ["retrieval_history", "retrieval_tempo"] if models else []
    if evaluated(retrieval)[-1] in [*models, SHIPPED]:
        found.append("retrieval_example")
    return [*found, *(ATTENTION_FIGURES if attending(retrieval) else [])]


def attending(retrieval: dict) -> list[str]:
    """The networks of retrieval with attention whose figures are drawn."""
    return [model for model in drawn(retrieval) if model.endswith("AT")]


def _score_following(following: dict) -> list[str]:
    networks = following["networks"]
    weights = (".safetensors", f".safetensors{CHECKPOINT}", "_history.parquet")
    predictions = (".parquet", "_metrics.parquet", "_reached.parquet", "_tracks.parquet")
    return [
        *suffixed("models/score_following", networks, weights),
        *suffixed("predictions/score_following", networks, predictions),
        *suffixed("tables", ["score_following", "tracking"], TABLES),
        *suffixed("figures", following_figures(following), FIGURES),
    ]


def evaluated(retrieval: dict) -> list[str]:
    """The networks of retrieval in the tables: those trained, and the shipped one if set."""
    return [*retrieval["networks"], *([SHIPPED] if retrieval["shipped"] else [])]


def refined(retrieval: dict) -> list[str]:
    """The networks whose projection is refitted, the paper's; ours are compared without one."""
    return [name for name in retrieval["networks"] if name != "PT"]


def conditions(retrieval: dict) -> list[str]:
    """The tables by conditions of recording, one a network; none if the settings name none."""
    wanted = retrieval.get("conditions")
    return [f"conditions_{name}" for name in evaluated(retrieval)] if wanted else []


def _retrieval(retrieval: dict) -> list[str]:
    networks = retrieval["networks"]
    weights = (".safetensors", f".safetensors{CHECKPOINT}", "_history.parquet")
    predictions = [*evaluated(retrieval), "pairs", "metrics", "identified", "aligned"]
    tables = ["retrieval", "tempo_robustness", "identification", "alignment"]
    return [
        *suffixed(RETRIEVAL_MODELS, networks, weights),
        *suffixed(RETRIEVAL_MODELS, refined(retrieval), ("-refined.safetensors",)),
        *suffixed("predictions/retrieval", predictions, (".parquet",)),
        *suffixed("tables", tables, TABLES),
        *suffixed("tables", conditions(retrieval), CONDITIONS),
        *suffixed("figures", retrieval_figures(retrieval), FIGURES),
    ]
