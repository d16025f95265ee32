# Settings and names that the rules of retrieval share.
import math
from pathlib import Path

from snakemake.io import report as reported

from pipeline import constants
from pipeline.describing import records
from pipeline.planning.learning_files import SHIPPED

TRAINED = RETRIEVAL["networks"]
EVALUATED = learning_files.evaluated(RETRIEVAL)
REFINED = learning_files.refined(RETRIEVAL)
RETRIEVAL_MODELS = f"{RESULTS}/{learning_files.RETRIEVAL_MODELS}"
# Frames of the networks' excerpts, from the paper's names: those of BL2-LC+AT are LC; ours are, too.
RETRIEVAL_CONTEXTS = sorted(
    {
        constants.CONTEXTS[
            {"PT": "LC", SHIPPED: learning_files.SHIPPED_CONTEXT}.get(model, model[4:6])
        ]
        for model in EVALUATED
    }
)

RETRIEVAL_TABLES = [
    "retrieval",
    "tempo_robustness",
    "identification",
    "alignment",
]
RETRIEVAL_CURVES = ["retrieval_history", "retrieval_tempo"]
RETRIEVAL_DRAWN = learning_files.drawn(RETRIEVAL)
ATTENDING = learning_files.attending(RETRIEVAL)


def in_report(names):
    """The files of figures of retrieval, the pictures marked for the report."""
    pictures = [
        reported(
            f"{RESULTS}/figures/{name}.png",
            caption=f"../captions/{name}.rst",
            category="Retrieval",
        )
        for name in names
    ]
    return [*pictures, *(f"{RESULTS}/figures/{name}.pdf" for name in names)]


RETRIEVAL_FILES += [
    *expand(
        f"{RETRIEVAL_MODELS}/{{model}}{{kind}}",
        model=TRAINED,
        kind=[".safetensors", "_history.parquet"],
    ),
    *expand(f"{RETRIEVAL_MODELS}/{{model}}-refined.safetensors", model=REFINED),
    *expand(
        f"{RESULTS}/predictions/retrieval/{{name}}.parquet",
        name=[*EVALUATED, "pairs", "metrics", "identified", "aligned"],
    ),
    *written(RETRIEVAL_TABLES),
    *learning_files.suffixed(
        f"{RESULTS}/tables",
        learning_files.conditions(RETRIEVAL),
        learning_files.CONDITIONS,
    ),
    *figures(learning_files.retrieval_figures(RETRIEVAL)),
]


def training_of(model):
    """How a network is trained: our own as `PT`, the others, shipped ones too, as `paper` says."""
    return RETRIEVAL["training"]["PT" if model == "PT" else "paper"]


def initial_weights(wildcards):
    """Input function: the weights that a training begins with, if they are a file of the user's."""
    initial = training_of(wildcards.model).get("initial")
    return [] if initial in (None, SHIPPED) else [initial]


def retrieval_shards(split):
    """Input function: the shards of a split that retrieval learns from."""
    further = RETRIEVAL.get("further", []) if split == "train" else []

    def files(wildcards):
        return [
            path
            for collection in [RETRIEVAL["collection"], *further]
            for path in PLAN.shards(collection, split)
        ]

    return files


TEST_TEMPI = [
    tempo_ratio
    for font, tempo_ratio in performances(RETRIEVAL["collection"], "test")
    if font == RETRIEVAL["test_font"]
]
# For figures and for metrics by piece: the shipped network or the last one listed, the tempo nearest
# to the score's.
BEST = EVALUATED[-1]
AT_WRITTEN_TEMPO = min(
    TEST_TEMPI, key=lambda tempo_ratio: abs(math.log(tempo.span(tempo_ratio)[0]))
)


def test_shards(font, tempo_ratio):
    """The shards of the test split that one font plays at one tempo ratio."""
    return expand(
        f"{DATA}/shards/test/{{font}}-{{tempo_ratio}}-{{chunk}}.parquet",
        collection=RETRIEVAL["collection"],
        font=font,
        tempo_ratio=tempo_ratio,
        chunk=chunks(RETRIEVAL["collection"]),
    )


def tested_shards(tempo_ratio):
    """The shards of the test split that the font of the test plays at one tempo ratio."""
    return test_shards(RETRIEVAL["test_font"], tempo_ratio)


def all_tested_shards():
    """The shards of the test split that the font of the test plays, at all tempo ratios."""
    return [path for tempo_ratio in TEST_TEMPI for path in tested_shards(tempo_ratio)]


def shards_by_condition():
    """The shards of the test split by the name of the condition that each is."""
    played = performances(RETRIEVAL["collection"], "test")
    found = {}
    for condition in RETRIEVAL.get("conditions", []):
        found[condition] = [
            path
            for font, tempo_ratio in played
            if font == condition
            for path in test_shards(font, tempo_ratio)
        ]
    return found


BY_CONDITION = shards_by_condition()

# What the evaluation of the shipped network reruns for: other weights.
SHIPPED_STATE = records.digest(
    Path(pipeline.__file__).parents[1] / "models/weights/retrieval.safetensors"
)


def weights_of(model, kind=""):
    """A network's file of weights as an input of a job; the shipped one comes with the package.

    A network whose projection is not refitted has no `-refined` weights; its others are used.
    """
    if model == SHIPPED:
        return []
    kind = kind if model in REFINED else ""
    return [f"{RETRIEVAL_MODELS}/{model}{kind}.safetensors"]


def named_weights(models, kind=""):
    """The same as arguments of a command."""
    return [path for model in models for path in weights_of(model, kind) or [SHIPPED]]
