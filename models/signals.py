"""Ctrl-C and SIGTERM: a run ends after the step that it is in."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_signals() -> Iterator[threading.Event]:
    """Yield an event that the first Ctrl-C or SIGTERM sets; a second one acts as usual."""
    stopping = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopping
        return
    usual = {number: signal.getsignal(number) for number in SIGNALS}

    def restore() -> None:
        for number, handler in usual.items():
            signal.signal(number, handler)

    def stop(number, frame) -> None:
        stopping.set()
        restore()

    for number in usual:
        signal.signal(number, stop)
    try:
        yield stopping
    finally:
        restore()


def ignore_signals(worker: int) -> None:
    """Have a data loader's worker ignore what ends a run: Ctrl-C goes to all processes at once."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
