"""LilyPond files with their includes: found, refused, converted."""

import os
import time

import pytest

from pipeline.reading import lilypond_files, lilypond_header
from pipeline.sandbox import lilypond

OWN = {"english.ly"}
SCORE = '\\version "2.10.0"\n\\score { { c\'4 } }\n'


def tree(**files):
    """Files by name; `_` in a keyword stands for `/`, and each has the suffix .ly."""
    return {f"{name.replace('_', '/')}.ly": text.encode() for name, text in files.items()}


def test_includes_are_found_beside_the_file_that_names_them():
    files = tree(
        works_a='\\include "english.ly"\n\\include "parts/x.ly"\n' + SCORE,
        works_parts_x='% \\include "none.ly"\n\\include "../../common.ly" %{ \\include "no.ly" %}',
        common="y = { d' }",
        works_common="y = { e' }",
    )
    found = lilypond_files.texts_of("works/a.ly", files, OWN)
    assert list(found) == ["works/a.ly", "works/parts/x.ly", "common.ly"]
    assert found["common.ly"] == "y = { d' }"


def test_an_include_may_lie_in_the_pieces_folder_or_elsewhere_in_any_case():
    files = tree(
        c_a='\\include "parts/x.ly"\n' + SCORE,
        c_parts_x='\\include "y.ly"\n\\include "Z.ly"',
        c_y="from the piece's folder",
        c_parts_deep_y="a nearer namesake",
        c_lib_z="from elsewhere",
        d_z="of somebody else",
    )
    found = lilypond_files.texts_of("c/a.ly", files, OWN, within="c/")
    # each stands where LilyPond looks first: beside the file that includes it
    assert found["parts/y.ly"] == "from the piece's folder"
    assert found["parts/Z.ly"] == "from elsewhere"


def test_what_another_composer_wrote_is_not_taken():
    files = tree(c_a='\\include "z.ly"\n' + SCORE, d_z="of somebody else")
    with pytest.raises(ValueError, match=r"includes z\.ly, which is not there"):
        lilypond_files.texts_of("c/a.ly", files, OWN, within="c/")


@pytest.mark.parametrize("name", ["/etc/passwd", "../../secret.ly", "sub/../../../x.ly"])
def test_an_include_outside_the_source_is_refused(name):
    files = tree(a_b=f'\\include "{name}"\n' + SCORE)
    with pytest.raises(ValueError, match=r"a/b\.ly includes .*, which lies outside"):
        lilypond_files.texts_of("a/b.ly", files, OWN)


def test_a_link_that_leads_outside_is_not_there(tmp_path):
    (tmp_path / "secret.ly").write_text("secret = 1")
    folder = tmp_path / "scores"
    folder.mkdir()
    (folder / "a.ly").write_text('\\include "link.ly"\n' + SCORE)
    (folder / "link.ly").symlink_to(tmp_path / "secret.ly")
    with pytest.raises(ValueError, match=r"includes link\.ly, which is not there"):
        lilypond_files.texts_of("a.ly", lilypond_files.Folder(folder), OWN)
    assert list(lilypond_files.Folder(folder)) == ["a.ly"]


def test_a_missing_include_is_named():
    files = tree(a='\\include "gone.ily"\n' + SCORE)
    with pytest.raises(ValueError, match=r"a\.ly includes gone\.ily, which is not there"):
        lilypond_files.texts_of("a.ly", files, OWN)


def test_files_that_include_each_other_are_read_once():
    files = tree(a='\\include "b.ly"\n' + SCORE, b='\\include "a.ly"')
    assert list(lilypond_files.texts_of("a.ly", files, OWN)) == ["a.ly", "b.ly"]


def test_old_files_are_latin_1():
    assert lilypond_files.decode("Étude\r\n".encode("latin-1")) == "Étude\n"
    assert lilypond_files.decode("\ufeffÉtude".encode()) == "Étude"


@pytest.mark.parametrize(
    ("text", "music"),
    [
        ("\\score { { c } }", True),
        ("\\book { \\score { { c } } }", True),
        ("{ c' d' }", True),
        ("\\relative c' { c }", True),
        ("x = 1\n<< { c } { d } >>", True),
        ("\\new Staff = \"up\" { c }", True),
        ("up = \\new Staff = \"up\" { c }", False),
        ("\\header { title = \"a\" }\n\\paper { indent = 0 }", False),
        ("upper = \\relative c' { c { d } }\nlower = << { c } >>", False),
        ("% \\score { { c } }", False),
        ("", False),
    ],
)  # fmt: skip
def test_what_counts_as_music(text, music):
    assert lilypond_files.has_music(text) is music


def test_a_header_alone_is_no_piece():
    with pytest.raises(ValueError, match="no score and no music"):
        lilypond_files.texts_of("a.ly", tree(a='\\header { title = "a" }'), OWN)


# `\times 2/3 {` of 2.10 is `\tuplet 3/2 {` from 2.17 on.
TRIPLET = "x = { \\times 2/3 { c8 d e } }\n"


def test_many_files_are_converted_at_once_and_an_include_has_its_pieces_version():
    old = {"a.ly": SCORE + TRIPLET, "b.ily": TRIPLET}
    new = {"c.ly": SCORE.replace("2.10.0", "2.24.0") + TRIPLET, "d.ily": TRIPLET}
    first, second = lilypond_files.convert([old, new])
    assert "\\tuplet 3/2" in first["a.ly"] and "\\tuplet 3/2" in first["b.ily"]
    assert "\\tuplet" not in second["c.ly"] + second["d.ily"]


