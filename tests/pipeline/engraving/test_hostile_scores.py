"""LilyPond under control: what hostile scores cannot do, within walls and without."""

import shutil
import socket
import sys
import time
import warnings
from pathlib import Path

import pytest

from pipeline.engraving import compilation
from pipeline.reading import melody, midi
from pipeline.sandbox import confined, lilypond, output
from tests.support import scores
from tests.support.compiled import PIECE, compiled, names

WALLS = confined.hindrance() is None


def scheme_read(path) -> str:
    """Scheme that writes what it can read of a file to `seen` in its own folder."""
    return (
        f'#(let ((text (call-with-input-file "{path}" (lambda (port) (read-char port)))))'
        ' (call-with-output-file "seen" (lambda (port) (display text port))))\n'
    )


def test_a_score_that_never_ends_is_stopped_and_takes_no_other_along(tmp_path, monkeypatch):
    monkeypatch.setattr(compilation, "SECONDS_A_TUNE", 4)
    endless = "#(let loop () (loop))"
    good = melody.lilypond(midi.read_melody(scores.midi(scores.scale(8))))
    failures = compilation.compile_all({"endless": endless, "good": good}, tmp_path)
    assert failures == {"endless": "LilyPond: ended after the time limit of 4 s"}


@pytest.mark.parametrize(
    ("limit", "figure", "text", "reason"),
    [
        (
            "ADDRESS_MIB",
            1024,
            "#(let loop ((all '())) (loop (cons (make-vector 1000000 0) all)))",
            "ended: it needs more than 1024 MiB of memory",
        ),
        (
            "FILE_MIB",
            8,
            '#(call-with-output-file "big" (lambda (port)'
            ' (let loop () (display (make-string 100000 #\\a) port) (loop))))',
            "ended: it writes a file of more than 8 MiB",
        ),
        (
            "OUTPUT_MIB",
            16,
            "#(let loop ((i 0)) (call-with-output-file (number->string i) (lambda (port)"
            " (display (make-string 1000000 #\\a) port))) (loop (1+ i)))",
            "ended: it writes more than 16 MiB",
        ),
        (
            "FILES",
            100,
            "#(let loop ((i 0)) (close-port (open-output-file (number->string i))) (loop (1+ i)))",
            "ended: it writes more than 100 files",
        ),
        (
            "PAGES",
            50,
            '#(for-each (lambda (i) (toplevel-book-handler #{ \\book { \\markup "x" } #}))'
            " (iota 100000))",
            "ended: it writes more than 50 pages",
        ),
        ("FILE_MIB", 8, '#(let loop () (display "spam" (current-error-port)) (loop))',
         "ended: it writes a file of more than 8 MiB"),
    ],
    ids=["memory", "file", "output", "files", "pages", "messages"],
)  # fmt: skip
def test_a_greedy_score_is_ended(tmp_path, monkeypatch, limit, figure, text, reason):
    monkeypatch.setattr(confined if hasattr(confined, limit) else output, limit, figure)
    begin = time.monotonic()
    assert compiled(text, tmp_path) == f"LilyPond: {reason}"
    assert time.monotonic() - begin < 60


def test_a_hundred_thousand_pages_of_music_are_ended(tmp_path, monkeypatch):
    """They are laid out before the first is written, so it is time or memory that runs out."""
    monkeypatch.setattr(compilation, "SECONDS_A_SCORE", 5)
    text = "\\score { \\repeat unfold 100000 { c'1 \\pageBreak } \\layout { } \\midi { } }"
    assert compiled(text, tmp_path) == "LilyPond: ended after the time limit of 5 s"


def test_links_that_a_score_leaves_are_removed(tmp_path):
    """Or whoever reads the pages would read another file, and whoever writes would write it."""
    (tmp_path / "piece").mkdir()
    left = '#(for-each mkdir (list "sub" "x-2.svg"))\n'
    left += '#(begin (symlink "/etc/passwd" "x-1.svg") (symlink "/etc" "sub/etc"))\n'
    assert compiled(left + PIECE, tmp_path / "piece") is None
    assert names(tmp_path / "piece") == {"x.ly", "x.svg", "x.midi", "x.log", "sub", "x-2.svg"}
    assert names(tmp_path / "piece" / "sub") == set()


if not WALLS:
    warnings.warn(f"the walls are not tested: {confined.hindrance()}", stacklevel=1)
