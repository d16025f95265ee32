"""Run a program that reads other people's files: one writable folder, no network, firm limits.

Bubblewrap (https://github.com/containers/bubblewrap) builds the walls where the system allows it;
the limits of time, memory and output hold everywhere.
"""

import contextlib
import json
import os
import platform
import select
import shutil
import signal
import stat
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

MIB = 2**20
ADDRESS_MIB = 4096  # address space of a process; a piano piece of 24 pages needs 700
FILE_MIB = 128  # of any one file; a dense page of SVG is 1 MiB
OUTPUT_MIB = 512  # that a run writes in sum
PAGES = 1000  # of SVG that a run writes
FILES = 4000  # of any kind that it writes
SAID_BYTES = MIB  # as much is read of what a program said
KILLED = "crashed (SIGKILL)"  # from outside, for instance as memory ran out
LOOK_S = 0.2  # between two looks at the folder

INSIDE = Path("/piece")  # where a confined program sees its folder
SYSTEM = ("/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache")
# Nothing of the caller's: messages in English, no settings of a home.
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"}

# System calls that start a process: fork, vfork, clone, clone3; Linux numbers by AUDIT_ARCH.
STARTING = {"x86_64": (0xC000003E, (57, 58), 56, 435), "aarch64": (0xC00000B7, (), 220, 435)}
SECOND_NUMBERING = 0x40000000  # from here x86 counts all its calls again (x32)
CLONE_THREAD = 0x10000


@dataclass
class Outcome:
    """What a program said on stderr, and why it was ended or failed to end by itself, if so."""

    said: str
    ended: str | None


def _no_processes() -> bytes | None:
    """A seccomp filter by which threads may start but processes may not; None: unknown machine.

    Words of classic BPF: load (0x20), jump if equal (0x15), if at least (0x35), if any bit is
    set (0x45), return (0x06). Unlike RLIMIT_NPROC it holds for root, and nobody else's count.
    """
    if platform.machine() not in STARTING:
        return None
    arch, forks, clone, clone3 = STARTING[platform.machine()]
    allow, refuse, unknown = 0x7FFF0000, 0x00050001, 0x00050026  # errno EPERM, ENOSYS
    rules = [(0x20, 0, 0, 4), (0x15, 1, 0, arch), (0x06, 0, 0, refuse), (0x20, 0, 0, 0)]
    rules += [(0x35, 0, 1, SECOND_NUMBERING), (0x06, 0, 0, refuse)]
    for number in forks:
        rules += [(0x15, 0, 1, number), (0x06, 0, 0, refuse)]
    # The C library turns to clone where clone3, whose flags no filter can read, is unknown.
    rules += [(0x15, 0, 1, clone3), (0x06, 0, 0, unknown)]
    rules += [(0x15, 1, 0, clone), (0x06, 0, 0, allow)]
    rules += [(0x20, 0, 0, 16), (0x45, 0, 1, CLONE_THREAD), (0x06, 0, 0, allow)]
    rules += [(0x06, 0, 0, refuse)]
    return b"".join(struct.pack("=HBBI", *rule) for rule in rules)


def _walls(folder: Path, readable: dict[Path, Path]) -> list[str]:
    """The bubblewrap command up to the program's own; `readable` maps outer to inner paths."""
    command = [shutil.which("bwrap") or "bwrap", "--unshare-all", "--die-with-parent"]
    command += ["--new-session", "--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"]
    for path in SYSTEM:
        command += ["--ro-bind-try", path, path]
    for outer, inner in readable.items():
        command += ["--ro-bind", str(outer), str(inner)]
    command += ["--bind", str(folder), str(INSIDE), "--chdir", str(INSIDE)]
    return [*command, "--remount-ro", "/"]


@cache
def hindrance() -> str | None:
    """Why programs cannot be confined here, tried once; None where they can."""
    if shutil.which("bwrap") is None:
        return "bubblewrap is missing (Debian, Ubuntu: sudo apt-get install bubblewrap)"
    with tempfile.TemporaryDirectory(prefix="confine-") as folder:
        command = [*_walls(Path(folder), {}), "/bin/sh", "-c", ":"]
        tried = subprocess.run(command, capture_output=True, text=True, check=False)
    if tried.returncode:
        return f"bubblewrap cannot work here ({' '.join(tried.stderr.split())})"
    return None


def _entries(folder: Path) -> Iterable[tuple[Path, os.stat_result]]:
    """Everything in a folder but its folders; what vanishes meanwhile is skipped."""
    for parent, folders, files in os.walk(folder):
        for name in folders + files:
            entry = Path(parent, name)
            with contextlib.suppress(FileNotFoundError):
                status = entry.lstat()
                if not stat.S_ISDIR(status.st_mode):
                    yield entry, status


def _output(folder: Path) -> tuple[int, int, int]:
    """Pages, files of any kind, and bytes on disk that a folder holds."""
    found = list(_entries(folder))
    pages = sum(entry.suffix == ".svg" for entry, _ in found)
    return pages, len(found), sum(512 * status.st_blocks for _, status in found)


