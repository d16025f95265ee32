"""What is made with some settings: performances, paths, sources."""

import re

import pytest

from pipeline.planning import conflicts
from pipeline.planning.plan import TEMPO_RATIO, Plan
from tests.support import plans
from tests.support.plans import font


def test_fonts_play_their_splits_at_their_tempo_ratios():
    plan = Plan(plans.complete(fonts={"TimGM6mb": font(0.5, "0.9-1.1", splits=["test"])}))
    expected = [("TimGM6mb", "0.5"), ("TimGM6mb", "0.9-1.1")]
    assert plan.performances("tunes") == plan.performances("tunes", "test") == expected
    assert plan.performances("tunes", "train") == []


def test_fonts_that_play_none_of_the_splits_taken_are_not_needed():
    tunes = {"tunes": {"splits": ["test"]}}
    fonts = {"TimGM6mb": font(splits=["train", "valid"]), "held-out": font(splits=["test"])}
    plan = Plan(plans.complete(collections=tunes, fonts=fonts))
    assert plan.fonts() == ["held-out"]
    assert plan.performances("tunes") == [("held-out", "1.0")]


def test_paths_are_those_of_earlier_versions():
    plan = Plan(plans.complete(collections={"tunes": {"chunks": 2}}))
    files = plan.data_files("tunes")
    assert {
        "results/data/tunes/pieces/1.parquet",
        "results/data/tunes/performances/TimGM6mb/1.0/0.parquet",
        "results/data/tunes/shards/extra/TimGM6mb-1.0-1.parquet",
        "results/data/tunes/audio/TimGM6mb/1.0/0",
    } <= set(files)
    assert len(files) == len(set(files)) == 2 * (6 + 2 + 4 + 1)


def test_extra_pieces_are_compared_with_held_out_ones_only_if_they_are_trained_on():
    path = "results/data/tunes/shared_works.parquet"
    plan = Plan(plans.complete())
    assert plan.shared_works("tunes") == [] and path not in plan.data_files("tunes")
    plan = Plan(plans.complete(collections={"tunes": {"train_on_extra": True}}))
    assert plan.shared_works("tunes") == [path] and path in plan.data_files("tunes")


def test_a_font_of_the_extra_pieces_alone_plays_for_training():
    fonts = {"hall": plans.font() | {"splits": ["extra"]}}
    shard = "results/data/tunes/shards/train/hall-1.0-0.parquet"
    for trained_on in (False, True):
        collections = {"tunes": {"train_on_extra": trained_on}}
        plan = Plan(plans.complete(collections=collections, fonts=fonts))
        assert (shard in plan.shards("tunes", "train")) == trained_on
        assert shard in plan.data_files("tunes")


def test_a_collection_that_is_kept_apart_is_compared_with_the_tables_of_the_other():
    collections = {"tunes": {"chunks": 2}, "songs": plans.SONGS | {"apart_from": "tunes"}}
    plan = Plan(plans.complete(collections=collections))
    assert plan.shared_works("songs") == ["results/data/songs/shared_works.parquet"]
    assert plan.held_out("songs", "notes") == [
        f"results/data/tunes/notes/{n}.parquet" for n in "01"
    ]
    assert plan.held_out("tunes", "notes") == []


def test_recordings_that_are_not_kept_are_no_data_files():
    plan = Plan(plans.complete(performances={"keep_audio": False}))
    assert not any("/audio/" in path for path in plan.data_files("tunes"))
    assert plan.audio_folders("tunes") == ["results/data/tunes/audio/TimGM6mb/1.0/0"]


AMBIGUOUS = [
    {"a": font("1.0-2.0"), "a-1.0": font(0.5)},
    {"a": font(1.0), "a-1.0": font(2.0)},
    {"a": font(1), "a-1": font(2)},
    {"piano": font(1.0), "piano-2": font(1.0, "0.9-1.1")},
    {"a-1.0": font(2), "a": font(1.0)},
]


