"""A worker answers from within the walls, and is replaced when it dies."""

import time

import pytest

from pipeline.sandbox import confined, worker

# A module that does what it is told; `worker` starts it by name from its folder.
MODULE = """
import os, sys, time
from pipeline.sandbox import worker
out = os.fdopen(os.dup(1), "wb")
def say(content):
    out.write(worker.frame(content)); out.flush()
say(worker.READY)
asked = 0
for line in sys.stdin:
    word, asked = line.strip(), asked + 1
    if word == "count": say(str(asked).encode())
    if word == "die": os.abort()
    if word == "exit": os._exit(0)
    if word == "loop":
        while True: pass
    if word == "huge": out.write((2**62).to_bytes(8, "little")); out.flush(); time.sleep(99)
    if word == "half": out.write((9).to_bytes(8, "little") + b"ab"); out.flush(); os._exit(0)
    if word == "greedy":
        try: bytearray(2**40)
        except MemoryError: os._exit(worker.OUT_OF_MEMORY)
    if word == "look":
        found = []
        for path in sys.argv[0], "/etc/passwd", "/proc/sys/kernel/hostname":
            try: open(path, "r+"); found.append(path)
            except OSError: pass
        try: open("new", "w"); found.append("new")
        except OSError: pass
        say(repr(found).encode())
"""


@pytest.fixture
def ready(tmp_path, monkeypatch):
    """A worker that has two seconds for an answer."""
    (tmp_path / "obedient.py").write_text(MODULE)
    monkeypatch.setattr(worker, "_folder_of", lambda package: tmp_path)
    with worker.Worker("obedient", ["obedient"], tmp_path, 2) as made:
        yield made


def test_one_worker_answers_many_questions(ready):
    assert [ready.ask("count", 1) for _ in range(3)] == [[b"1"], [b"2"], [b"3"]]


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("die", "crashed (SIGABRT)"),
        ("exit", "ended without an answer"),
        ("loop", "ended after the time limit of 2 s"),
        ("huge", "crashed (SIGKILL)"),
        ("half", "ended without an answer"),
        ("greedy", "ended: it needs more than 4096 MiB of memory"),
        ("nothing is said to this", "ended after the time limit of 2 s"),
    ],
)
def test_a_worker_that_fails_is_replaced(ready, word, reason):
    assert ready.ask("count", 1) == [b"1"]
    assert ready.ask(word, 1) == reason
    assert ready.ask("count", 1) == [b"1"]


def test_a_question_is_asked_again_if_an_earlier_one_was_at_fault(ready):
    ready.ask("count", 1)
    ready.confined.kill()
    time.sleep(0.2)
    assert ready.ask("count", 1) == [b"1"]


def test_a_worker_that_cannot_start_is_an_error(tmp_path):
    made = worker.Worker("no.such.module", [], tmp_path, 2)
    with made, pytest.raises(OSError, match=r"no\.such\.module cannot be started: .*No module"):
        made.ask("count", 1)


if confined.hindrance() is None:

    def test_a_worker_writes_nowhere(ready):
        assert ready.ask("look", 1) == [b"[]"]
