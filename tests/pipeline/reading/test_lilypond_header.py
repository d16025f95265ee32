"""Composer, title and licence from LilyPond's headers."""

import pytest

from pipeline.reading import lilypond_header

LONG = "Creative Commons Attribution 4.0, " + "edition of a society, " * 12 + "NoDerivatives"


def test_the_header_is_read_from_all_files():
    texts = [
        '% title = "no"\n\\header { title = "Prelude in \\"C\\"" composer = "J. S. Bach" }',
        '\\header { mutopiacomposer = "BachJS" copyright = "Public Domain" }',
    ]
    assert lilypond_header.header_fields(texts) == {
        "composer": "BachJS", "title": 'Prelude in "C"', "licence": "Public Domain"
    }  # fmt: skip


def test_markup_is_reduced_to_its_words_and_what_is_missing_is_none():
    found = lilypond_header.header_fields(
        ['\\header { title = \\markup { \\bold "Deux" \\italic "Études" } }']
    )
    assert found == {"composer": None, "title": "Deux Études", "licence": None}


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        ('copyright = "Creative Commons Attribution-ShareAlike 3.0"',
         "Creative Commons Attribution-ShareAlike 3.0"),
        ('copyright = "© 2007. Creative Commons Attribution 2.5, see there"',
         "Creative Commons Attribution 2.5"),
        ('copyright = \\markup { "Sans" "Placed in the" "public domain by the typesetter" }',
         "Public Domain"),
        ('license = "GPL" copyright = "Public Domain"', "GPL"),
        ('copyright = "Creative Commons Attribution NonCommercial NoDerivatives 4.0"',
         "Creative Commons Attribution NonCommercial NoDerivatives 4.0"),
        (f'copyright = "{LONG}"', LONG),
    ],
)  # fmt: skip
def test_licences_in_their_own_words(text, licence):
    assert lilypond_header.header_fields([f"\\header {{ {text} }}"])["licence"] == licence
