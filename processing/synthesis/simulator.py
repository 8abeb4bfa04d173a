"""The one simulator: a person wears two sensors; counts, truth and labels come out.

`start` and `step` make motion that continues over chunks: the same seed gives the same samples
whatever the chunks. `simulate` is one recording at once.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from processing import quaternion
from processing.errors import InputError
from processing.frames import STANDARD_GRAVITY_MS2
from processing.synthesis import motion, person, protocol, schedule
from processing.synthesis.recording import (
    Int16Array,
    SensorTruth,
    SimulatedChunk,
    SimulatedRecording,
    sample_times_ns,
)
from processing.synthesis.schedule import Label, Layer, Occurrence, Plan, Row
from processing.synthesis.spec import PatientSpec
from processing.types import FloatArray, Span

POSES: Final = ("neutral_pose", "midline_pose", "dystonic_pose")
MOVEMENTS: Final = ("nod", "shake", "trunk_bow")
_PIECE: Final = 65536
"""Samples made at a time: bounds memory."""


@dataclass(slots=True)
class _Running:
    """One layer with its own random stream."""

    draw: Layer
    rng: np.random.Generator
    next_s: float


@dataclass(slots=True)
class SimulatorState:
    """Everything that goes on from one chunk to the next; `step` advances it in place."""

    spec: PatientSpec
    plan: Plan
    head: SensorTruth
    trunk: SensorTruth
    index: int
    """Samples made so far."""
    elapsed_s: float
    base: FloatArray
    rows: list[Row]
    labels: list[Label]
    layers: list[_Running]
    knots: FloatArray
    knot_first: int
    knot_rng: np.random.Generator
    noise_rng: np.random.Generator
    breathing: FloatArray
    walk: FloatArray
    walk_phase: FloatArray
    walk_hz: float


def start(spec: PatientSpec, seed: int) -> SimulatorState:
    """Return a person who has just switched the sensors on.

    Parameters
    ----------
    spec : PatientSpec
        The person, the protocol, the sensors.
    seed : int
        Same seed, same person, same motion, same noise.
    """
    if not spec.rate_hz > 0.0:
        raise InputError(f"rate_hz is {spec.rate_hz}; give the sample rate in hertz")
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(16)]
    constants, head_rng, trunk_rng, knot_rng, noise_rng, protocol_rng, reset_rng, *layer_rngs = (
        streams
    )
    if spec.calibration:
        first = protocol.calibration(spec, protocol_rng)
    else:
        first = schedule.no_row_before(0.0)
    plan = person.plan(spec, first.next_s, constants)
    head = person.sensor_truth(spec, spec.head_sensor, spec.head_mounting, head_rng)
    trunk = person.sensor_truth(spec, spec.trunk_sensor, spec.trunk_mounting, trunk_rng)
    running = [
        _Running(layer, rng, plan.calibration_end_s + 1.0)
        for layer, rng in zip(schedule.LAYERS, layer_rngs, strict=False)
        if schedule.present(layer, spec)
    ]
    if spec.reset_every_s > 0.0:
        running.append(_Running(protocol.resets, reset_rng, plan.calibration_end_s))
    base = np.zeros(motion.N_CHANNELS)
    base[:3] = spec.rest_fraction * np.array(spec.posture_offset_deg)
    base[motion.HOLD] = 1.0 if spec.calibration else 0.0
    amplitude, phase = person.walk(constants)
    return SimulatorState(
        spec=spec,
        plan=plan,
        head=head,
        trunk=trunk,
        index=0,
        elapsed_s=0.0,
        base=base,
        rows=list(first.rows),
        labels=list(first.labels),
        layers=running,
        knots=np.empty((0, motion.N_KNOT_CHANNELS)),
        knot_first=0,
        knot_rng=knot_rng,
        noise_rng=noise_rng,
        breathing=np.array(
            [spec.breathing_deg, constants.uniform(0.2, 0.3), constants.uniform(0.0, 2 * np.pi)]
        ),
        walk=amplitude,
        walk_phase=phase,
        walk_hz=float(constants.uniform(0.8, 1.1)),
    )


def step(
    state: SimulatorState, duration_s: float, *, truth: bool = False
) -> tuple[SimulatorState, SimulatedChunk]:
    """Return the state and the samples of the next `duration_s` seconds.

    The state is advanced in place and returned; samples do not depend on the durations asked for.
    """
    if not duration_s >= 0.0:
        raise InputError(f"duration_s is {duration_s}; it must not be negative")
    spec = state.spec
    first = state.index
    state.elapsed_s += duration_s
    n = max(0, round(state.elapsed_s * spec.rate_hz) - first)
    head = np.empty((n, 6), dtype=np.int16)
    trunk = np.empty((n, 6), dtype=np.int16)
    kept = np.empty((n if truth else 0, 14))
    for begin in range(0, n, _PIECE):
        end = min(n, begin + _PIECE)
        _piece(state, head[begin:end], trunk[begin:end], kept[begin:end])
    until_s = state.index / spec.rate_hz
    now = sorted(
        (x for x in state.labels if x.start_s < until_s),
        key=lambda x: (x.start_s, x.kind, x.end_s),
    )
    state.labels = [x for x in state.labels if x.start_s >= until_s]
    chunk = SimulatedChunk(
        first_index=first,
        head_counts=head,
        trunk_counts=trunk,
        spans=tuple(
            Span(x.kind, round(x.start_s * 1e9), round(x.end_s * 1e9))
            for x in now
            if x.kind in POSES or x.kind in MOVEMENTS
        ),
        labels=tuple(x for x in now if x.kind not in POSES and x.kind not in MOVEMENTS),
        truth=kept,
    )
    return state, chunk


def ask(
    state: SimulatorState, kind: str, start_s: float, length_s: float, *, times: int = 0
) -> None:
    """Have the person do what they are asked for, from `start_s` on; advances `state` in place.

    They end what they were asked for before and sit up, stop what they were about to do, take the
    pose or begin the movement by `start_s` (at the earliest half a second after what has been
    made), and go on with their own afterwards.

    Parameters
    ----------
    kind : str
        `neutral_pose`, `midline_pose`, `dystonic_pose`, `nod`, `shake` or `trunk_bow`.
    start_s, length_s : float
        When and how long it is asked for, seconds since the start.
    times : int
        Repetitions of a movement; 0: as many as usual.
    """
    begin_s = max(state.elapsed_s, start_s - schedule.POSE_APPROACH_S)
    rng = np.random.default_rng([state.index, round(1e3 * start_s)])
    made = protocol.asked(
        state.spec, rng, kind, (begin_s, max(start_s, begin_s + 0.5), length_s), times=times
    )
    now_s = state.elapsed_s
    later_s = made.next_s - now_s
    kept = schedule.ended(state.rows, now_s, begin_s)
    state.rows = [schedule.postponed(row, now_s, later_s) for row in kept[:-1]]
    state.rows += [kept[-1], *made.rows]
    state.labels = [
        replace(x, start_s=x.start_s + later_s, end_s=x.end_s + later_s, peak_s=x.peak_s + later_s)
        if x.start_s >= now_s
        else x
        for x in state.labels
    ]
    for layer in state.layers:
        if layer.next_s >= now_s:
            layer.next_s += later_s


def simulate(
    spec: PatientSpec,
    seed: int,
    duration_s: float,
    *,
    truth: bool = True,
    progress: Callable[[float], None] | None = None,
) -> SimulatedRecording:
    """Return one recording from switch-on, with truth and labels.

    Parameters
    ----------
    spec : PatientSpec
        The person, the protocol, the sensors.
    seed : int
        Same seed, same recording.
    duration_s : float
        Length, calibration included.
    truth : bool
        Keep the true orientations (112 bytes a sample).
    progress : callable, optional
        Told the fraction done.
    """
    state = start(spec, seed)
    pieces: list[SimulatedChunk] = []
    made_s = 0.0
    while made_s < duration_s:
        length_s = min(_PIECE / spec.rate_hz, duration_s - made_s)
        state, chunk = step(state, length_s, truth=truth)
        pieces.append(chunk)
        made_s += length_s
        if progress is not None:
            progress(min(1.0, made_s / duration_s))
    if not pieces:
        pieces.append(step(state, 0.0)[1])
    n = state.index
    return SimulatedRecording(
        spec=spec,
        rate_hz=spec.rate_hz,
        t_ns=sample_times_ns(0, n, spec.rate_hz),
        head_counts=np.concatenate([piece.head_counts for piece in pieces]),
        trunk_counts=np.concatenate([piece.trunk_counts for piece in pieces]),
        head=state.head,
        trunk=state.trunk,
        spans=tuple(span for piece in pieces for span in piece.spans),
        labels=tuple(label for piece in pieces for label in piece.labels),
        truth=np.concatenate([piece.truth for piece in pieces]),
    )


def _piece(state: SimulatorState, head: Int16Array, trunk: Int16Array, truth: FloatArray) -> None:
    """Fill the next samples and advance the state."""
    spec = state.spec
    n = head.shape[0]
    until_s = (state.index + n) / spec.rate_hz
    for layer in state.layers:
        while layer.next_s < until_s:
            made: Occurrence = layer.draw(state.plan, layer.rng, layer.next_s)
            state.rows.extend(made.rows)
            state.labels.extend(made.labels)
            layer.next_s = made.next_s
    # the whole row is the key: order must not depend on when a row was drawn
    state.rows.sort(key=lambda row: (row[motion.START], row))
    active = [row for row in state.rows if row[motion.START] < until_s]
    events = np.array(active, dtype=np.float64).reshape(len(active), motion.ROW)
    done = np.zeros(len(active))
    _grow_knots(state, until_s)
    ideal = np.empty((n, 12))
    motion.move(
        state.index,
        n,
        spec.rate_hz,
        events,
        done,
        state.base,
        state.knots,
        state.knot_first,
        state.breathing,
        state.walk,
        state.walk_phase,
        state.walk_hz,
        STANDARD_GRAVITY_MS2,
        np.array(spec.head_arm_m),
        np.array(spec.trunk_arm_m),
        np.array(spec.hip_arm_m),
        quaternion.to_matrix(state.head.q_segment_sensor).T.copy(),
        quaternion.to_matrix(state.trunk.q_segment_sensor).T.copy(),
        ideal,
        truth,
    )
    finished = {row for row, flag in zip(active, done.tolist(), strict=True) if flag}
    state.rows = [row for row in state.rows if row not in finished]
    noise = state.noise_rng.standard_normal((n, 12))
    for sensor, at, out in ((state.head, 0, head), (state.trunk, 6, trunk)):
        counts = np.empty((n, 6))
        motion.measure(
            state.index,
            spec.rate_hz,
            ideal[:, at : at + 6],
            noise[:, at : at + 6],
            sensor.acc_offset_ms2,
            sensor.gyr_matrix,
            np.radians(sensor.gyr_bias_dps),
            np.radians(sensor.gyr_warmup_dps),
            sensor.warmup_tau_s,
            sensor.noise_sd,
            sensor.acc_per_count,
            sensor.gyr_per_count,
            counts,
        )
        out[:] = counts
    state.index += n


def _grow_knots(state: SimulatorState, until_s: float) -> None:
    """Extend the slow random channels so that every time before `until_s` has its four knots."""
    spec = state.spec
    sd = np.concatenate(
        (
            spec.drift_sd_deg,
            np.full(3, spec.sway_deg),
            np.full(3, spec.head_soft_tissue_deg),
            np.full(3, spec.trunk_soft_tissue_deg),
        )
    )
    tau = np.repeat((spec.drift_tau_s, spec.sway_tau_s, spec.soft_tissue_tau_s), (3, 3, 6))
    keep = np.exp(-motion.KNOT_S / tau)
    first_needed = int(state.index / spec.rate_hz / motion.KNOT_S)
    old = state.knots[max(0, first_needed - state.knot_first) :]
    state.knot_first = max(state.knot_first, first_needed)
    missing = int(until_s / motion.KNOT_S) + 5 - state.knot_first - old.shape[0]
    if missing > 0:
        drawn = state.knot_rng.standard_normal((missing, motion.N_KNOT_CHANNELS)) * sd
        fresh = np.empty_like(drawn)
        last = old[-1] if old.shape[0] else None
        for i in range(missing):
            last = drawn[i] if last is None else keep * last + np.sqrt(1.0 - keep**2) * drawn[i]
            fresh[i] = last
        old = np.concatenate((old, fresh))
    state.knots = np.ascontiguousarray(old)
