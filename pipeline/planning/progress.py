"""What a run tells on the console: a line for each job that begins, and how much time is left.

Snakemake's own log says all of it and is kept in `.snakemake/log`. Dry runs, `--verbose`,
`--printshellcmds` and `--quiet` are left to Snakemake.
"""

import logging
import re
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import pyarrow.parquet as pq

SILENT = {"all", "data"}  # rules that only name files
CHATTER = (  # how sentences of Snakemake begin that nobody needs who watches
    "Assuming unrestricted", "Building DAG", "Complete log", "Conda environments", "Config file",
    "Elapsed time", "Execute ", "Group jobs", "Provided ", "Rules claiming", "Select jobs",
    "Singularity", "Using profile", "Using shell", "Using workflow specific", "host:",
)  # fmt: skip
# Seconds that a job takes in the default run on two cores, until the first of its rule has ended.
USUAL_S = {
    "engrave": 60, "select": 10, "synthesize": 15, "spectrogram": 6, "train": 120, "predict": 20,
    "track": 15, "retrieval_train": 60, "retrieval_refine": 15, "retrieval_pieces": 10,
    "retrieval_embed": 8,
}  # fmt: skip
OTHERWISE_S = 4
WAIT_S = 10  # before a first guess
TELL_S = 30  # between guesses where lines cannot be taken back
LOG_LINES = 15  # of a failed job's log
EPOCH = re.compile(rb"epoch \d+/\d+: +\d+%")  # how a training tells in its log how far it is
TAIL_BYTES = 600  # of a log, in which that stands
WIDTH = 80


def install(logger: logging.Logger, chunks: Callable[[str], int]) -> None:
    """Replace Snakemake's handler for the console by ours, unless the user chose another verbosity.

    Args:
        logger: Snakemake's.
        chunks: Gives the number of chunks of a collection.
    """
    for handler in list(logger.handlers):
        plain = [filter for filter in handler.filters if _tells_all(filter)]
        if handler.name == "DefaultStreamHandler" and plain:
            logger.removeHandler(handler)
            logger.addHandler(Console(handler.stream, chunks))  # type: ignore[attr-defined]


def _tells_all(filter: Any) -> bool:
    options = ("quiet", "debug_dag", "verbose", "dryrun", "printshellcmds")
    return not any(getattr(filter, option, None) for option in options)