@pytest.mark.parametrize("fonts", AMBIGUOUS)
def test_each_performance_is_known_by_its_paths(fonts):
    """Fonts whose names look like another's with a tempo ratio."""
    plan = Plan(plans.complete(fonts={"TimGM6mb": None, **fonts}))
    conflicts.check(plan)
    for between, end in (("-", r"\.parquet"), ("/", r"\.parquet"), ("/", "")):
        pattern = rf"x/(?P<font>{plan.font_pattern()}){between}(?P<ratio>{TEMPO_RATIO})"
        pattern += rf"{between}(?P<chunk>\d+){end}$"
        for name, ratio in plan.performances("tunes"):
            path = f"x/{name}{between}{ratio}{between}0" + end.replace("\\", "")
            match = re.fullmatch(pattern, path)
            assert match and (match["font"], match["ratio"]) == (name, ratio)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"fonts": {"TimGM6mb": {"file": "gone.sf2"}}}, "fonts.TimGM6mb: .* no file gone.sf2"),
        ({"collections": {"tunes": {"source": "gone"}}}, "collections.tunes.source: gone: no such"),
    ],
)
def test_sources_that_are_not_there_are_named(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        Plan(plans.complete(**changes)).check_sources()


def test_large_chunks_are_advised_against(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tunes").mkdir()
    for number in range(1_001):
        (tmp_path / f"tunes/{number}.mid").touch()
    (advice,) = Plan(plans.complete()).check_sources()
    assert advice.startswith("collections.tunes: 1,001 files in one chunk")
    plan = Plan(plans.complete(collections={"tunes": {"chunks": 4}}))
    assert plan.check_sources() == []


# --- performances by people, expression, rooms
def test_a_font_may_play_what_people_played():
    plan = Plan(plans.complete(fonts={"TimGM6mb": font(1.0, "human")}))
    assert plan.performances("tunes") == [("TimGM6mb", "1.0"), ("TimGM6mb", "human")]
    conflicts.check(plan)
    assert re.fullmatch(TEMPO_RATIO, "human")
    assert plan.noteheads("tunes", "0", "1.0") == []
    assert plan.noteheads("tunes", "0", "human") == ["results/data/tunes/noteheads/0.parquet"]


def test_a_font_plays_plainly_unless_told_otherwise():
    fonts = {"TimGM6mb": font(), "hall": font(room="hall", velocities="fixed")}
    hall = {"rt60_s": 1.0}
    plan = Plan(plans.complete(fonts=fonts, performances={"rooms": {"hall": hall}}))
    assert plan.playing("TimGM6mb") == []
    assert plan.playing("hall") == [
        "--velocities=fixed",
        "--room=hall",
        '--room_settings={"rt60_s": 1.0}',
    ]
    common = Plan(plans.complete(performances={"expression": "phrased"}))
    assert common.playing("TimGM6mb") == ["--expression=phrased"]


def test_recordings_of_a_collection_are_performances_with_names_of_their_own(tmp_path):
    (tmp_path / "air.wav").touch()
    with_them = {"tunes": {"recordings": str(tmp_path), "chunks": 1}}
    plan = Plan(plans.complete(collections=with_them))
    assert plan.performances("tunes")[-1] == ("recordings", "recorded")
    assert plan.fonts() == ["TimGM6mb"]
    assert "results/data/tunes/shards/test/recordings-recorded-0.parquet" in plan.data_files(
        "tunes"
    )
    pattern = rf"({plan.font_pattern()})-({TEMPO_RATIO})-0\.parquet"
    assert re.fullmatch(pattern, "recordings-recorded-0.parquet")


def test_recordings_are_aligned_anew_if_they_change(tmp_path):
    (tmp_path / "air.wav").touch()
    collections = {"tunes": {"recordings": str(tmp_path), "chunks": 1}}
    plan = Plan(plans.complete(collections=collections))
    before = plan.recordings_state("tunes", 0)
    assert plan.recordings_state("tunes", 0) == before
    (tmp_path / "notes.txt").touch()
    assert plan.recordings_state("tunes", 0) == before
    (tmp_path / "air.wav").write_bytes(b"other")
    assert plan.recordings_state("tunes", 0) != before


def test_a_folder_of_recordings_that_is_not_there_is_named(tmp_path):
    (tmp_path / "tunes").mkdir()
    (tmp_path / "tunes/a.mid").touch()
    tunes = {"source": str(tmp_path / "tunes"), "recordings": str(tmp_path / "lost")}
    plan = Plan(plans.complete(collections={"tunes": tunes}))
    with pytest.raises(ValueError, match=r"collections\.tunes\.recordings: .*lost: no such folder"):
        plan.check_sources()


def test_recordings_of_no_piece_are_told_and_passed_over(tmp_path):
    for name in ("tunes/a.mid", "sound/a.wav", "sound/b.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    tunes = {"source": str(tmp_path / "tunes"), "recordings": str(tmp_path / "sound")}
    (advice,) = Plan(plans.complete(collections={"tunes": tunes})).check_sources()
    assert advice.startswith("collections.tunes.recordings: 1 belong to no piece of ")
    assert "the first is b.wav (b); name the score or the piece of each" in advice
