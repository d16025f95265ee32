"""What the training and evaluation of all networks share."""

import ctypes
import signal
import threading
from contextlib import contextmanager, suppress

import numpy as np


def keep_memory() -> None:
    """Have the C library keep freed memory, where it can be told to (glibc).

    It would else hand every large array back to the system after each step and take a quarter of
    the time to have it back, page by page.
    """
    mmap_max, trim_threshold = -4, -1  # names of mallopt(3)
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(mmap_max, 0)
        mallopt(trim_threshold, 2**31 - 1)


def evenly(count: int, at_most: int | None) -> np.ndarray:
    """Indices of `at_most` of `count` things, evenly spread; all where there are fewer."""
    if at_most is None or count <= at_most:
        return np.arange(count)
    return np.arange(at_most) * count // at_most


@contextmanager
def stop_signals():
    """Yield an event that the first Ctrl-C or SIGTERM sets; a second one acts as usual."""
    stopping = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopping
        return
    usual = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

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
