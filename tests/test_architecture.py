"""The plan of docs/architecture.md, held against the imports: whoever imports stands higher."""

import pytest

from tests.support.imports import ROOT, cycle, imports, room

# From the ground up. A module imports from its own room and from lower floors.
FLOORS = [
    ["pipeline.constants", "pipeline.replacing", "pipeline.shard_rows"],
    [
        "pipeline.tables",
        "pipeline.tempo",
        "pipeline.expression",
        "pipeline.levels",
        "pipeline.rooms",
        "pipeline.strips",
        "pipeline.images",
    ],
    ["pipeline.sandbox"],
    ["pipeline.reading"],
    ["pipeline.engraving", "pipeline.performing"],
    ["pipeline.rendering"],
    [
        "pipeline.select",
        "pipeline.engrave",
        "pipeline.works",
        "pipeline.synthesize",
        "pipeline.spectrogram",
        "pipeline.shard",
    ],
    ["pipeline.planning"],
    ["pipeline.describing"],
    ["pipeline.card"],
    ["pipeline.publishing"],
    ["models"],
    ["models.retrieval", "models.score_following"],
    ["models.following"],
    ["models.reporting"],
    ["partimento"],
]
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}
APART = {"pipeline"}  # an empty package
IMPORTS = {module: targets - APART for module, targets in imports().items() if module not in APART}


def test_every_room_has_a_floor():
    assert {room(module) for module in IMPORTS} <= FLOOR.keys()


@pytest.mark.parametrize("module", IMPORTS)
def test_a_module_imports_from_lower_floors_only(module):
    own = room(module)
    others = {target for target in IMPORTS[module] if room(target) != own}
    assert not {target for target in others if FLOOR[room(target)] >= FLOOR[own]}


def test_the_data_half_knows_nothing_of_the_others():
    for module, targets in IMPORTS.items():
        if module.startswith("pipeline"):
            assert not {target for target in targets if not target.startswith("pipeline")}, module


def test_modules_import_each_other_in_no_circle():
    assert cycle(IMPORTS) == []


def test_a_cycle_would_be_found():
    assert cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert cycle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_the_page_of_the_architecture_names_every_room():
    text = (ROOT / "docs/architecture.md").read_text()
    folders = {room(module) for module in IMPORTS if module.count(".") > 1}
    assert folders
    for folder in folders:
        assert f"`{folder.replace('.', '/')}/`" in text
