"""A folder of pages: which pieces are shown, that names lead to pages, and that nothing is lost."""

import html
import os
import re
from urllib.parse import unquote, unquote_to_bytes, urlsplit

import pytest

from models.reporting import gallery
from pipeline import tables
from tests.support import collection


@pytest.fixture
def results(tmp_path, monkeypatch):
    """Six pieces, of which one was not kept, one not engraved, and one is very long."""
    data = tmp_path / "results/data/piano"
    names = ["a", "b & c #1", "d", "e", "long", "gone"]
    pieces = [{"piece_id": name, "title": f"<{name}>", "composer": "Haydn"} for name in names]
    pieces[3]["composer"] = "Clara Schumann"
    tables.write([*pieces, {"piece_id": "x", "reason": "no"}], tables.PIECES,
                 data / "pieces/0.parquet")  # fmt: skip
    engraved = [{"piece_id": name, "notes": 7} for name in names[:-1]]
    tables.write([*engraved, {"piece_id": "gone", "reason": "no"}], tables.ENGRAVED,
                 data / "engraved/0.parquet")  # fmt: skip
    notes = [{"piece_id": name, "onset_s": 600.0 if name == "long" else 9.0} for name in names]
    tables.write(notes, tables.NOTES, data / "notes/0.parquet")
    (tmp_path / "results/report.html").write_text("the report")

    def write(piece, data, out):
        out.write_text(f"page of {piece}")
        print("much")

    monkeypatch.setattr(gallery.inspect, "inspect", write)
    return tmp_path / "results"


def test_three_short_pieces_are_shown_of_as_many_composers_as_there_are(results):
    chosen = gallery.chosen(results / "data/piano")
    assert [row["piece_id"] for row in chosen] == ["a", "e", "b & c #1"]
    assert chosen[0]["composer"] == "Haydn" and chosen[0]["notes"] == 7


def test_every_name_in_the_index_leads_to_a_page_and_nothing_is_fetched(results, tmp_path, capsys):
    page = tmp_path / "take.html"
    page.write_text("a recording")
    gallery.gallery(results, tmp_path / "out", follow=[page])
    text = (tmp_path / "out/index.html").read_text()
    links = [urlsplit(html.unescape(link)) for link in re.findall('href="([^"]+)"', text)]
    names = [unquote(link.path) for link in links]
    assert set(names) == {
        "pieces/piano-a.html", "pieces/piano-b & c #1.html", "pieces/piano-e.html",
        "followed/take.html", "report.html",
    }  # fmt: skip
    assert all((tmp_path / "out" / name).is_file() for name in names)
    assert "&lt;a&gt;" in text and "Haydn, 7 notes" in text and "://" not in text
    assert capsys.readouterr().out.startswith(f"{tmp_path}/out/index.html: ")


def test_a_page_may_have_a_name_that_is_not_utf8(results, tmp_path):
    page = tmp_path / os.fsdecode(b"caf\xe9.html")
    page.write_text("a recording")
    gallery.gallery(results, tmp_path / "out", follow=[page])
    text = (tmp_path / "out/index.html").read_text()
    (link,) = re.findall('href="(followed/[^"]+)"', text)
    assert (tmp_path / "out" / os.fsdecode(unquote_to_bytes(link))).is_file()
    assert r">caf\udce9<" in text


def test_what_cannot_be_is_told_before_a_page_is_written(results, tmp_path, monkeypatch):
    monkeypatch.setattr(gallery.inspect, "inspect", lambda *_, **__: pytest.fail("written"))
    with pytest.raises(FileNotFoundError, match=r"gone\.html: no such page"):
        gallery.gallery(results, tmp_path / "out", follow=[tmp_path / "gone.html"])
    (tmp_path / "out").write_text("mine")
    with pytest.raises(ValueError, match="out is not a folder; name another place"):
        gallery.gallery(results, tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


def test_two_recordings_of_one_name_are_refused(results, tmp_path):
    pages = [tmp_path / folder / "take.html" for folder in "ab"]
    for page in pages:
        page.parent.mkdir()
        page.write_text("a recording")
    with pytest.raises(ValueError, match=r"b/take\.html: another page has this name already"):
        gallery.gallery(results, tmp_path / "out", follow=pages)
    assert not (tmp_path / "out").exists()


def test_a_folder_with_something_in_it_stays(results, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine").write_text("mine")
    with pytest.raises(FileExistsError, match="nothing of it is replaced"):
        gallery.gallery(results, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]


def test_results_without_pieces_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no piece to show"):
        gallery.gallery(tmp_path, tmp_path / "out")


def test_chunks_of_an_earlier_run_with_more_of_them_are_not_shown(results, monkeypatch):
    monkeypatch.setattr(gallery, "PIECES", 9)
    data = results / "data/piano"
    collection.fewer_chunks(data)
    assert [row["piece_id"] for row in gallery.chosen(data)] == ["a", "e", "b & c #1", "d"]
