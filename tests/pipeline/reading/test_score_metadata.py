"""Composer, title, lyricist and licence in the fields of each format."""

import pytest

from pipeline.reading import score_metadata
from tests.support.musicxml import note, score

HEAD = (
    "<work><work-title>Lieder</work-title></work><movement-title>Der Mond</movement-title>"
    '<identification><creator type="composer">Fanny Hensel</creator>'
    '<creator type="lyricist">H. Heine</creator><rights>{}</rights></identification>'
    "<credit><credit-type>subtitle</credit-type><credit-words>for voice</credit-words></credit>"
)


def musicxml(rights: str) -> dict[str, str | None]:
    return score_metadata.read(
        {"score.musicxml": score([note("C4")], head=HEAD.format(rights)).split("?>")[1]}
    )


def test_musicxml_names_its_people_title_and_licence():
    assert musicxml("https://creativecommons.org/publicdomain/zero/1.0/") == {
        "composer": "Fanny Hensel",
        "title": "Lieder: Der Mond",
        "lyricist": "H. Heine",
        "licence": "CC0 1.0",
    }


LIMITED = (  # words around the name of a licence that take something away
    "Copyright 2010 John Doe, all rights reserved. Music in the public domain.",
    "This edition is not in the public domain",
    "Edition (c) 2015 X, CC BY-NC-ND 4.0. Music in the public domain.",
    "Creative Commons Attribution 4.0, " + "edition of a society, " * 12 + "NoDerivatives.",
)


@pytest.mark.parametrize(
    ("rights", "licence"),
    [
        ("", None),
        ("for piano, Book I", None),  # a subtitle
        ("© 2020 A. Nonymous", "© 2020 A. Nonymous"),
        ("Licensed under CC BY-SA 4.0, 2019", "CC BY-SA 4.0"),
        ("http://creativecommons.org/licenses/by-nc/3.0/", "CC BY-NC 3.0"),
        ("This work is in the public domain.", "Public Domain"),
        *(2 * (limited,) for limited in LIMITED),
    ],
)
def test_a_licence_is_known_by_its_name(rights, licence):
    assert musicxml(rights)["licence"] == licence


def test_a_score_that_says_nothing_gives_nothing():
    text = score([note("C4")]).split("?>")[1]
    assert set(score_metadata.read({"score.musicxml": text}).values()) == {None}


def test_mei_humdrum_and_abc_have_their_own_fields():
    mei = (
        '<mei xmlns="http://www.music-encoding.org/ns/mei"><meiHead><fileDesc><titleStmt>'
        '<title>Nocturne</title><respStmt><persName role="composer">John Field</persName>'
        "</respStmt></titleStmt><pubStmt><availability><useRestrict>CC0</useRestrict>"
        "</availability></pubStmt></fileDesc></meiHead></mei>"
    )
    humdrum = "!!!COM: Chopin, Frederic\n!!!OTL@@EN: Mazurka\n!!!YEM: Public Domain\n**kern\n*-\n"
    abc = "X:1\nT:The Bee\nC:Trad.\nK:C\nC\n"
    found = [
        score_metadata.read({name: text})
        for name, text in (("score.mei", mei), ("score.krn", humdrum), ("score.abc", abc))
    ]
    assert [f["composer"] for f in found] == ["John Field", "Chopin, Frederic", "Trad."]
    assert [f["title"] for f in found] == ["Nocturne", "Mazurka", "The Bee"]
    assert [f["licence"] for f in found] == ["CC0 1.0", "Public Domain", None]
