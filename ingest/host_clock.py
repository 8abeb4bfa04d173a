"""The computer's clock that never steps, and what turns it into UTC."""

import time

from ingest.drivers.inbox import MonotonicNs


def host_clock_ns() -> int:
    """Return a monotonic time that goes on while the computer sleeps, where the system has one."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return time.monotonic_ns()


def steady_offset_ns(monotonic_ns: MonotonicNs = host_clock_ns) -> int:
    """Return what turns the monotonic clock into UTC from now on, in whole microseconds.

    Taken once per start, so that a later step of the computer's wall clock cannot touch the time
    axis of a running recording.
    """
    return (time.time_ns() - monotonic_ns()) // 1000 * 1000