def test_a_setting_that_was_a_contexts_music_is_put_beside_it():
    old = 'upper = { \\context Voice = "one"\n  \\override Stem.thickness = #2 c\'4 }\n'
    kept = 'lower = { \\context Voice = "two" { \\override Stem.thickness = #2 c\'4 } }\n'
    (found,) = lilypond_files.convert([{"a.ly": SCORE + old + kept}])
    assert '\\context Voice = "one" { }\n  \\override' in found["a.ly"]
    assert kept in found["a.ly"]


def test_two_numbers_make_a_version():
    (found,) = lilypond_files.convert([{"a.ly": '\\version "2.10"\n' + TRIPLET}])
    assert "\\tuplet 3/2" in found["a.ly"]


def test_a_rule_that_asks_for_a_human_is_passed_over():
    # rule 2.17.15 gives up at `old-relative`; `OctavateEight` has its new name since 2.17.18
    old = "#(ly:set-option 'old-relative)\n% \\override Staff.OctavateEight #'x = 1\n"
    texts = {"a.ly": SCORE + TRIPLET + old, "b.ly": SCORE + TRIPLET}
    (found,) = lilypond_files.convert([texts])
    assert "\\tuplet 3/2" in found["a.ly"] and "old-relative" in found["a.ly"]
    assert "ClefModifier" in found["a.ly"]
    assert "\\tuplet 3/2" in found["b.ly"]


def test_a_piece_without_a_version_stays_as_it_is():
    assert lilypond_files.convert([{"a.ly": TRIPLET}]) == [{"a.ly": TRIPLET}]


def test_a_file_on_which_convert_ly_breaks_off_leaves_the_others_alone(monkeypatch):
    whole = lilypond.tool

    def fragile(name, arguments, folder, seconds):
        files = [a for a in arguments if a.endswith(".ly")]
        for file in files:
            if "BREAK" in (folder / file).read_text():
                return "Traceback"
            whole(name, [*[a for a in arguments if a not in files], file], folder, seconds)
        return ""

    monkeypatch.setattr(lilypond, "tool", fragile)
    texts = {f"{n}.ly": SCORE + TRIPLET + ("% BREAK" if n == 1 else f"% {n}") for n in range(3)}
    (found,) = lilypond_files.convert([texts])
    assert ["\\tuplet" in text for text in found.values()] == [True, False, True]


# --- hostile texts ---------------------------------------------------------------------------

LONG = 10_000_000  # characters; each takes some seconds, and by a quadratic expression hours


@pytest.mark.parametrize(
    "text",
    [
        '"' + '\\"' * (LONG // 2),
        'title="\\' * (LONG // 8),
        '="\\' * (LONG // 3),
        "\\include" + " " * LONG,
        "\\version   " * (LONG // 11),
        "a" * LONG,
        "= " * (LONG // 2),
        "{" * LONG,
        "}" * LONG,
        "a={b}" * (LONG // 5),
        '\\new A="' * (LONG // 8),
        "%{ " * (LONG // 3),
        '\\version "' + "1" * LONG,
        'title=\\markup "' + '\\"' * (LONG // 2),
    ],
    ids=lambda text: text[:14],
)
def test_a_long_text_takes_time_in_proportion(text):
    begin = time.process_time()
    lilypond_files.includes(text)
    lilypond_files.has_music(text)
    lilypond_files.version(text)
    lilypond_header.header_fields([text])
    lilypond_files._SETTING_ALONE.sub("", text)
    lilypond_files._stops("Processing `1.ly' " + text)
    assert time.process_time() - begin < 60


def test_a_string_that_is_never_closed_hides_nothing_before_it():
    text = '\\include "a.ly" % no\n\\score { c } % "\n#(display #\\") \\include \'b.ly\' % no'
    assert lilypond_files.includes(text) == ["a.ly"]
    assert lilypond_files.has_music(text)
    assert "no" not in lilypond_files.code(text)


def test_a_pipe_a_loop_and_a_device_are_no_includes(tmp_path):
    os.mkfifo(tmp_path / "pipe.ly")
    (tmp_path / "loop.ly").symlink_to("loop.ly")
    (tmp_path / "device.ly").symlink_to("/dev/zero")
    (tmp_path / "outside.ly").symlink_to("/etc/passwd")
    folder = lilypond_files.Folder(tmp_path)
    for name in ("pipe", "loop", "device", "outside"):
        (tmp_path / "main.ly").write_text(f'\\include "{name}.ly"\n' + SCORE)
        with pytest.raises(ValueError, match=rf"main.ly includes {name}.ly, which is not there"):
            lilypond_files.texts_of("main.ly", folder, OWN)


def test_a_file_with_very_many_includes_is_read_in_seconds():
    files = {f"{number}.ly": b"" for number in range(30_000)}
    names = "".join(f'\\include "{name}"\n' for name in files)
    begin = time.process_time()
    lilypond_files.texts_of("main.ly", files | {"main.ly": (SCORE + names).encode()}, OWN)
    assert time.process_time() - begin < 30
