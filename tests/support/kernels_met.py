"""`python -m tests.support.kernels_met`: what a live day compiles that the warm-up did not.

A process of its own, because every other test of a process compiles as well.
"""

from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from api.kernel_cache import use_kernel_cache

use_kernel_cache()

from ingest.assemble import layout_of  # noqa: E402  the cache comes first
from ingest.poses import PoseReset  # noqa: E402  as above
from ingest.processor import Processor  # noqa: E402  as above
from ingest.timeline import Piece, Run, Timeline  # noqa: E402  as above
from ingest.warm_up import compile_chain  # noqa: E402  as above
from processing import _jit, clock, grid, session, synthesis  # noqa: E402  as above
from processing.alignment import check_step  # noqa: E402  as above
from processing.pipeline import PipelineParams  # noqa: E402  as above
from storage.record import Channel  # noqa: E402  as above
from tests.support.collecting import plain_setup  # noqa: E402  as above

LENGTH_S = 240.0
CALIBRATED_S, RESET_S, AWAY_S = 100, 120, (160, 190)
PARAMS = PipelineParams()


def ready() -> set[tuple[str, Any]]:
    """Return every kernel with each signature that is compiled or loaded."""
    return {
        (f"{each.py_func.__module__}.{each.py_func.__name__}", signature)
        for each in _jit._KERNELS
        for signature in each.signatures
    }


def live_day() -> None:
    """Calibrate, take a pose up, lose a sensor for half a minute, find it again."""
    recording = synthesis.simulate(synthesis.PatientSpec(), 5, LENGTH_S, truth=False)
    head, trunk = recording.blocks()
    _, pair = grid.step(PARAMS.grid, grid.start(PARAMS.grid), head, trunk, final=True)
    check_step(pair, recording.spans[0], enough=1)
    plan = session.plan(PARAMS, pair, recording.spans)
    processor = Processor(PARAMS, plain_setup(), patient="p1", zone=ZoneInfo("UTC"))
    rows = round(head.rate_hz)
    for second in range(int(LENGTH_S)):
        start, end = second * rows, (second + 1) * rows
        now_ns = int(head.t_ns[start])
        if second == CALIBRATED_S:
            processor.restart(plan.setup, since_ns=now_ns)
        if second == RESET_S:
            q_th_ref = np.array([1.0, 0.0, 0.0, 0.0])
            pose = PoseReset(
                now_ns + 3 * 10**9, now_ns + 9 * 10**9, q_th_ref, sigma_deg=3.0, own_value=True
            )
            assert processor.add_reset(pose)
        processor.add("head", [Piece(head.rows(start, end), new_axis=False)])
        if not AWAY_S[0] <= second < AWAY_S[1]:
            processor.add("trunk", [Piece(trunk.rows(start, end), new_axis=False)])
        processor.step(int(head.t_ns[end - 1]) + 10**8)
    processor.step(None, final=True)


def packets() -> None:
    """Place raw packets in time as they come and ask how well that went."""
    channels = [Channel(f"{kind}_{axis}", "1") for kind in ("acc", "gyr") for axis in "xyz"]
    layout = layout_of(channels, "int16", 104.0)
    assert layout is not None
    timeline = Timeline(layout)
    for k in range(20):
        at_us = k * 96_154
        timeline.observe(1, clock.RoundTrip(at_us * 1000, at_us, at_us, at_us * 1000 + 20_000_000))
        run = Run(10 * k, at_us, at_us * 1000, np.zeros((10, 6), dtype=np.int16), live=True)
        timeline.place(1, [run])
    assert timeline.report is not None


if __name__ == "__main__":
    compile_chain(PARAMS, plain_setup())
    before = ready()
    live_day()
    packets()
    for name, signature in sorted(ready() - before, key=str):
        print(name, signature)
