"""The learning half on the command line: `python -m models COMMAND --help`."""

from pipeline.cli import run

if __name__ == "__main__":
    run(
        {
            "train": "models.train:train",
            "evaluate": "models.evaluate:evaluate",
            "measure": "models.evaluate:measure",
            "table": "models.report:score_following_table",
            "errors": "models.figures:errors",
            "example": "models.figures:example",
            "history": "models.figures:history",
            "staves": "models.figures:staves",
        }
    )
