"""Memory of one live patient over a simulated day, and what its wear session costs by the hour."""

import time
from collections.abc import Callable
from dataclasses import replace

from processing import grid, pipeline, session
from processing.pipeline import PipelineParams
from processing.synthesis import PatientSpec, simulate
from processing.types import ImuBlock
from tests.benchmarks.load import resident_mb

HOURS = 24
SIMULATED_S = 600.0
BLOCK_S = 10.0
SHOWN_AFTER_H = (1, 6, 12, 18, 24)


def _later(block: ImuBlock, begin: int, end: int, by_ns: int) -> ImuBlock:
    rows = slice(begin, end)
    return replace(
        block,
        t_ns=block.t_ns[rows] + by_ns,
        acc=block.acc[rows],
        gyr=block.gyr[rows],
        valid=block.valid[rows],
    )


def measure(echo: Callable[[str], None]) -> None:
    """Feed ten simulated minutes over and over for a day and print the memory in use."""
    recording = simulate(PatientSpec(), 1, SIMULATED_S)
    params = PipelineParams()
    head, trunk = recording.blocks()
    _, pair = grid.step(params.grid, grid.start(params.grid), head, trunk, final=True)
    setup = session.plan(params, pair, recording.spans).setup
    state = pipeline.start(params, setup)
    n = round(SIMULATED_S * recording.rate_hz)
    size = round(BLOCK_S * recording.rate_hz)
    span_ns = round(n * 1e9 / recording.rate_hz)
    echo(f"one patient, {HOURS} h in blocks of {BLOCK_S:g} s (memory and cost must not grow)")
    begun = time.thread_time()
    fed_s = 0.0
    for lap in range(round(HOURS * 3600 / SIMULATED_S)):
        for at in range(0, n, size):
            blocks = (_later(b, at, min(n, at + size), lap * span_ns) for b in (head, trunk))
            state, _ = pipeline.step(params, state, setup, *blocks)
        fed_s += SIMULATED_S
        if fed_s / 3600.0 in SHOWN_AFTER_H:
            spent = time.thread_time() - begun
            echo(
                f"  after {fed_s / 3600.0:4.0f} h  {resident_mb():6.0f} MB resident, "
                f"{spent * 3600.0 / fed_s:.3f} s of processor time an hour"
            )


if __name__ == "__main__":
    measure(print)
