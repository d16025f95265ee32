"""The learning half on the command line: `python -m models COMMAND --help`."""

from pipeline.cli import run

if __name__ == "__main__":
    run(
        {
            "score_following": {
                "train": "models.score_following.train:train",
                "predict": "models.score_following.predict:predict",
                "evaluate": "models.score_following.evaluate:evaluate",
                "table": "models.score_following.report:table",
                "errors": "models.score_following.figures:errors",
                "example": "models.score_following.figures:example",
                "history": "models.score_following.figures:history",
                "staves": "models.score_following.figures:staves",
            },
            "retrieval": {
                "train": "models.retrieval.train:train",
                "refine": "models.retrieval.refine:refine",
                "choose": "models.retrieval.pairs:choose",
                "embed": "models.retrieval.embed:embed",
                "evaluate": "models.retrieval.evaluate:evaluate",
                "identify": "models.retrieval.identify:identify",
                "align": "models.retrieval.align:align",
                "tables": "models.retrieval.report:tables",
                "curves": "models.retrieval.curves:curves",
                "example": "models.retrieval.example_figure:example",
                "attention": "models.retrieval.attention_figures:attention",
            },
            "index": "models.retrieval.index:index",
            "query": "models.retrieval.query:query",
        },
        by_hand=("query",),
    )