class Console(logging.Handler):
    """Tells of Snakemake's events in words."""

    def __init__(self, stream: TextIO, chunks: Callable[[str], int]):
        """Tell on a stream.

        Args:
            stream: Of the console or a log; on a terminal the last line is kept up to date.
            chunks: Gives the number of chunks of a collection.
        """
        super().__init__()
        self.stream = stream
        self.chunks = chunks
        self.terminal = stream.isatty()
        self.estimate = Estimate()
        self.told_s = time.monotonic()
        self.running: dict[int, str] = {}  # messages by job
        self.logs: dict[int, list[str]] = {}
        self.shown = False  # whether a last line is on the terminal
        self.ended = threading.Event()
        if self.terminal:
            threading.Thread(target=self._refresh, daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Tell of one event, or keep it in mind."""
        try:
            self._handle(record, str(getattr(record, "event", None) or ""))
        except BrokenPipeError:
            raise
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Take the last line back."""
        self.ended.set()
        with self.lock or threading.RLock():
            self._clear()
        super().close()

    def _handle(self, record: logging.LogRecord, event: str) -> None:
        fields = record.__dict__
        if event == "run_info":
            self.estimate.plan(fields["stats"])
            total = self.estimate.total
            self._line(f"{total:,} {'job' if total == 1 else 'jobs'} to do")
        elif event == "job_info":
            self._begin(fields)
        elif event == "job_finished":
            self.estimate.end(fields["job_id"])
            self.running.pop(fields["job_id"], None)
        elif event == "progress":
            self._progress(fields["done"], fields["total"])
        elif event in ("job_error", "group_error"):
            self._fail(fields, event)
        elif event == "error" or record.levelno >= logging.WARNING:
            self._line(record.getMessage())
        elif not event and record.msg:
            text = record.getMessage()
            if not text.startswith(CHATTER):
                self._line(text)
        self._draw()

    def _begin(self, fields: dict) -> None:
        if fields["rule_name"] in SILENT:
            return
        message = self._message(fields)
        self.estimate.begin(fields["jobid"], fields["rule_name"])
        self.running[fields["jobid"]] = message
        self.logs[fields["jobid"]] = list(fields["log"] or [])
        width = len(str(self.estimate.total))
        done = f"{self.estimate.done:>{width}}/{self.estimate.total}"
        self._line(f"{time.strftime('%H:%M')}  {done}  {message}")

    def _message(self, fields: dict) -> str:
        """What a job does, with its chunk counted from 1, and how many pieces it engraves."""
        wildcards = fields["wildcards"] or {}
        message = fields["rule_msg"] or " ".join([fields["rule_name"], *wildcards.values()])
        if "chunk" in wildcards and "collection" in wildcards:
            total = self.chunks(wildcards["collection"])
            chunk = f"chunk {int(wildcards['chunk']) + 1} of {total}"
            message = re.sub(r"chunk \d+$", chunk, message)
        if fields["rule_name"] == "engrave":
            number = _pieces(Path(fields["input"][0]))
            pieces = "1 piece of" if number == 1 else f"{number:,} pieces of"
            message = re.sub("^Engrave ", f"Engrave {pieces} ", message)
        return message

    def _progress(self, done: int, total: int) -> None:
        self.estimate.done = done
        if done == total:
            self._line(f"all {total:,} jobs done in {duration(self.estimate.elapsed())}")
        elif not self.terminal and time.monotonic() - self.told_s > TELL_S:
            self.told_s = time.monotonic()
            self._line(f"       {self._state()}{self._epochs()}")

    def _fail(self, fields: dict, event: str) -> None:
        jobs = fields["job_error_info"] if event == "group_error" else [fields]
        for job in jobs:
            number = job.get("jobid", -1)
            self.estimate.began.pop(number, None)
            self._line(f"FAILED: {self.running.pop(number, job['rule_name'])}")
            for path in map(Path, job["log"] or []):
                lines = _last_lines(path)
                self._line("\n".join([f"  its log, {path}, ends with:", *lines]))

    # --- the last line ---------------------------------------------------------------------------
    def _state(self) -> str:
        left = self.estimate.left()
        guess = f", about {duration(left)} left" if left is not None else ""
        return f"{self.estimate.done:,} of {self.estimate.total:,} jobs done{guess}"

    def _epochs(self) -> str:
        """How far the trainings are that run, from their logs."""
        told = [
            f"; {message}, {found[-1].decode()}"
            for job, message in self.running.items()
            for path in self.logs[job]
            if (found := EPOCH.findall(_tail(Path(path))))
        ]
        return "".join(told)

    def _draw(self) -> None:
        if self.terminal and self.running:
            self._clear()
            width = min(shutil.get_terminal_size((WIDTH, 24)).columns, 120) - 1
            now = self._epochs() or f"; now: {next(iter(self.running.values()))}"
            self.stream.write(_fit(f"{self._state()}{now}", width))
            self.stream.flush()
            self.shown = True

    def _clear(self) -> None:
        if self.shown:
            self.stream.write("\r\x1b[K")
            self.stream.flush()
            self.shown = False

    def _line(self, text: str) -> None:
        self._clear()
        self.stream.write(f"{text}\n")
        self.stream.flush()

    def _refresh(self) -> None:
        while not self.ended.wait(1):
            with self.lock or threading.RLock():
                if not self.ended.is_set():
                    self._draw()


class Estimate:
    """How long a run will still take, from the jobs that have ended."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self.total = self.done = 0
        self.to_do: Counter = Counter()  # jobs by rule that have not ended
        self.took: dict[str, list[float]] = {}  # seconds by rule
        self.began: dict[int, tuple[str, float]] = {}  # rule and time of running jobs
        self.started = time.monotonic()

    def plan(self, stats: dict[str, int]) -> None:
        """Take the jobs by rule, and their `total`, that Snakemake plans."""
        jobs = {rule: count for rule, count in stats.items() if rule != "total"}
        self.to_do = Counter(jobs)
        self.total = self.to_do.total()
        self.started = time.monotonic()

    def begin(self, job: int, rule: str) -> None:
        """A job begins."""
        self.began[job] = rule, time.monotonic()

    def end(self, job: int) -> None:
        """A job has ended."""
        if job in self.began:
            rule, began = self.began.pop(job)
            self.took.setdefault(rule, []).append(time.monotonic() - began)
            self.to_do[rule] -= 1

    def elapsed(self) -> float:
        """Seconds since the jobs were planned."""
        return time.monotonic() - self.started

    def left(self) -> float | None:
        """Seconds that are left, if the jobs go on side by side as before; None too early on."""
        elapsed = self.elapsed()
        if elapsed < WAIT_S:
            return None
        now = time.monotonic()
        running = [(rule, now - began) for rule, began in self.began.values()]
        busy = sum(map(sum, self.took.values())) + sum(seconds for _, seconds in running)
        needed = sum(count * self._usual(rule) for rule, count in self.to_do.items())
        needed -= sum(min(seconds, self._usual(rule)) for rule, seconds in running)
        return needed / max(1.0, busy / elapsed)

    def _usual(self, rule: str) -> float:
        took = self.took.get(rule)
        return sum(took) / len(took) if took else USUAL_S.get(rule, OTHERWISE_S)


def duration(seconds: float) -> str:
    """Seconds as people say them: 45 s, 12 min, 3 h 20 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def _pieces(path: Path) -> int:
    """How many pieces of a table were kept."""
    return pq.read_table(path, columns=["reason"])["reason"].null_count


def _tail(path: Path) -> bytes:
    """The end of a file; nothing if there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            return file.read()
    except OSError:
        return b""


def _last_lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return ["    (not found)"]
    return [f"    {line}" for line in lines[-LOG_LINES:]] or ["    (it is empty)"]


def _fit(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