def _excess(folder: Path, before: tuple[int, int, int]) -> str | None:
    """Which limit of output a folder has passed since it held no more than `before`."""
    pages, files, size = (now - then for now, then in zip(_output(folder), before, strict=True))
    if pages > PAGES:
        return f"ended: it writes more than {PAGES} pages"
    if files > FILES:
        return f"ended: it writes more than {FILES} files"
    if size > OUTPUT_MIB * MIB:
        return f"ended: it writes more than {OUTPUT_MIB} MiB"
    return None


def _sweep(folder: Path) -> None:
    """Remove links and pipes, so that nobody who reads or writes here is led elsewhere."""
    for entry, status in list(_entries(folder)):
        if stat.S_ISREG(status.st_mode):
            entry.chmod(0o644)
        else:
            entry.unlink(missing_ok=True)


def _crash(code: int, said: str) -> str | None:
    """What signal ended the program, by its return code; bubblewrap adds 128 to the signal."""
    number = -code if code < 0 else code - 128
    if number == signal.SIGXFSZ:
        return f"ended: it writes a file of more than {FILE_MIB} MiB"
    if code and "Out of Memory! Heap size" in said:  # so LilyPond's garbage collector
        return f"ended: it needs more than {ADDRESS_MIB} MiB of memory"
    if number in set(signal.Signals):
        return f"crashed ({signal.Signals(number).name})"
    return None


def _kill(process: subprocess.Popen) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _end(process: subprocess.Popen, walled: int | None) -> None:
    """Kill what is left of a process group and wait until all inside the walls are gone."""
    _kill(process)
    process.wait()
    if walled is not None:
        waiting = select.poll()
        waiting.register(walled, select.POLLIN)
        waiting.poll(10_000)
        os.close(walled)


def _pipe(stack: contextlib.ExitStack, content: bytes) -> int:
    """The reading end of a pipe that holds `content`."""
    read, write = os.pipe()
    stack.callback(os.close, read)
    os.write(write, content)
    os.close(write)
    return read


def _start(
    command: list[str], folder: Path, readable: dict[Path, Path], variables: dict[str, str], said
) -> tuple[subprocess.Popen, int | None]:
    """Start a command under the limits; the second is a handle on the first process inside."""
    environment = ENVIRONMENT | variables | {"TMPDIR": str(seen(folder, INSIDE))}
    # By ulimit rather than by code between fork and exec, which threads of ours could hang.
    limits = ["-c 0", f"-v {1024 * ADDRESS_MIB}", f"-f {2048 * FILE_MIB}"]  # KiB, 512 bytes
    script = "".join(f"ulimit {limit} 2>/dev/null; " for limit in limits) + 'exec "$@"'
    shell = ["/bin/sh", "-c", script, "sh"]
    with contextlib.ExitStack() as stack:
        options = {
            "cwd": folder,
            "env": environment,
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.DEVNULL,
            "stderr": said,
            "start_new_session": True,
        }
        if hindrance():
            return subprocess.Popen([*shell, *command], **options), None
        walls = _walls(folder, readable)
        read, write = os.pipe()
        stack.callback(os.close, read)
        handed = [write]
        walls += ["--info-fd", str(write)]
        if rules := _no_processes():
            handed.append(_pipe(stack, rules))
            walls += ["--seccomp", str(handed[-1])]
        process = subprocess.Popen([*shell, *walls, *command], pass_fds=handed, **options)
        os.close(write)
        told = b""
        while more := os.read(read, 4096):
            told += more
        with contextlib.suppress(ValueError, OSError):
            return process, os.pidfd_open(json.loads(told)["child-pid"])
        return process, None  # it is over already, or the kernel older than 5.3


def seen(outer: Path, inner: Path) -> Path:
    """The path under which a program will see what is handed to it."""
    return outer if hindrance() else inner


def run(
    command: list[str],
    folder: Path,
    seconds: float,
    readable: dict[Path, Path],
    variables: dict[str, str] | None = None,
) -> Outcome:
    """Run a command in `folder`, the only one it may write to, for at most `seconds`.

    It may read the system's programs and what `readable` maps from outer to inner paths; of the
    caller's environment it sees nothing, only `variables`. All its processes are ended; what it
    leaves in `folder` is folders and readable files. Raises OSError where it cannot be started.
    """
    folder = folder.resolve()
    before = _output(folder)
    ended: list[str] = []
    over = threading.Event()
    with tempfile.TemporaryFile() as said:
        until = time.monotonic() + seconds
        process, walled = _start(command, folder, readable, variables or {}, said)

        def watch() -> None:
            while not over.wait(min(LOOK_S, max(until - time.monotonic(), 0))):
                late = time.monotonic() >= until
                reason = f"ended after the time limit of {seconds:.0f} s" if late else None
                if reason := reason or _excess(folder, before):
                    ended.append(reason)
                    _kill(process)
                    return

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            process.wait()
        finally:
            over.set()
            watcher.join()
            _end(process, walled)
        said.seek(0)
        text = said.read(SAID_BYTES).decode(errors="replace")
    _sweep(folder)
    return Outcome(text, next(iter(ended), None) or _crash(process.returncode, text))