else:

    def test_a_score_reads_no_file_outside(tmp_path):
        """By Scheme, by inclusion or by LilyPond's own reader; files of ours and of the system."""
        folder = tmp_path / "piece"
        folder.mkdir()
        secret = tmp_path / "secret.ly"
        secret.write_text("\\book { \\markup secret }")
        outside = (secret, Path("../secret.ly"), Path("/etc/passwd"), Path(__file__))
        for path in outside:
            text = f'#(display (ly:gulp-file "{path}") (open-output-file "seen"))\n'
            refused = f"LilyPond: fatal error: cannot find file: `{path}'"
            assert (compiled(text + PIECE, folder) or "").startswith(refused)
        text = "".join(scheme_read(path) + f'\\include "{path}"\n' for path in outside)
        assert compiled(text + PIECE, folder) is None
        assert not (folder / "seen").exists()
        assert len(list(folder.glob("*.svg"))) == 1  # and none of the secret
        assert compiled(scheme_read("x.ly") + PIECE, folder) is None
        assert (folder / "seen").read_text() == "\\"  # the same reading works inside

    def test_a_score_writes_and_deletes_nothing_outside(tmp_path):
        (tmp_path / "piece").mkdir()
        kept = tmp_path / "kept"
        kept.write_text("kept")
        settings = compilation.SETTINGS.read_bytes()
        text = ""
        for path in (
            tmp_path / "new",
            kept,
            "../kept",
            "/tmp/partimento",
            "/dev/shm/partimento",
            "/settings/engrave.ily",
            compilation.SETTINGS,
        ):
            text += f'#(call-with-output-file "{path}" (lambda (port) (display 1 port)))\n'
            text += f'#(delete-file "{path}")\n'
        assert compiled(text + PIECE, tmp_path / "piece") is None
        assert names(tmp_path) == {"piece", "kept"} and kept.read_text() == "kept"
        assert not Path("/tmp/partimento").exists()
        assert compilation.SETTINGS.read_bytes() == settings

    def test_a_score_starts_no_process(tmp_path):
        """Not even a detached one, which would go on after its score has ended."""
        spawn = '#(system* "/bin/sh" "-c" "setsid sleep 1000 & touch spawned")\n'
        fork = '#(if (= 0 (primitive-fork)) (close-port (open-output-file "forked")))\n'
        assert compiled(spawn + fork + PIECE, tmp_path) is None
        assert names(tmp_path) == {"x.ly", "x.svg", "x.midi", "x.log"}

    def test_a_confined_program_has_one_folder_no_network_and_no_company(tmp_path):
        """With Python as the program: not every build of LilyPond's Scheme has sockets."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            code = f"""if True:
                import os, socket
                try:
                    socket.create_connection(("127.0.0.1", {port}), 5)
                except OSError as error:
                    print(type(error).__name__, file=open("net", "w"))
                for folder in ("/", "/dev", "/dev/shm", "/tmp", "/usr", "/etc", "."):
                    try:
                        open(folder + "/new", "w")
                        print(folder, file=open("writable", "a"))
                    except OSError:
                        pass
                numbers = [name for name in os.listdir("/proc") if name.isdigit()]
                print(len(numbers), *sorted(os.environ), file=open("seen", "w"))
            """
            base = Path(sys.base_prefix).resolve()
            python = base / "bin" / f"python3.{sys.version_info.minor}"
            outcome = confined.run([str(python), "-c", code], tmp_path, 20, {base: base})
        assert outcome == confined.Outcome("", None)
        assert (tmp_path / "net").read_text().split() == ["ConnectionRefusedError"]
        assert names(tmp_path) == {"net", "new", "seen", "writable"}
        assert (tmp_path / "writable").read_text() == ".\n"
        number, *variables = (tmp_path / "seen").read_text().split()
        assert int(number) <= 2
        assert set(variables) <= {"HOME", "LC_ALL", "PATH", "PWD", "TMPDIR"}

    def test_scores_compile_alike_with_and_without_walls(tmp_path, monkeypatch):
        for name in ("with", "without"):
            (tmp_path / name).mkdir()
        assert compiled(PIECE, tmp_path / "with") is None
        monkeypatch.setattr(confined, "hindrance", lambda: "not today")
        assert compiled(PIECE, tmp_path / "without") is None
        for kind in ("svg", "log"):
            walled, open_ = (tmp_path / name / f"x.{kind}" for name in ("with", "without"))
            assert walled.read_bytes() == open_.read_bytes()

    def test_confinement_that_works_says_nothing(capsys):
        lilypond.confine(require=True)
        assert capsys.readouterr().err == ""


# --- where there are no walls ----------------------------------------------------------------


def test_without_bubblewrap_a_loud_warning_is_given(without_walls, capsys):
    lilypond.confine(require=False)
    said = capsys.readouterr().err
    assert said.startswith("WARNING: LilyPond runs UNCONFINED: bubblewrap is missing")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("unconfined", "rules", "lines"),
    [("warn", ["engrave", "shard"], 1), ("warn", ["shard"], 0), ("refuse", ["engrave"], 0)],
)
def test_the_console_is_warned_once_if_scores_will_run(
    without_walls, capsys, unconfined, rules, lines
):
    lilypond.tell_unconfined(unconfined, rules)
    assert capsys.readouterr().err.count("UNCONFINED") == lines


def test_without_bubblewrap_a_run_can_be_refused(without_walls):
    with pytest.raises(OSError, match=r"cannot be confined.*apt-get install bubblewrap"):
        lilypond.confine(require=True)


def test_bubblewrap_that_cannot_work_counts_as_missing(tmp_path, monkeypatch):
    """As in a container that forbids namespaces."""
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho bwrap: No permissions to create a namespace >&2; exit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(broken))
    confined.hindrance.cache_clear()
    with pytest.raises(OSError, match=r"cannot work here \(bwrap: No permissions to create"):
        lilypond.confine(require=True)
    confined.hindrance.cache_clear()


def test_without_walls_what_a_score_leaves_behind_is_ended(tmp_path, without_walls):
    assert compiled('#(system "(sleep 4; touch late) &")\n' + PIECE, tmp_path) is None
    time.sleep(5)
    assert names(tmp_path) == {"x.ly", "x.svg", "x.midi", "x.log"}


def test_without_walls_memory_is_limited_too(tmp_path, monkeypatch, without_walls):
    monkeypatch.setattr(confined, "ADDRESS_MIB", 1024)
    greedy = "#(let loop ((all '())) (loop (cons (make-vector 1000000 0) all)))"
    assert compiled(greedy, tmp_path).endswith("ended: it needs more than 1024 MiB of memory")
