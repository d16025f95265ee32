"""The settings of the config, its schema and the dataclasses of the trainings are in step."""

from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path

import pytest
import yaml

from models.retrieval import schedule, train_segments
from models.retrieval.sampling import Augmentation
from models.score_following import train, train_matching

ROOT = Path(__file__).parents[2]
SCHEMA = yaml.safe_load((ROOT / "config/schema.yaml").read_text())["properties"]
DEFAULT = yaml.safe_load((ROOT / "config.yaml").read_text())
JSON_TYPES = {bool: "boolean", int: "integer", float: "number"}
TRAININGS = {
    ("score_following", "paper"): train.Settings,
    ("score_following", "PT"): train_matching.MatchingSettings,
    ("retrieval", "paper"): schedule.Settings,
    ("retrieval", "PT"): train_segments.SegmentSettings,
}


@pytest.mark.parametrize("place", TRAININGS)
def test_schema_and_dataclass_have_the_same_settings(place):
    system, *network = place
    section, settings = SCHEMA[system]["properties"]["training"], TRAININGS[place]
    for name in network:
        section = section["properties"][name]
    names = [field.name for field in fields(settings)]
    assert sorted(section["properties"]) == sorted(section["required"]) == sorted(names)
    for field in fields(settings):
        described = section["properties"][field.name]
        assert described["description"]
        if field.type in JSON_TYPES:
            assert described["type"] == JSON_TYPES[field.type], field.name
        if field.default is not MISSING and "enum" in described:
            assert field.default in described["enum"]
        if field.default is not MISSING and "minimum" in described and field.default is not None:
            assert field.default >= described["minimum"]


@pytest.mark.parametrize("place", TRAININGS)
def test_the_default_config_is_a_settings_object(place):
    system, *network = place
    section = dict(DEFAULT[system]["training"])
    for name in network:
        section = dict(section[name])
    if "augmentation" in section:
        section["augmentation"] = Augmentation(**section["augmentation"])
    assert is_dataclass(TRAININGS[place](**section))


@pytest.mark.parametrize("network", ["paper", "PT"])
def test_augmentation_of_schema_and_dataclass(network):
    training = SCHEMA["retrieval"]["properties"]["training"]["properties"][network]
    described = training["properties"]["augmentation"]
    names = [field.name for field in fields(Augmentation)]
    assert list(described["properties"]) == described["required"] == names
