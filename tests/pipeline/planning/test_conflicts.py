"""Settings that cannot go together are named, with what would fit."""

import re

import pytest

from pipeline.planning import conflicts
from pipeline.planning.plan import Plan
from tests.support import plans
from tests.support.plans import font

PIANO = {"collections": {"piano": {"source": "music21-piano"}}}  # the default's, for retrieval


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"fonts": {"a": font("1.0-2.0"), "a-1.0": font(2.0)}},
         "fonts: 'a' and 'a-1.0' would both write shards named a-1.0-2.0; rename one"),
        ({"fonts": {"Grand": font(), "grand": font()}},
         "fonts: 'Grand' and 'grand' are one name on some disks; rename one"),
        ({"fonts": {"Recordings": font()}},
         "fonts: 'Recordings' is the name of the recordings of collections; rename it"),
        ({"fonts": {"TimGM6mb": font("1.1-0.9")}}, "fonts.TimGM6mb: tempo ratio 1.1-0.9: "),
        ({"fonts": {"TimGM6mb": font(1e-5)}}, "fonts.TimGM6mb: tempo ratio 1e-05: it must"),
        ({"fonts": {"TimGM6mb": font("1.0-99")}}, "fonts.TimGM6mb: tempo ratio 1.0-99: it must"),
        ({"collections": {"tunes": {"durations": None}}},
         "collections.tunes: 'layout: staves' needs 'durations' and 'tempo'"),
        ({"score_following": {"collection": "tune"}},
         "score_following.collection: 'tune' is not one of tunes; did you mean 'tunes'?"),
        ({"collections": {"tunes": {"train_on_extra": True, "splits": ["train", "extra"]}},
          "score_following": None},
         "collections.tunes.train_on_extra: needs the split valid, which 'splits' leaves out"),
        ({"collections": {"tunes": {"split": {"train": 0.8, "valid": 0.1, "test": 0.05}}}},
         "collections.tunes.split: the shares (train 0.8, valid 0.1, test 0.05) add up to 0.95,"),
        ({"collections": {"songs": plans.SONGS | {"apart_from": "tune"}}},
         "collections.songs.apart_from: 'tune' is not one of tunes, songs; did you mean 'tunes'?"),
        ({"collections": {"tunes": {"apart_from": "tunes"}}},
         "collections.tunes.apart_from: names another collection"),
        ({"collections": {"songs": plans.SONGS | {"apart_from": "tunes", "train_on_extra": True}}},
         "collections.songs.apart_from: names another collection, and 'train_on_extra'"),
        ({"collections": {"songs": plans.SONGS | {"apart_from": "tunes"},
                          "tunes": {"splits": ["train", "test"]}}, "score_following": None},
         "collections.songs.apart_from: needs the split valid, which collections.tunes.splits"),
        ({"retrieval": {"collection": "tunes", "further": ["song"]},
          "collections": {"songs": plans.SONGS | {"apart_from": "tunes"}}},
         "retrieval.further: 'song' is not one of tunes, songs; did you mean 'songs'?"),
        ({"retrieval": {"collection": "tunes", "further": ["songs"]},
          "collections": {"songs": plans.SONGS}},
         "retrieval.further: 'songs' may share works with the test pieces of tunes;"
         " set 'collections.songs.apart_from: tunes'"),
        ({"retrieval": {"collection": "tunes", "further": ["songs"]},
          "collections": {"songs": plans.SONGS | {"apart_from": "tunes", "layout": "pages"}}},
         "retrieval.further: 'songs' has another layout or spectrogram than tunes"),
        ({"score_following": {"collection": "tunes"},
          "collections": {"tunes": {"splits": ["test"]}}},
         "score_following: needs the split train, which collections.tunes.splits leaves out;"
         " set 'score_following: null'"),
        ({"collections": {"tunes": {"chunks": 9_999}}}, "collections.tunes.chunks: 9,999 chunks"),
        ({"retrieval": {"networks": ["PT"]}},
         "retrieval.collection: 'piano' is not one of tunes; without networks, set 'retrieval:"),
        ({"retrieval": {"collection": "tunes"}},
         "retrieval.collection: 'tunes' has 'layout: staves', these"),
        ({"score_following": {"collection": "tunes"},
          "collections": {"tunes": {"split": {"train": 0.9, "valid": 0.1, "test": 0}}}},
         "score_following: needs the split test, whose share in collections.tunes.split is 0;"),
        (PIANO | {"retrieval": {"training": {"PT": {"batch_size": 100, "onsets": 16}}}},
         "retrieval.training.PT.batch_size: 100 pairs are not divided by the 16 onsets of a"),
        (PIANO | {"retrieval": {"training": {"PT": {"segments_of_piece": 9}}}},
         "retrieval.training.PT.segments_of_piece: 9 are more than the 8 segments of a batch"),
        (PIANO | {"retrieval": {"test_font": "gone"}},
         "retrieval.test_font: 'gone' is not one of TimGM6mb"),
        (PIANO | {"fonts": {"people": font("human")}, "retrieval": {"test_font": "people"}},
         "retrieval.test_font: 'people' plays `human`, and pairs are compared by tempo ratio;"),
        (PIANO | {"fonts": {"loud": font(splits=["train"])}, "retrieval": {"test_font": "loud"}},
         "retrieval.test_font: 'loud' does not play the test split of piano; these do: TimGM6mb"),
        (PIANO | {"retrieval": {"test_font": "TimGM6mb", "conditions": ["room"]}},
         "retrieval.conditions: 'room' is not one of TimGM6mb"),
    ],
)  # fmt: skip
def test_settings_that_cannot_go_together_are_named(changes, sentence):
    with pytest.raises(ValueError) as error:
        conflicts.check(Plan(plans.complete(**changes)))
    assert str(error.value).startswith(sentence)


