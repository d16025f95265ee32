"""Memory, time and threads of a job, for schedulers that want to know."""

from collections.abc import Callable

MOST_THREADS = 64  # of a job that runs a network


def memory(mb: int, times_input: float = 0, at_most: float | None = None) -> Callable:
    """A resource function: a job's memory in MB.

    Args:
        mb: what every job takes.
        times_input: multiple of the size of its input files that it takes besides.
        at_most: the most that it takes besides (MB); None for no limit.

    Returns:
        A function for Snakemake's `mem_mb`, which gives as much again at each new attempt.
    """

    def amount(wildcards, input, attempt):
        besides = int(times_input * input.size_mb)
        return attempt * (mb + (besides if at_most is None else min(besides, at_most)))

    return amount


def network_threads(cores: int | None, both: bool) -> int:
    """Threads of a job that runs a network.

    Two cores do more as one thread of each of two networks than as two threads of one. So where
    both papers' networks are wanted, two are at work at once.

    Args:
        cores: that the run has; None if a cluster's nodes decide.
        both: whether both papers' networks are wanted, and this machine runs the jobs.
    """
    most = min(cores or MOST_THREADS, MOST_THREADS)
    return max(1, most // 2) if both else most


def minutes(count: int) -> Callable:
    """A resource function: a job's time in minutes, as many again at each new attempt."""
    return lambda wildcards, attempt: attempt * count
