"""Names of the files that the networks' rules make, relative to the results.

A training leaves its checkpoint beside the weights, named `.state`, until it has ended.
"""

TABLES = (".md", ".csv", ".tex", ".html")
FIGURES = (".png", ".pdf")


def of(settings: dict) -> list[str]:
    """All files of score following and retrieval that a run with these settings keeps."""
    following = _score_following() if settings["score_following"] else []
    retrieval = settings["retrieval"]
    return following + (_retrieval(retrieval["models"]) if retrieval else [])


def suffixed(folder: str, names: list[str], suffixes: tuple[str, ...]) -> list[str]:
    """A file of a folder for each name and suffix."""
    return [f"{folder}/{name}{suffix}" for name in names for suffix in suffixes]


def _score_following() -> list[str]:
    figures = ["staves", *(f"score_following_{name}" for name in ("history", "errors", "example"))]
    return [
        "models/score_following.pt",
        "models/score_following.pt.state",
        "models/score_following_history.parquet",
        "predictions/score_following.parquet",
        "predictions/score_following_measures.parquet",
        *suffixed("tables", ["score_following"], TABLES),
        *suffixed("figures", figures, FIGURES),
    ]


def _retrieval(models: list[str]) -> list[str]:
    weights = (".safetensors", ".safetensors.state", "-refined.safetensors", "_history.parquet")
    predictions = [*models, "pairs", "measures", "identified", "aligned"]
    tables = ["retrieval", "tempo_robustness", "identification", "alignment"]
    figures = ["retrieval_history", "retrieval_tempo", "retrieval_example"]
    if any(model.endswith("AT") for model in models):
        figures += [f"attention_{name}" for name in ("within_piece", "examples", "entropy")]
    return [
        *suffixed("models/retrieval", models, weights),
        *suffixed("predictions/retrieval", predictions, (".parquet",)),
        *suffixed("tables", tables, TABLES),
        *suffixed("figures", figures, FIGURES),
    ]
