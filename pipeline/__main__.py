"""The data half on the command line: `python -m pipeline STAGE --help`."""

from pipeline.cli import run

if __name__ == "__main__":
    run(
        {
            "fetch": "pipeline.reading.fetching:fetch",
            "select": "pipeline.select:select",
            "engrave": "pipeline.engrave:engrave",
            "synthesize": "pipeline.synthesize:synthesize",
            "spectrogram": "pipeline.spectrogram:extract",
            "shard": "pipeline.shard:shard",
            "card": "pipeline.card:card",
            "msmd_counts": "pipeline.describing.msmd_counts:msmd_counts",
            "provenance": "pipeline.describing.provenance:provenance",
            "verify": "pipeline.describing.verify:verify",
            "settings": "pipeline.planning.settings:show",
            "inspect": "pipeline.describing.inspect:inspect",
        },
        by_hand=("inspect", "settings"),
    )
