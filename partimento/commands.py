"""The commands of `partimento`: where each is defined, and what its help says in one line."""

from typing import NamedTuple


class Command(NamedTuple):
    """A function that is a command."""

    group: str
    target: str  # module:function
    help: str


PEOPLE = "What people do"
DATA = "Stages of the data half"
LEARNING = "Stages of the learning half"
RETRIEVAL = "models.retrieval"
FOLLOWING = "models.score_following"

COMMANDS = {
    "run": Command(PEOPLE, "partimento.workflow:run", "Run the workflow, from scores to tables."),
    "inspect": Command(
        PEOPLE, "pipeline.describing.inspect:inspect", "Write a page to see and hear a piece."
    ),
    "index": Command(PEOPLE, f"{RETRIEVAL}.index:index", "Make the scores in shards searchable."),
    "query": Command(PEOPLE, f"{RETRIEVAL}.query:query", "Find the score of a recording."),
    "follow": Command(
        PEOPLE, "partimento.following:follow", "Follow a recording on the pages of its score."
    ),
    "verify": Command(
        PEOPLE, "partimento.workflow:verify", "Find truncated or corrupt results and downloads."
    ),
    "publish": Command(
        PEOPLE,
        "pipeline.publishing.publish:publish",
        "Lay a collection out for the hub.",
    ),
    "release": Command(
        PEOPLE, "pipeline.publishing.publish:release", "Pack a collection for a release."
    ),
    "report": Command(
        PEOPLE, "models.reporting.report:report", "Write one page on a finished run."
    ),
    "gallery": Command(
        PEOPLE, "models.reporting.gallery:gallery", "Write pages of some pieces for a web server."
    ),
    "summary": Command(
        PEOPLE, "models.reporting.summary:summary", "Print the best numbers of a run."
    ),
    "settings": Command(
        PEOPLE, "partimento.workflow:show", "Print one setting that a run would have."
    ),
    "fetch": Command(
        DATA, "pipeline.reading.fetching:fetch", "Download an archive and check its contents."
    ),
    "select": Command(DATA, "pipeline.select:select", "Choose the pieces of a collection."),
    "engrave": Command(DATA, "pipeline.engrave:engrave", "Engrave pages, noteheads and notes."),
    "works": Command(
        DATA, "pipeline.works:works", "Find extra pieces that share a work with held-out ones."
    ),
    "synthesize": Command(DATA, "pipeline.synthesize:synthesize", "Play notes with a sound font."),
    "spectrogram": Command(
        DATA, "pipeline.spectrogram:extract", "Make spectrograms of recordings."
    ),
    "shard": Command(DATA, "pipeline.shard:shard", "Join the tables into what training reads."),
    "scans": Command(
        DATA, "pipeline.describing.scans:scans", "Draw a page beside its degraded scan."
    ),
    "card": Command(DATA, "pipeline.card:card", "Write the card of a data set."),
    "msmd-counts": Command(
        DATA, "pipeline.describing.msmd_counts:msmd_counts", "Compare the onsets with MSMD's."
    ),
    "provenance": Command(
        DATA, "pipeline.describing.provenance:provenance", "Record what the results come from."
    ),
    "align-recordings": Command(
        LEARNING,
        "models.following.recordings:align_recordings",
        "Align recordings of people with their scores.",
    ),
    "retrieval train": Command(
        LEARNING, f"{RETRIEVAL}.train:train", "Train one of the paper's networks."
    ),
    "retrieval train-segments": Command(
        LEARNING, f"{RETRIEVAL}.train_segments:train_segments", "Train our own network."
    ),
    "retrieval refine": Command(LEARNING, f"{RETRIEVAL}.refine:refine", "Refit the projection."),
    "retrieval choose": Command(LEARNING, f"{RETRIEVAL}.pairs:choose", "Choose the test pairs."),
    "retrieval embed": Command(LEARNING, f"{RETRIEVAL}.embed:embed", "Embed the test pairs."),
    "retrieval evaluate": Command(
        LEARNING, f"{RETRIEVAL}.evaluate:evaluate", "Compute the metrics of the test pairs."
    ),
    "retrieval identify": Command(
        LEARNING, f"{RETRIEVAL}.identify:identify", "Identify whole pieces among all."
    ),
    "retrieval mix": Command(
        LEARNING, f"{RETRIEVAL}.mixing:mix", "Mix the weights before and after a further training."
    ),
    "retrieval align": Command(
        LEARNING, f"{RETRIEVAL}.align:align", "Align recordings with their scores."
    ),
    "retrieval conditions": Command(
        LEARNING, f"{RETRIEVAL}.conditions:conditions", "Compare how recordings were made."
    ),
    "retrieval tables": Command(LEARNING, f"{RETRIEVAL}.report:tables", "Write the tables."),
    "retrieval curves": Command(LEARNING, f"{RETRIEVAL}.curves:curves", "Draw the curves."),
    "retrieval example": Command(LEARNING, f"{RETRIEVAL}.example_figure:example", "Draw a query."),
    "retrieval attention": Command(
        LEARNING, f"{RETRIEVAL}.attention_figures:attention", "Draw what the networks attend to."
    ),
    "score-following train": Command(
        LEARNING, f"{FOLLOWING}.train:train", "Train the paper's network."
    ),
    "score-following train-matching": Command(
        LEARNING, f"{FOLLOWING}.train_matching:train_matching", "Train our own network."
    ),
    "score-following predict": Command(
        LEARNING, f"{FOLLOWING}.predict:predict", "Predict the position of every onset."
    ),
    "score-following evaluate": Command(
        LEARNING, f"{FOLLOWING}.evaluate:evaluate", "Compute the metrics of the predictions."
    ),
    "score-following table": Command(LEARNING, f"{FOLLOWING}.report:table", "Write the table."),
    "score-following errors": Command(
        LEARNING, f"{FOLLOWING}.figures:errors", "Draw how far off the predictions are."
    ),
    "score-following example": Command(
        LEARNING, f"{FOLLOWING}.figures:example", "Draw one onset as the network sees it."
    ),
    "score-following history": Command(
        LEARNING, f"{FOLLOWING}.figures:history", "Draw the course of training."
    ),
    "score-following track": Command(
        LEARNING, f"{FOLLOWING}.track:track", "Follow whole recordings staff by staff."
    ),
    "score-following tracking-table": Command(
        LEARNING, f"{FOLLOWING}.track_report:tracking_table", "Write the table of tracking."
    ),
    "score-following tracking-figure": Command(
        LEARNING, f"{FOLLOWING}.track_report:tracking_figure", "Draw how positions are tracked."
    ),
    "score-following tracking-video": Command(
        LEARNING,
        "models.following.tracked_tune:tracking_video",
        "Show how a tune is tracked, as a video.",
    ),
    "score-following staves": Command(
        LEARNING, f"{FOLLOWING}.figures:staves", "Draw staves with their noteheads marked."
    ),
}
PARENTS = {
    "retrieval": "Train, evaluate and report the networks of audio-sheet retrieval.",
    "score-following": "Train, evaluate and report the networks of score following.",
}
