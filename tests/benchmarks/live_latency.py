"""Live path: from a sensor's sample to the frame that a page receives, two sensors in real time.

Usage: python -m tests.benchmarks.live_latency [SECONDS]
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from tests.support.collecting import collecting

WARM_UP_S = 10.0
"""Compilation and the first seconds of the clock fit are not the path that is measured."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds over all frames of a run."""

    frames: int
    newest_p50_ms: float
    """Newest sample behind the angles to publication."""
    newest_p99_ms: float
    oldest_p50_ms: float
    """A sample to the first frame that shows it or a later one: what a page waits at worst."""
    oldest_p99_ms: float
    rate_hz: float


async def latency(seconds: float) -> Latency:
    """Run a collector in real time and time what its hub publishes.

    Publication is what the reader of the event stream sees, less the network. Sample times are the
    clock fit's, good to some milliseconds.
    """
    newest: list[float] = []
    shown: list[tuple[int, int]] = []
    with tempfile.TemporaryDirectory() as folder:
        async with collecting(Path(folder)) as rig:
            await rig.frame_where(lambda f: f.deviation_deg is not None)
            await asyncio.sleep(WARM_UP_S)
            with rig.hub.subscribe() as subscription:
                until = asyncio.get_running_loop().time() + seconds
                while asyncio.get_running_loop().time() < until:
                    frame = await subscription.next(1.0)
                    if frame is None or frame.sample_utc_ns is None:
                        continue
                    now = rig.collector.now_utc_ns()
                    if not shown or frame.sample_utc_ns > shown[-1][0]:
                        shown.append((frame.sample_utc_ns, now))
                        newest.append((now - frame.sample_utc_ns) * 1e-6)
    oldest = [(now - before) * 1e-6 for (before, _), (_, now) in pairwise(shown)]
    return Latency(
        frames=len(newest),
        newest_p50_ms=round(float(np.percentile(newest, 50)), 1),
        newest_p99_ms=round(float(np.percentile(newest, 99)), 1),
        oldest_p50_ms=round(float(np.percentile(oldest, 50)), 1),
        oldest_p99_ms=round(float(np.percentile(oldest, 99)), 1),
        rate_hz=round((len(shown) - 1) / ((shown[-1][1] - shown[0][1]) * 1e-9), 2),
    )


def measure(echo: Callable[[str], None], seconds: float = 30.0) -> None:
    """Print the latency of so many seconds in real time."""
    found = asyncio.run(latency(seconds))
    echo(f"sample to published frame, {found.frames} frames at {found.rate_hz:g} Hz")
    echo(f"  newest sample shown  {found.newest_p50_ms:6.1f} ms, 99 % {found.newest_p99_ms:.1f} ms")
    echo(f"  oldest sample unseen {found.oldest_p50_ms:6.1f} ms, 99 % {found.oldest_p99_ms:.1f} ms")


if __name__ == "__main__":
    found = asyncio.run(latency(float(sys.argv[1]) if len(sys.argv) > 1 else 30.0))
    print(json.dumps({name: getattr(found, name) for name in Latency.__slots__}))
