"""What a run tells on the console, fed with the records that Snakemake makes."""

import io
import logging

import pytest

from pipeline import tables
from pipeline.planning import progress

SAID_ALL = dict.fromkeys(("debug_dag", "verbose", "dryrun", "printshellcmds"), False)


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(progress.time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


@pytest.fixture
def console(clock):
    return progress.Console(io.StringIO(), lambda collection: {"piano": 5}[collection])


def tell(console, event=None, message=None, level=logging.INFO, **fields):
    """What the console says more after a record."""
    before = len(console.stream.getvalue())
    record = logging.LogRecord("snakemake", level, "", 0, message, None, None)
    record.__dict__ |= {"event": event} | fields
    console.emit(record)
    return console.stream.getvalue()[before:]


def job(number, rule, message, **wildcards):
    return {"event": "job_info", "jobid": number, "rule_name": rule, "rule_msg": message,
            "wildcards": wildcards, "input": [], "log": []}  # fmt: skip


def test_a_job_is_told_in_words_with_its_pieces_and_its_chunk_counted_from_one(console, tmp_path):
    kept = [{"piece_id": str(n)} for n in range(12)]
    tables.write([*kept, {"piece_id": "x", "reason": "no"}], tables.PIECES, tmp_path / "1.parquet")
    tell(console, "run_info", stats={"engrave": 5, "card": 1, "total": 6})
    record = job(3, "engrave", "Engrave piano, chunk 1", collection="piano", chunk="1")
    said = tell(console, **record | {"input": [str(tmp_path / "1.parquet")]})
    assert said.rstrip().endswith("  0/6  Engrave 12 pieces of piano, chunk 2 of 5")
    assert len(said) <= 80


def test_a_job_of_a_rule_without_a_message_has_its_names(console):
    assert "mine a" in tell(console, **job(1, "mine", None, x="a"))


def test_what_nobody_needs_is_not_told(console):
    for chatter in ("Building DAG of jobs...", "Using shell: /bin/bash", "Select jobs to execute"):
        assert tell(console, message=chatter) == ""
    assert tell(console, **job(1, "all", None)) == ""
    assert (
        tell(console, message="Nothing to be done (all there).")
        == "Nothing to be done (all there).\n"
    )
    assert tell(console, message="disk is slow", level=logging.WARNING) == "disk is slow\n"


def test_time_left_follows_from_the_jobs_that_have_ended(console, clock):
    """Ten jobs of 20 s, two at a time: after four of them 60 s are left."""
    tell(console, "run_info", stats={"shard": 10, "total": 10})
    for number in range(0, 4, 2):
        for one in (number, number + 1):
            tell(console, **job(one, "shard", "Write shards"))
        clock.now += 20
        for one in (number, number + 1):
            tell(console, "job_finished", job_id=one)
    assert console.estimate.left() == pytest.approx(60)
    said = tell(console, "progress", done=4, total=10)
    assert said.strip() == "4 of 10 jobs done, about 60 s left"


def test_a_job_that_failed_does_not_count_as_running(console, clock):
    """One of two jobs fails at once, the other takes 20 s: that was one job at a time."""
    tell(console, "run_info", stats={"shard": 4, "total": 4})
    for number in range(2):
        tell(console, **job(number, "shard", "Write shards"))
    tell(console, "job_error", jobid=0, rule_name="shard", log=[])
    clock.now += 20
    tell(console, "job_finished", job_id=1)
    assert console.estimate.left() == pytest.approx(60)


def test_the_end_tells_how_long_it_took(console, clock):
    tell(console, "run_info", stats={"shard": 1, "total": 1})
    clock.now += 754
    assert tell(console, "progress", done=1, total=1) == "all 1 jobs done in 13 min\n"


def test_a_failed_job_is_told_with_the_end_of_its_log(console, tmp_path):
    log = tmp_path / "play.log"
    log.write_text("much\n" * 50 + "error: grand.sf2 has no preset 127\n")
    record = job(1, "synthesize", "Play tunes") | {"log": [str(log)]}
    tell(console, **record)
    said = tell(console, level=logging.ERROR, **record | {"event": "job_error"})
    assert said.startswith("FAILED: Play tunes\n")
    assert str(log) in said and said.rstrip().endswith("error: grand.sf2 has no preset 127")
    assert len(said.splitlines()) < 20


def test_on_a_terminal_the_last_line_is_kept_up_to_date_and_fits(clock, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(progress.threading.Thread, "start", lambda thread: None)
    console = progress.Console(Terminal(), lambda collection: 1)
    tell(console, "run_info", stats={"train": 1, "table": 1, "total": 2})
    said = tell(console, **job(1, "train", "Train " + "the network " * 20))
    last = said.splitlines()[-1]
    assert last.startswith("0 of 2 jobs done; now: Train the network") and len(last) < 80
    assert tell(console, **job(2, "table", "Write")).startswith("\r\x1b[K")


def test_a_training_tells_from_its_log_how_far_it_is(console, clock, tmp_path):
    log = tmp_path / "train.log"
    tell(console, "run_info", stats={"train": 1, "shard": 1, "total": 2})
    tell(console, **job(1, "train", "Train the network PT") | {"log": [str(log)]})
    log.write_bytes(b"epoch 1/4: 100%|###| 10/10\repoch 2/4:  57%|## | 6/10 [00:10, loss=3.1]")
    clock.now += 60
    said = tell(console, "progress", done=1, total=2)
    assert said.rstrip().endswith("left; Train the network PT, epoch 2/4:  57%")


@pytest.mark.parametrize("option", [None, "verbose", "dryrun", "printshellcmds"])
def test_it_takes_the_place_of_snakemakes_handler_unless_more_is_asked_for(option):
    class Filter:
        quiet = ()

    wanted = Filter()
    wanted.__dict__ |= SAID_ALL | ({option: True} if option else {})
    theirs = logging.StreamHandler(io.StringIO())
    theirs.name, theirs.filters = "DefaultStreamHandler", [wanted]
    logger = logging.Logger("of a test")
    logger.addHandler(theirs)
    progress.install(logger, lambda collection: 1)
    (handler,) = logger.handlers
    assert isinstance(handler, progress.Console) is (option is None)


@pytest.mark.parametrize(
    ("seconds", "words"), [(44.6, "45 s"), (89, "89 s"), (754, "13 min"), (12_000, "3 h 20 min")]
)
def test_durations_are_said_as_people_do(seconds, words):
    assert progress.duration(seconds) == words
