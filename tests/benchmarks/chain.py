"""The whole chain, raw counts of two sensors to minutes, against vqf's two orientations alone."""

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from vqf import VQF

from processing import angles, episodes, gates, grid, orientation, pipeline, session, summary, wear
from processing.pipeline import PipelineParams, PipelineState
from processing.session import CHUNK_ROWS, Plan
from processing.synthesis import PatientSpec, SimulatedRecording, simulate
from processing.types import ImuBlock
from tests.benchmarks.rounds import interleaved

DURATION_S = 900.0
LIVE_BLOCKS_S = (0.1, 1.0)


def _settle(recording: SimulatedRecording, params: PipelineParams) -> Plan:
    head, trunk = recording.blocks()
    state = grid.start(params.grid, has_trunk=True)
    _, pair = grid.step(params.grid, state, head, trunk, final=True)
    return session.plan(params, pair, recording.spans)


def measure(echo: Callable[[str], None], rounds: int = 9) -> None:
    """Print the chain's ratio to vqf, its stages, and single live steps."""
    recording = simulate(PatientSpec(), 1, DURATION_S)
    params = PipelineParams()
    settled = _settle(recording, params)
    _measure_whole(echo, recording, params, settled, rounds)
    _measure_stages(echo, recording, params, settled, rounds)
    for block_s in LIVE_BLOCKS_S:
        _measure_live(echo, recording, params, settled, block_s)


def _measure_whole(
    echo: Callable[[str], None],
    recording: SimulatedRecording,
    params: PipelineParams,
    settled: Plan,
    rounds: int,
) -> None:
    head, trunk = recording.blocks()
    n = recording.t_ns.shape[0]

    def vqf_two() -> None:
        for block in (head, trunk):
            VQF(1.0 / recording.rate_hz).updateBatch(block.gyr, block.acc)

    def chain() -> None:
        state = pipeline.start(params, settled.setup)
        for begin in range(0, n, CHUNK_ROWS):
            rows = slice(begin, begin + CHUNK_ROWS)
            part = replace(
                recording,
                t_ns=recording.t_ns[rows],
                head_counts=recording.head_counts[rows],
                trunk_counts=recording.trunk_counts[rows],
            )
            state, _ = pipeline.step(
                params,
                state,
                settled.setup,
                *part.blocks(),
                resets=settled.resets,
                final=begin + CHUNK_ROWS >= n,
            )

    times = interleaved({"vqf": vqf_two, "chain": chain}, rounds)
    echo(f"whole chain, raw counts to minutes, {DURATION_S:.0f} s of two sensors at 104 Hz")
    echo(
        f"  ours {2 * n / times['chain'] * 1e-6:5.2f} M samples/s   "
        f"vqf, two orientations only {2 * n / times['vqf'] * 1e-6:5.2f} M   "
        f"ratio {times['vqf'] / times['chain']:.2f}, target at least 1"
    )


def _measure_stages(
    echo: Callable[[str], None],
    recording: SimulatedRecording,
    params: PipelineParams,
    settled: Plan,
    rounds: int,
) -> None:
    """Time each stage on what the stages before it give."""
    alignment = settled.setup.alignment
    head, trunk = recording.blocks()
    _, pair = grid.step(params.grid, grid.start(params.grid), head, trunk, final=True)
    fresh = orientation.start(params.orientation, pair.rate_hz)
    _, oriented = orientation.step(params.orientation, fresh, pair, settled.resets)
    _, worn = wear.step(params.wear, wear.start(params.wear), pair)
    valid = pair.head_valid & pair.trunk_valid & worn.head_worn & worn.trunk_worn
    neck = angles.cervical_angles(oriented, alignment, valid)
    rate_dps = episodes.relative_rate_dps(pair, neck.q_rel, alignment)
    _, gate = gates.step(params.gates, gates.start(params.gates), pair, final=True)

    def find() -> episodes.EpisodesOut:
        _, found = episodes.step(
            params.episodes,
            episodes.start(params.episodes),
            neck,
            rate_dps,
            gate,
            t0_ns=pair.t0_ns,
            direction=settled.setup.direction,
            final=True,
        )
        return found

    found = find()
    stages: dict[str, Callable[[], object]] = {
        "counts to SI": recording.blocks,
        "common grid": lambda: grid.step(
            params.grid, grid.start(params.grid), head, trunk, final=True
        ),
        "orientation of the pair": lambda: orientation.step(
            params.orientation, fresh, pair, settled.resets
        ),
        "wear": lambda: wear.step(params.wear, wear.start(params.wear), pair),
        "angles": lambda: angles.cervical_angles(oriented, alignment, valid),
        "relative rate": lambda: episodes.relative_rate_dps(pair, neck.q_rel, alignment),
        "gates": lambda: gates.step(params.gates, gates.start(params.gates), pair, final=True),
        "episodes": find,
        "minutes": lambda: summary.step(
            params.summary,
            summary.start(params.summary),
            pair,
            neck,
            rate_dps,
            gate,
            found,
            final=True,
        ),
        "vqf, both orientations": lambda: [
            VQF(1.0 / recording.rate_hz).updateBatch(block.gyr, block.acc)
            for block in (head, trunk)
        ],
    }
    times = interleaved(stages, rounds)
    rows = pair.head_valid.shape[0]
    echo("  nanoseconds a row of the 100 Hz grid, both sensors, stage by stage")
    for name, seconds in times.items():
        echo(f"    {name:26} {seconds / rows * 1e9:6.1f}")
    ours = sum(seconds for name, seconds in times.items() if not name.startswith("vqf"))
    echo(f"    {'sum of ours':26} {ours / rows * 1e9:6.1f}")


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
    recording: SimulatedRecording,
    params: PipelineParams,
    settled: Plan,
    block_s: float,
) -> None:
    """Feed one patient block by block and take the time of every step."""
    head, trunk = recording.blocks()
    samples = round(block_s * recording.rate_hz)
    state: PipelineState = pipeline.start(params, settled.setup)
    seconds = []
    cpu = time.thread_time()
    for pair in zip(_slices(head, samples), _slices(trunk, samples), strict=True):
        begin = time.perf_counter()
        state, _ = pipeline.step(params, state, settled.setup, *pair, resets=settled.resets)
        seconds.append(time.perf_counter() - begin)
    cpu = time.thread_time() - cpu
    steps = np.array(seconds[100:]) * 1e3
    median, high, worst = np.percentile(steps, [50, 99, 100])
    echo(
        f"  live step of {block_s:g} s: median {median:.3f} ms, 99 % {high:.3f} ms, "
        f"worst {worst:.3f} ms elapsed; {cpu / len(seconds) * 1e3:.3f} ms of processor time"
        f"{', target of 99 % below 1 ms' if block_s <= LIVE_BLOCKS_S[0] else ''}"
    )
