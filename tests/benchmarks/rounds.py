"""Paired timing: candidates take turns, so that a busy machine slows all of them alike.

Processor time of this thread, not elapsed time: others' turns on a shared core do not count.
"""

import statistics
import time
from collections.abc import Callable, Mapping


def interleaved(candidates: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median seconds of each candidate over interleaved rounds, one warm-up apart."""
    for run in candidates.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, run in candidates.items():
            begin = time.thread_time()
            run()
            seconds[name].append(time.thread_time() - begin)
    return {name: statistics.median(values) for name, values in seconds.items()}
