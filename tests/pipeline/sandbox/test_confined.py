"""What a program cannot do within the walls, as root and as an ordinary user, and without walls.

The programs are Python; each prints what it could do, and what it could not is an empty line.
"""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import pytest

from pipeline.sandbox import confined, output, seccomp

PYTHON = Path(sys.base_prefix).resolve()
PROGRAM = PYTHON / "bin" / f"python3.{sys.version_info.minor}"
ROOT = Path(confined.__file__).parents[2]
NOBODY = 65534


def run(code: str, folder: Path, seconds: float = 20) -> confined.Outcome:
    """Run Python code as a confined program."""
    return confined.run([str(PROGRAM), "-S", "-c", code], folder, seconds, {PYTHON: PYTHON})


# What root may do outside, tried by system calls (x86_64); `done` lists what succeeded.
ESCAPE = r"""
import ctypes, sys
call = ctypes.CDLL(None, use_errno=True).syscall
done = []
for name, number, *arguments in (
    ("remount", 165, b"none", b"/usr", None, 0x1020, None),
    ("remount /", 165, b"none", b"/", None, 0x20, None),
    ("unshare", 272, 0x10000000),
    ("vsock", 41, 40, 1, 0),
    ("alg", 41, 38, 5, 0),
    ("packet", 41, 17, 3, 0),
    ("io_uring", 425, 1, bytes(128)),
    ("key", 248, b"user", b"name", b"x", 1, -3),
    ("keyctl", 250, 0, -3, 1),
    ("memfd", 319, b"name", 0),
    ("shm", 29, 0, 4096, 0o1600),
    ("ptrace", 101, 0, 0, 0, 0),
    ("fork", 57), ("clone3", 435, None, 0), ("x32 fork", 0x40000000 + 57),
):
    if call(number, *arguments) >= 0:
        done.append(name)
for path in ("sys/kernel/core_pattern", "sys/vm/drop_caches", "self/oom_score_adj"):
    try:
        open("/proc/" + path, "r+").close()
        done.append(path)
    except OSError:
        pass
capabilities = [line.split()[1] for line in open("/proc/self/status") if line.startswith("Cap")]
print(done, {int(number, 16) for number in capabilities}, file=sys.stderr)
"""

# Runs the program on its stdin within walls, as whoever runs this.
DRIVER = """
import sys, tempfile
from pathlib import Path
from pipeline.sandbox import confined
base = Path(sys.base_prefix).resolve()
program = base / "bin" / f"python3.{sys.version_info.minor}"
with tempfile.TemporaryDirectory() as folder:
    command = [str(program), "-S", "-c", sys.stdin.read()]
    print(confined.hindrance(), confined.run(command, Path(folder), 20, {base: base}).said)
"""


def as_user(user: int) -> list[str]:
    """The start of a command that runs the rest as another user."""
    if user == os.getuid():
        return []
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]


@pytest.fixture
def readable():
    """A folder with our package that every user may read."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        shutil.copytree(ROOT / "pipeline" / "sandbox", Path(name, "pipeline", "sandbox"))
        Path(name, "pipeline", "__init__.py").touch()
        subprocess.run(["chmod", "-R", "a+rX", name], check=True)
        yield name


if confined.hindrance() or platform.machine() != "x86_64":
    warnings.warn(f"the walls are not tested: {confined.hindrance()}", stacklevel=1)
else:

    @pytest.mark.parametrize("user", [os.getuid()] if os.getuid() else [0, NOBODY])
    def test_neither_root_nor_an_ordinary_user_gets_out(user, readable):
        """Root has all capabilities outside, and none within."""
        python = str(PROGRAM) if user == os.getuid() else "/usr/bin/python3"
        tried = subprocess.run(
            [*as_user(user), python, "-c", DRIVER],
            input=ESCAPE,
            capture_output=True,
            text=True,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": readable, "TMPDIR": "/tmp"},
            cwd="/",
            check=False,
        )
        assert (tried.stdout.strip(), tried.stderr) == ("None [] {0}", "")


@pytest.fixture(params=["with", "without"])
def either(request):
    """With walls where the system allows them, and without."""
    if request.param == "without":
        request.getfixturevalue("without_walls")


@pytest.mark.parametrize(
    ("code", "ended"),
    [
        ("import signal\nfor s in (1, 2, 15): signal.signal(s, signal.SIG_IGN)\nwhile True: pass",
         "ended after the time limit of 3 s"),
        ("import os\ntry: os.setsid()\nexcept OSError: pass\nwhile True: pass",
         "ended after the time limit of 3 s"),
        ("import os, time\nfor i in range(60): os.mkdir('d' * 200); os.chdir('d' * 200)\n"
         "time.sleep(99)", "ended: it writes more than 16 folders inside one another"),
        ("import os, time\nfor i in range(9999): os.mkdir(f'd{i}')\ntime.sleep(99)",
         "ended: it writes more than 4000 files"),
        ("import time\nfor i in range(9): open('x', 'wb').write(bytes(10**6))\ntime.sleep(99)",
         "ended after the time limit of 3 s"),
    ],
    ids=["signals", "session", "deep", "folders", "time"],
)  # fmt: skip
def test_limits_hold_whatever_a_program_does_against_them(tmp_path, either, code, ended):
    begin = time.monotonic()
    assert run(code, tmp_path, 3).ended == ended
    assert time.monotonic() - begin < 30


def test_files_that_a_program_holds_without_a_name_count(tmp_path, monkeypatch, either):
    monkeypatch.setattr(output, "OUTPUT_MIB", 8)
    code = (
        "import os, time\nkept = []\nfor i in range(20):\n"
        "    kept.append(open('x', 'wb')); kept[-1].write(bytes(10**6)); kept[-1].flush()\n"
        "    os.unlink('x')\ntime.sleep(99)"
    )
    assert run(code, tmp_path).ended == "ended: it writes more than 8 MiB"


def test_a_folder_that_hides_its_content_ends_its_program_or_is_counted(tmp_path, either):
    """Root can look into it, an ordinary user cannot."""
    code = "import os, time\nos.mkdir('d'); open('d/f', 'w'); os.chmod('d', 0); time.sleep(99)"
    hidden = "ended: what it writes cannot be measured (Permission denied)"
    expected = hidden if os.getuid() else "ended after the time limit of 2 s"
    assert run(code, tmp_path, 2).ended == expected
    assert (tmp_path / "d" / "f").exists()


def test_a_program_that_starts_in_too_full_a_folder_is_not_started(tmp_path, monkeypatch):
    monkeypatch.setattr(output, "FILES", 1)
    for number in range(3):
        (tmp_path / str(number)).touch()
    outcome = run("open('ran', 'w')", tmp_path)
    assert outcome.ended == "not started: it consists of more than 1 files"
    assert not (tmp_path / "ran").exists()


@pytest.mark.skipif(seccomp.rules() is None, reason="the system calls of this machine are unknown")
def test_without_walls_no_process_is_left_behind_in_a_session_of_its_own(tmp_path, without_walls):
    code = (
        "import os, time\ntry: child = os.fork()\nexcept OSError: child = 1\n"
        "if not child: os.setsid(); time.sleep(3); open('late', 'w')"
    )
    assert run(code, tmp_path).ended is None
    time.sleep(4)
    assert not (tmp_path / "late").exists()
