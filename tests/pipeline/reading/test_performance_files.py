"""Which match file belongs to which score, and who plays."""

import pytest

from pipeline.reading import performance_files, sources
from tests.support.archives import tar
from tests.support.match_files import match
from tests.support.musicxml import scale, score


def test_a_match_file_that_begins_with_the_name_of_a_score_belongs_to_it():
    scores = ["xml/waltz.musicxml", "xml/waltz_2.musicxml"]
    matches = ["match/waltz_p01.match", "match/waltz_2_p01.match", "match/polka_p01.match"]
    assert performance_files.by_score(scores, matches) == {
        "xml/waltz.musicxml": ["match/waltz_p01.match"],
        "xml/waltz_2.musicxml": ["match/waltz_2_p01.match"],
        None: ["match/polka_p01.match"],
    }


def test_else_it_belongs_to_the_only_score_of_its_folder():
    scores = ["a/xml_score.musicxml", "b/xml_score.musicxml"]
    matches = ["a/Lee01.match", "b/Lee01.match", "Lee01.match"]
    assert performance_files.by_score(scores, matches) == {
        "a/xml_score.musicxml": ["a/Lee01.match"],
        "b/xml_score.musicxml": ["b/Lee01.match"],
        None: ["Lee01.match"],
    }


def test_performers_have_the_names_of_their_files_without_the_score():
    names = performance_files.performers(["m/waltz_p01.match", "m/Lee 01.match"], "waltz.musicxml")
    assert names == ["p01", "Lee 01"]


def test_performers_of_one_name_are_told_apart():
    one, other = performance_files.performers(["a/Lee.match", "b/lee.match"], "waltz.musicxml")
    assert one.casefold() != other.casefold()
    assert one.startswith("Lee-")


def test_a_folder_of_scores_has_its_performances(tmp_path):
    (tmp_path / "waltz.musicxml").write_text(score([scale("C4 D4 E4 F4")]))
    text = match([("n1", 60, 0.0)])
    (tmp_path / "waltz_lee.match").write_text(text)
    (piece,) = sources.pieces_of(str(tmp_path), tmp_path, sources.PAGES)
    (played,) = piece.performances
    assert (played.performer, played.read()) == ("lee", text.encode())
    files = sources.files(str(tmp_path), tmp_path, sources.PAGES, 1, lambda _: 0)
    assert {path.name for path in files[0]} == {"waltz.musicxml", "waltz_lee.match"}


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.xz"])
def test_an_archive_gives_the_scores_and_performances_that_are_listed(
    tmp_path, monkeypatch, suffix
):
    names = ["Bach/a/xml_score.musicxml", "Bach/a/Lee01.match"]
    text = score([scale("C4 D4 E4 F4")]).encode()
    contents = [text, match([("n1", 60, 0.0)]).encode()]
    members = [(f"set-1/{name}", content) for name, content in zip(names, contents, strict=True)]
    mode = f"w:{suffix.rpartition('.')[2]}"
    tar(tmp_path / f"set{suffix}", [*members, ("set-1/Bach/a/Lee02.match", b"not listed")], mode)
    entry = {"layout": "pages", "file": f"set{suffix}", "performed": True, "members": names}
    monkeypatch.setattr("pipeline.reading.catalogue.catalogue", lambda: {"set": entry})
    (piece,) = sources.pieces_of("set", tmp_path, sources.PAGES)
    assert (piece.piece_id, [p.performer for p in piece.performances]) == ("Bach__a", ["Lee01"])
    assert list(piece.read()) == ["score.musicxml"]
