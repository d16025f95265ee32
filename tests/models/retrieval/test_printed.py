"""Names and places from the tables beside a shard."""

from models.retrieval.printed import Place, located, named, pieces
from pipeline import tables


def test_tables_beside_a_shard_tell_titles_and_places(tmp_path):
    shard = tmp_path / "shards/test/sgm-1.0-7.parquet"
    rows = {
        "pieces": [{"piece_id": "a", "title": "Air", "composer": "Bach"}, {"piece_id": "b"}],
        "notes": [
            {"piece_id": "a", "note_id": 3, "notehead_id": 5},
            {"piece_id": "a", "note_id": 4, "notehead_id": None},
        ],
        "noteheads": [
            {"piece_id": "a", "notehead_id": 5, "image": 1, "system": 5, "bar": "12", "moment": 0.1}
        ],
        "systems": [  # the third of its page, the sixth of the piece
            {"piece_id": "a", "system": number, "image": int(number > 2)} for number in range(6)
        ],
    }
    for name, values in rows.items():
        schema = getattr(tables, name.upper())
        tables.write(values, schema, tmp_path / name / "7.parquet")
    (found,) = pieces(shard, {"a", "c"}).values()
    assert (found.title, found.composer) == ("Air", "Bach")
    places = [found.place(*onset) for onset in [(3, None), (None, 0.1), (4, None), (None, 0.2)]]
    assert places == [Place(1, 2, "12"), Place(1, 2, "12"), Place(), Place()]
    assert pieces(tmp_path / "elsewhere/shards/test/sgm-1.0-7.parquet", {"a"}) == {}
    assert pieces(shard, set()) == {}  # a later sound font has no piece that is new


def test_words():
    assert named("Air", "Bach", "a") == "Air, by Bach"
    assert named("", "", "a") == "a"
    assert located(Place(1, 2, "12"), 50, 100) == "page 2, system 3, bar 12"
    assert located(Place(0, 0, None), 50, 100) == "page 1, system 1"
    assert located(Place(), 50, 100) == "50 px (50% of it)"
