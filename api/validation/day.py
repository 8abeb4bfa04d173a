"""A whole day of one simulated patient with a constant torticollis who is left alone.

D lies 40° to the right of N, M 15°. N is held once, with help; from then on the person can only
take up M, every ten minutes. What is measured is how the error of rotation and its sigma develop by
the hour, and whether the torticollis is still there at the end.
"""

import resource
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from api.validation.simulated import SENSORS, calibration_end_s
from processing import angles, grid, quaternion, session, synthesis
from processing.pipeline import PipelineParams
from processing.session import Mode
from processing.synthesis import PatientSpec, SimulatedChunk, SimulatedRecording, SimulatorState
from processing.types import FloatArray, IntArray, Span
from storage.spool import GridSpool

DAY = PatientSpec(
    posture_offset_deg=(6.0, 12.0, 40.0),
    dystonic_deg=(6.0, 12.0, 40.0),
    midline_deg=(2.0, 4.0, 15.0),
    reset_pose="midline_pose",
    learn_poses=3,
)
PIECE_S = 600.0
"""Simulated, written to disk and forgotten at a time."""


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour of the day; angles and errors of rotation in degrees."""

    sensor: str
    mode: Mode
    hour: int
    rmse: float
    flexion_rmse: float
    lateral_rmse: float
    within_1_sigma: float
    within_2_sigma: float
    mean_sigma: float
    median_shown: float
    median_true: float
    memory_mb: float
    """Largest memory of the process so far."""


def validate_day(hours: float, *, patient: int = 0) -> list[dict[str, Any]]:
    """Return the hours of a day, every sensor and mode."""
    modes: tuple[Mode, ...] = ("online", "offline")
    found: list[Hour] = []
    for sensor, kind in SENSORS.items():
        spec = replace(DAY, head_sensor=kind, trunk_sensor=kind)
        with GridSpool() as spool:
            spans, truth = _live_through(spec, patient, hours, spool)
            pair = spool.pair()
            params = PipelineParams()
            settled = session.plan(params, pair, spans)
            begin = calibration_end_s(spans)
            for mode in modes:
                rows: list[FloatArray] = []
                for out in session.run(params, settled, pair, mode=mode):
                    a = out.angles
                    whole = _whole_seconds(a.k0, a.flexion_deg.shape[0], pair.rate_hz)
                    shown = (a.flexion_deg, a.lateral_right_deg, a.rotation_right_deg)
                    rows.append(np.column_stack([*shown, a.heading_sigma_deg])[whole])
                every_s = np.concatenate(rows)[: truth.shape[0]]
                found.extend(_hours(sensor, mode, every_s, truth[: every_s.shape[0]], begin))
    return [asdict(hour) for hour in found]


def _live_through(
    spec: PatientSpec, patient: int, hours: float, spool: GridSpool
) -> tuple[tuple[Span, ...], FloatArray]:
    """Write a day to a spool; return its poses and movements, and true angles (s, 3) by second."""
    state = synthesis.start(spec, patient)
    params = PipelineParams().grid
    grid_state = grid.start(params, has_trunk=True)
    spans: list[Span] = []
    truth: list[FloatArray] = []
    n_inverse: FloatArray | None = None
    seconds = 0
    for _ in range(max(1, round(hours * 3600.0 / PIECE_S))):
        state, chunk = synthesis.step(state, PIECE_S, truth=True)
        spans.extend(chunk.spans)
        piece = _recording(state, chunk)
        if n_inverse is None:
            n_inverse = quaternion.conjugate(piece.neutral_q())
        head, trunk = piece.blocks()
        grid_state, pair = grid.step(params, grid_state, head, trunk)
        spool.append(pair)
        end = (chunk.first_index + chunk.head_counts.shape[0]) / spec.rate_hz
        at = np.arange(seconds, int(end)) * spec.rate_hz - chunk.first_index
        near = np.clip(np.round(at).astype(np.int64), 0, chunk.truth.shape[0] - 1)
        shown = quaternion.multiply(piece.q_rel[near], n_inverse)
        truth.append(np.column_stack(angles.decompose(shown)))
        seconds = int(end)
    _, pair = grid.step(params, grid_state, None, None, final=True)
    spool.append(pair)
    return tuple(spans), np.concatenate(truth)


def _recording(state: SimulatorState, chunk: SimulatedChunk) -> SimulatedRecording:
    n = chunk.head_counts.shape[0]
    return SimulatedRecording(
        spec=state.spec,
        rate_hz=state.spec.rate_hz,
        t_ns=synthesis.sample_times_ns(chunk.first_index, n, state.spec.rate_hz),
        head_counts=chunk.head_counts,
        trunk_counts=chunk.trunk_counts,
        head=state.head,
        trunk=state.trunk,
        spans=chunk.spans,
        labels=chunk.labels,
        truth=chunk.truth,
    )


def _whole_seconds(k0: int, n: int, rate_hz: float) -> IntArray:
    """Return the rows of a block that fall on whole seconds."""
    return np.flatnonzero((k0 + np.arange(n)) % round(rate_hz) == 0)


def _hours(
    sensor: str, mode: Mode, shown: FloatArray, truth: FloatArray, begin_s: float
) -> list[Hour]:
    found: list[Hour] = []
    for hour in range(-(-shown.shape[0] // 3600)):
        rows = slice(max(3600 * hour, int(begin_s) + 1), 3600 * (hour + 1))
        error = shown[rows, :3] - truth[rows]
        if error.shape[0] == 0:
            continue
        off, sigma = np.abs(error[:, 2]), shown[rows, 3]
        rmse = np.sqrt(np.mean(np.square(error), axis=0))
        found.append(
            Hour(
                sensor=sensor,
                mode=mode,
                hour=hour + 1,
                rmse=float(rmse[2]),
                flexion_rmse=float(rmse[0]),
                lateral_rmse=float(rmse[1]),
                within_1_sigma=float(np.mean(off <= sigma)),
                within_2_sigma=float(np.mean(off <= 2.0 * sigma)),
                mean_sigma=float(np.mean(sigma)),
                median_shown=float(np.median(shown[rows, 2])),
                median_true=float(np.median(truth[rows, 2])),
                memory_mb=_peak_memory_mb(),
            )
        )
    return found


def _peak_memory_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


def print_hours(found: list[dict[str, Any]], echo: Callable[[str], None]) -> None:
    """Print the hours as a table."""
    echo("\na day with a torticollis of 40°, N held once, then resets at M; degrees")
    echo(
        f"{'sensor':6} {'mode':8} {'hour':>4} {'rotation':>9} {'sigma':>6} {'1 sigma':>8} "
        f"{'2 sigma':>8} {'median shown (true)':>20} {'peak MB':>8}"
    )
    for h in found:
        median = f"{h['median_shown']:.1f} ({h['median_true']:.1f})"
        echo(
            f"{h['sensor']:6} {h['mode']:8} {h['hour']:4d} {h['rmse']:9.2f} {h['mean_sigma']:6.2f} "
            f"{h['within_1_sigma']:8.0%} {h['within_2_sigma']:8.0%} {median:>20} "
            f"{h['memory_mb']:8.0f}"
        )