@pytest.mark.parametrize(
    ("room", "said"),
    [
        ("halle", "fonts.TimGM6mb.room: 'halle' is not one of hall; did you mean 'hall'?"),
        ("hall", "performances.rooms.hall.rt60_s: 0.05 s is too short for a room of 8 x 6 x 3 m"),
    ],
)
def test_rooms_that_are_not_there_or_cannot_be_built_are_named(room, said):
    fonts = {"TimGM6mb": font(room=room)}
    plan = Plan(plans.complete(fonts=fonts, performances={"rooms": {"hall": {"rt60_s": 0.05}}}))
    with pytest.raises(ValueError, match=re.escape(said)):
        conflicts.check(plan)


def test_a_room_is_missed_if_there_is_none_at_all():
    plan = Plan(plans.complete(fonts={"TimGM6mb": font(room="hall")}))
    with pytest.raises(ValueError, match=r"fonts\.TimGM6mb\.room: there is no 'hall'"):
        conflicts.check(plan)


def test_training_on_further_collections_alone_is_possible():
    songs = {"source": "music21-piano", "split": "source", "chunks": 1, "fraction": 1.0,
             "layout": "pages", "spectrogram": "retrieval", "apart_from": "piano"}  # fmt: skip
    shares = {"train": 0, "valid": 0.5, "test": 0.5}
    collections = {"piano": {"source": "music21-piano", "split": shares}, "songs": songs}
    retrieval = {"test_font": "TimGM6mb", "further": ["songs"]}
    conflicts.check(Plan(plans.complete(collections=collections, retrieval=retrieval)))


@pytest.mark.parametrize("absolute", [False, True])
def test_training_does_not_begin_with_the_weights_that_it_writes(tmp_path, monkeypatch, absolute):
    """Snakemake removes what a job writes before it starts: the weights would be gone."""
    monkeypatch.chdir(tmp_path)
    weights = "results/models/retrieval/PT.safetensors"
    initial = str(tmp_path / weights) if absolute else weights
    changes = PIANO | {"retrieval": {"training": {"PT": {"initial": initial}}}}
    with pytest.raises(ValueError, match=r"initial: .* is what this training writes"):
        conflicts.check(Plan(plans.complete(**changes)))
    changes["retrieval"]["training"]["PT"]["initial"] = "results/second.safetensors"
    changes["retrieval"]["test_font"] = "TimGM6mb"
    conflicts.check(Plan(plans.complete(**changes)))
