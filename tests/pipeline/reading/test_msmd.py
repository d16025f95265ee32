"""MSMD's pieces: their split, and their files in the Mutopia archive."""

import pytest

from pipeline.reading import msmd

NAMES = [
    "ftp/Anon/O1/suite/gigue/gigue.ly",
    "ftp/BachJ/O1/suite/gigue/gigue.ly",
    "ftp/BachJ/O1/suite/gigue.ily",
    "ftp/BachJ/O2/gigue/gigue.ly",
    "ftp/BachK/O1/gigue/gigue.ly",
    "ftp/BachJ/O3/one/one-lys/score.ly",
    "ftp/BachJ/O3/two/two-lys/score.ly",
]


@pytest.mark.parametrize(
    ("piece", "path"),
    [
        ("BachJ__O1__gigue", NAMES[1]),
        ("BachJ__suite__gigue", NAMES[1]),
        ("BachJ__O2__gigue", NAMES[3]),
        ("BachJ__O3__score", NAMES[5]),
    ],
)
def test_a_pieces_id_leads_to_its_file(piece, path):
    assert msmd.file_of(piece, reversed(NAMES)) == path


def test_a_piece_that_the_archive_lacks_is_named():
    with pytest.raises(ValueError, match=r"no fugue\.ly in ftp/BachJ/ under O1"):
        msmd.file_of("BachJ__O1__fugue", NAMES)
    assert msmd.source_name("BachJ__O1__fugue", NAMES) == "BachJ__O1__fugue"


def test_candidates_outside_the_published_split_are_extra(tmp_path):
    (tmp_path / "pieces.yaml").write_text("success: [a, b]\nfailed: [c]\n")
    (tmp_path / "split.yaml").write_text("train: [a]\ntest: [b]\n")
    found = msmd.splits(tmp_path / "pieces.yaml", tmp_path / "split.yaml")
    assert found == {"a": "train", "b": "test", "c": "extra"}


def test_a_list_that_is_none_is_named(tmp_path):
    (tmp_path / "pieces.yaml").write_text("- a\n")
    with pytest.raises(ValueError, match=r"pieces\.yaml: not a table of lists"):
        msmd.splits(tmp_path / "pieces.yaml", tmp_path / "pieces.yaml")
