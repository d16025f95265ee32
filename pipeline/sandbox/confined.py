"""Run a program that reads other people's files: one writable folder, no network, firm limits.

Bubblewrap (https://github.com/containers/bubblewrap) builds the walls where the system allows it;
the limits of time, memory, output and processes hold everywhere. `run` serves a program that ends
by itself; `start` and `Confined` one that is kept, such as `pipeline.sandbox.worker`.
"""

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pipeline.sandbox import output, seccomp
from pipeline.sandbox.output import MIB

ADDRESS_MIB = 4096  # address space of a process; a piano piece of 24 pages needs 700
FILE_MIB = 128  # of any one file; a dense page of SVG is 1 MiB
OPEN_FILES = 256  # at a time
SAID_BYTES = MIB  # of a program's output that are read, at most
KILLED = "crashed (SIGKILL)"  # from outside, for instance as memory ran out
LOOK_S = 0.2  # between two looks at the folder

INSIDE = Path("/piece")  # where a confined program sees its folder
SYSTEM = ("/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache")
# Nothing of the caller's: messages in English, no settings of a home.
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"}


@dataclass
class Outcome:
    """What a program said on stderr, and why it was ended or failed to end by itself, if so."""

    said: str
    ended: str | None


@dataclass
class Confined:
    """A program that runs within the walls and limits."""

    process: subprocess.Popen
    first: int | None = None  # process id of the first process within the walls
    handle: int | None = None  # descriptor that tells when that process is gone

    def program(self) -> int | None:
        """The process id of the program itself, if it can be told."""
        if self.first is None:
            return self.process.pid
        with contextlib.suppress(OSError, ValueError):
            children = Path(f"/proc/{self.first}/task/{self.first}/children").read_text()
            return int(children.split()[0]) if children else None
        return None

    def kill(self) -> None:
        """Kill the program, and bubblewrap, with which all within the walls ends."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()

    def end(self) -> None:
        """Kill what is left and wait until all within the walls are gone."""
        self.kill()
        self.process.wait()
        if self.handle is not None:
            waiting = select.poll()
            waiting.register(self.handle, select.POLLIN)
            waiting.poll(10_000)
            os.close(self.handle)
            self.handle = None


def _walls(folder: Path, readable: dict[Path, Path], writable: bool) -> list[str]:
    """The bubblewrap command up to the program's own; `readable` maps outer to inner paths.

    Root keeps its capabilities within the walls unless they are dropped, and even without them it
    may write below /proc/sys.
    """
    command = [shutil.which("bwrap") or "bwrap", "--unshare-all", "--die-with-parent"]
    command += ["--new-session", "--cap-drop", "ALL"]
    command += ["--proc", "/proc", "--remount-ro", "/proc"]
    command += ["--dev", "/dev", "--remount-ro", "/dev"]
    for path in SYSTEM:
        command += ["--ro-bind-try", path, path]
    for outer, inner in readable.items():
        if outer == inner and outer.is_relative_to("/usr"):
            continue
        command += ["--ro-bind", str(outer), str(inner)]
    command += ["--bind" if writable else "--ro-bind", str(folder), str(INSIDE)]
    return [*command, "--chdir", str(INSIDE), "--remount-ro", "/"]


@cache
def hindrance() -> str | None:
    """Why programs cannot be confined here, tried once; None if they can."""
    if shutil.which("bwrap") is None:
        return "bubblewrap is missing (Debian, Ubuntu: sudo apt-get install bubblewrap)"
    with tempfile.TemporaryDirectory(prefix="confine-") as folder:
        command = [*_walls(Path(folder), {}, writable=True), "/bin/sh", "-c", ":"]
        tried = subprocess.run(command, capture_output=True, text=True, check=False)
    if tried.returncode:
        return f"bubblewrap cannot work here ({' '.join(tried.stderr.split())})"
    return None


def crash(code: int, said: str) -> str | None:
    """What signal ended a program, by its return code; bubblewrap adds 128 to the signal."""
    number = -code if code < 0 else code - 128
    if number == signal.SIGXFSZ:
        return f"ended: it writes a file of more than {FILE_MIB} MiB"
    if code and "Out of Memory! Heap size" in said:  # so LilyPond's garbage collector
        return f"ended: it needs more than {ADDRESS_MIB} MiB of memory"
    if number in set(signal.Signals):
        return f"crashed ({signal.Signals(number).name})"
    return None


def _pipe(stack: contextlib.ExitStack, content: bytes) -> int:
    """The reading end of a pipe that holds `content`."""
    read, write = os.pipe()
    stack.callback(os.close, read)
    os.write(write, content)
    os.close(write)
    return read


def start(
    command: list[str],
    folder: Path,
    readable: dict[Path, Path],
    variables: dict[str, str],
    *,
    writable: bool = True,
    **streams,
) -> Confined:
    """Start a command within the walls and limits; whoever starts it must `end` it.

    Args:
        command: the program, as it is seen from within.
        folder: the folder that it runs in, and may write to if `writable`.
        readable: what else it may read, from outer to inner paths.
        variables: all that its environment has beside ENVIRONMENT.
        streams: `stdin`, `stdout`, `stderr` as `subprocess.Popen` takes them; nothing by default.
    """
    environment = ENVIRONMENT | {"TMPDIR": str(seen(folder, INSIDE))} | variables
    # By ulimit rather than by code between fork and exec, which threads of ours could hang.
    limits = ["-c 0", f"-v {1024 * ADDRESS_MIB}", f"-f {2048 * FILE_MIB}", f"-n {OPEN_FILES}"]
    script = "".join(f"ulimit {limit} 2>/dev/null; " for limit in limits) + 'exec "$@"'
    shell = ["/bin/sh", "-c", script, "sh"]  # -v in KiB, -f in 512 bytes
    nothing = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    options = {"cwd": folder, "env": environment, "start_new_session": True} | nothing | streams
    if hindrance():
        return Confined(subprocess.Popen([*shell, *seccomp.launcher(), *command], **options))
    with contextlib.ExitStack() as stack:
        walls = _walls(folder, readable, writable)
        read, write = os.pipe()
        stack.callback(os.close, read)
        handed = [write]
        walls += ["--info-fd", str(write)]
        if rules := seccomp.rules():
            handed.append(_pipe(stack, rules))
            walls += ["--seccomp", str(handed[-1])]
        process = subprocess.Popen([*shell, *walls, *command], pass_fds=handed, **options)
        os.close(write)
        told = b""
        while more := os.read(read, 4096):
            told += more
        with contextlib.suppress(ValueError, OSError):
            first = json.loads(told)["child-pid"]
            return Confined(process, first, os.pidfd_open(first))
        return Confined(process)  # it is over already, or the kernel older than 5.3


def seen(outer: Path, inner: Path) -> Path:
    """The path under which a program will see what is handed to it."""
    return outer if hindrance() else inner


def _excess(confined: Confined, folder: Path, before: output.Amount) -> str | None:
    """Why a program has to be ended for what it wrote. A folder that hides its content is one."""
    try:
        program = confined.program()
        output.measure(folder, before, output.unlinked(program) if program else 0)
    except output.ExceededError as error:
        return f"ended: it writes {error}"
    except OSError as error:
        return f"ended: what it writes cannot be measured ({error.strerror})"
    return None


def run(
    command: list[str],
    folder: Path,
    seconds: float,
    readable: dict[Path, Path],
    variables: dict[str, str] | None = None,
) -> Outcome:
    """Run a command in `folder`, the only one it may write to, for at most `seconds`.

    Any program that reads a score is run so. It may read the system's programs and what `readable`
    maps from outer to inner paths (`seen` tells which of the two to name in the command); of the
    caller's environment it sees nothing, only `variables`. It starts no processes, and is ended
    with all that it did start; what it leaves in `folder` is folders and readable files. Whether
    programs may run if there are no walls is for the stage to ask (`lilypond.confine`).

    Raises:
        OSError: if the command cannot be started.
    """
    folder = folder.resolve()
    try:
        before = output.measure(folder)
    except output.ExceededError as error:
        return Outcome("", f"not started: it consists of {error}")
    ended: list[str] = []
    over = threading.Event()
    with tempfile.TemporaryFile() as said:
        until = time.monotonic() + seconds
        confined = start(command, folder, readable, variables or {}, stderr=said)

        def watch() -> None:
            while not over.wait(min(LOOK_S, max(until - time.monotonic(), 0))):
                late = time.monotonic() >= until
                reason = f"ended after the time limit of {seconds:.0f} s" if late else None
                if reason := reason or _excess(confined, folder, before):
                    ended.append(reason)
                    confined.kill()
                    return

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            confined.process.wait()
        finally:
            over.set()
            watcher.join()
            confined.end()
        said.seek(0)
        text = said.read(SAID_BYTES).decode(errors="replace")
    output.sweep(folder)
    try:
        output.measure(folder, before)  # of what it wrote since the last look
    except output.ExceededError as error:
        ended.append(f"ended: it writes {error}")
    return Outcome(text, next(iter(ended), None) or crash(confined.process.returncode, text))
