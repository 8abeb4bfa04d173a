"""The whole chain, raw counts of two sensors to minutes, against vqf's two orientations alone."""

import time
from collections.abc import Callable

import numpy as np
from vqf import VQF

from processing import grid, pipeline, session
from processing.pipeline import PipelineParams, PipelineState
from processing.session import Plan
from processing.synthesis import PatientSpec, SimulatedRecording, simulate
from processing.types import ImuBlock, PairBlock
from tests.benchmarks.rounds import interleaved

DURATION_S = 900.0
LIVE_BLOCK_S = 0.1
LIVE_PATIENTS = 2000


def _settle(recording: SimulatedRecording, params: PipelineParams) -> tuple[Plan, PairBlock]:
    head, trunk = recording.blocks()
    state = grid.start(params.grid, has_trunk=True)
    _, pair = grid.step(params.grid, state, head, trunk, final=True)
    return session.plan(params, pair, recording.spans), pair


def measure(echo: Callable[[str], None], rounds: int = 7) -> None:
    """Print samples a second of the chain, and the ratio to vqf on the same recordings."""
    recording = simulate(PatientSpec(), 1, DURATION_S)
    params = PipelineParams()
    settled, _ = _settle(recording, params)
    head, trunk = recording.blocks()
    period_s = 1.0 / recording.rate_hz

    def vqf_two() -> object:
        return [VQF(period_s).updateBatch(block.gyr, block.acc) for block in (head, trunk)]

    def chain() -> object:
        blocks = recording.blocks()  # counts to SI units are part of the chain
        state = pipeline.start(params, settled.setup)
        return pipeline.step(
            params, state, settled.setup, *blocks, resets=settled.resets, final=True
        )

    times = interleaved({"vqf": vqf_two, "chain": chain}, rounds)
    samples = 2 * recording.t_ns.shape[0]
    echo(f"whole chain, raw counts to minutes, {DURATION_S:.0f} s of two sensors at 104 Hz")
    echo(
        f"  ours {samples / times['chain'] * 1e-6:5.2f} M samples/s   "
        f"vqf, two orientations only {samples / times['vqf'] * 1e-6:5.2f} M   "
        f"ratio {times['vqf'] / times['chain']:.2f}"
    )
    _measure_live(echo, params, settled, head, trunk)


def _slices(block: ImuBlock, samples: int) -> list[ImuBlock]:
    return [
        ImuBlock(
            block.t_ns[i : i + samples],
            block.acc[i : i + samples],
            block.gyr[i : i + samples],
            block.valid[i : i + samples],
            block.rate_hz,
        )
        for i in range(0, block.t_ns.shape[0] - samples, samples)
    ]


def _measure_live(
    echo: Callable[[str], None],
    params: PipelineParams,
    settled: Plan,
    head: ImuBlock,
    trunk: ImuBlock,
) -> None:
    """Feed one patient in blocks of 0.1 s and take the time of every step."""
    samples = round(LIVE_BLOCK_S * head.rate_hz)
    state: PipelineState = pipeline.start(params, settled.setup)
    seconds = []
    for pair in zip(_slices(head, samples), _slices(trunk, samples), strict=True):
        begin = time.perf_counter()
        state, _ = pipeline.step(params, state, settled.setup, *pair, resets=settled.resets)
        seconds.append(time.perf_counter() - begin)
    steps = np.array(seconds[100:]) * 1e3
    share = samples / head.rate_hz * 1e3 / steps.mean()
    echo(
        f"  live step of {LIVE_BLOCK_S} s: median {np.median(steps):.3f} ms, "
        f"99 % {np.percentile(steps, 99):.3f} ms; one core carries {share:.0f} patients"
    )
