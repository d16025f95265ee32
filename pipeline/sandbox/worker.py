"""Keep a Python module running within the walls, and ask it questions one at a time.

What a score wrote is read there: a reader that crashes, loops or takes all memory costs one answer.
A question is a line of text on the worker's stdin; an answer is some frames on its stdout, a frame
being its length (8 bytes, little endian) and its content. Nothing is ever unpickled.
"""

import contextlib
import importlib.util
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from pipeline.sandbox import confined

CODE = Path("/code")  # where a worker sees our packages
PACKAGE = Path(__file__).resolve().parents[1]
START_S = 120  # for a worker to say that it is ready; it takes one on an idle machine
ANSWER_MIB = 512  # more than any piece has
READY = b"ready"
OUT_OF_MEMORY = 77  # a worker's exit status


def _python(packages: Iterable[str]) -> tuple[str, dict[Path, Path], list[Path]]:
    """A Python that can import ours and some installed packages within the walls.

    Returns:
        The interpreter, what it must be able to read (from outer to inner paths), and the folders
        that it is to import from.
    """
    base = Path(sys.base_prefix).resolve()
    program = base / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    if not program.exists():
        program = Path(sys.executable).resolve()
        base = program.parents[1]
    folders = list(dict.fromkeys(filter(None, map(_folder_of, packages))))
    readable = {folder: folder for folder in (base, *folders)} | {PACKAGE: CODE / PACKAGE.name}
    ours = confined.seen(PACKAGE, CODE / PACKAGE.name)
    return str(program), readable, [ours.parent, *folders]


def _folder_of(package: str) -> Path | None:
    """The folder that a package is imported from; None if it is not installed."""
    found = importlib.util.find_spec(package)
    if found is None:
        return None
    if found.submodule_search_locations:
        return Path(next(iter(found.submodule_search_locations))).resolve().parent
    return Path(found.origin).resolve().parent


class Worker:
    """A module of ours that runs within the walls, started anew whenever it has died."""

    def __init__(
        self,
        module: str,
        packages: Iterable[str],
        folder: Path,
        seconds: float,
        readable: dict[Path, Path] | None = None,
        variables: dict[str, str] | None = None,
    ):
        """Start the worker.

        Args:
            module: what it runs.
            packages: what it must be able to import beside ours.
            folder: what it may read; it may write nowhere.
            seconds: that it has for each answer.
            readable: what else it may read, from outer to inner paths.
            variables: of its environment, beside PYTHONPATH.
        """
        program, imported, paths = _python(packages)
        self.command = [program, "-s", "-S", "-m", module]
        self.readable = imported | (readable or {})
        self.variables = {"PYTHONPATH": os.pathsep.join(map(str, paths))} | (variables or {})
        self.folder, self.seconds = folder.resolve(), seconds
        self._start()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *error) -> None:
        self._end()

    def _start(self) -> None:
        self.ready = False
        self.said = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the worker ends
        self.confined = confined.start(
            self.command,
            self.folder,
            self.readable,
            self.variables,
            writable=False,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.said,
        )

    def _end(self) -> str:
        """End the worker; gives what it said on stderr."""
        if self.said.closed:
            return ""
        process = self.confined.process
        self.confined.end()
        process.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        with self.said as said:
            said.seek(0)
            return said.read(confined.SAID_BYTES).decode(errors="replace")

    def _read(self, size: int, until: float) -> bytes:
        """So many bytes of the answer. Raises TimeoutError, or EOFError if the worker has died."""
        output = self.confined.process.stdout.fileno()
        parts, missing = [], size
        waiting = select.poll()
        waiting.register(output, select.POLLIN)
        while missing:
            left = until - time.monotonic()
            if left <= 0 or not waiting.poll(1000 * left):
                raise TimeoutError
            part = os.read(output, min(missing, confined.MIB))
            if not part:
                raise EOFError
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def _frame(self, until: float) -> bytes:
        size = int.from_bytes(self._read(8, until), "little")
        if size > ANSWER_MIB * confined.MIB:
            raise EOFError
        return self._read(size, until)

    def await_ready(self) -> None:
        """Wait until a new worker is ready. Raises OSError if it cannot work here."""
        if self.ready:
            return
        try:
            self.ready = self._frame(time.monotonic() + START_S) == READY
        except (TimeoutError, EOFError):
            lines = self._end().strip().splitlines() or ["it says nothing"]
            raise OSError(f"{self.command[-1]} cannot be started: {lines[-1]}") from None

    def ask(self, question: str, frames: int) -> list[bytes] | str:
        """Ask the worker for an answer of so many frames.

        Returns:
            The frames, or why there is no answer. A worker that dies is replaced and asked once
            more, because an earlier question may have been at fault.

        Raises:
            OSError: if the worker cannot be started.
        """
        for _attempt in (1, 2):
            self.await_ready()
            until = time.monotonic() + self.seconds
            try:
                os.write(self.confined.process.stdin.fileno(), question.encode() + b"\n")
                return [self._frame(until) for _ in range(frames)]
            except TimeoutError:
                self._end()
                self._start()
                return f"ended after the time limit of {self.seconds:.0f} s"
            except (EOFError, BrokenPipeError):
                said = self._end()
                reason = _death(self.confined.process.returncode, said)
                self._start()
        return reason


def _death(status: int, said: str) -> str:
    if status == OUT_OF_MEMORY:
        return f"ended: it needs more than {confined.ADDRESS_MIB} MiB of memory"
    return confined.crash(status, said) or "ended without an answer"


def frame(content: bytes) -> bytes:
    """A frame of an answer, as a worker writes it."""
    return len(content).to_bytes(8, "little") + content
