"""Angles on simulated patients, as `necktrace process` would write them, against their truth.

The patients are those of `processing.synthesis`: same seeds, same people, everywhere. VQF runs on
the same samples, with our alignment and the same resets, once as it comes and once set right for a
worn sensor: rest bias off, and the true bias during the neutral pose given at the start, which no
real wearer could give it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from processing import angles, grid, quaternion, session
from processing.pipeline import PipelineParams
from processing.session import Mode
from processing.synthesis import SENSOR_A, SENSOR_B, PatientSpec, SimulatedRecording, simulate
from processing.types import FloatArray, ImuBlock, PairBlock, PairOrientation, Span

DURATION_S = 1900.0
"""Guided calibration and thirty minutes."""
SENSORS = {"A": SENSOR_A, "B": SENSOR_B}
AXES = ("flexion", "lateral_right", "rotation_right")
LEVELS = tuple(round(0.1 * step, 1) for step in range(1, 31))
"""Multiples of sigma at which its honesty is judged."""
DRIFT_S = 600.0
"""Length of the stretches at the beginning and the end whose errors tell the drift."""
EVERY_S = 20.0
"""Distance of the points that a Bland-Altman plot shows."""


@dataclass(frozen=True, slots=True)
class AngleScore:
    """One method on one patient; errors are RMSE in degrees over valid rows after calibration."""

    sensor: str
    scenario: str
    patient: int
    method: str
    flexion: float
    lateral_right: float
    rotation_right: float
    drift: float | None = None
    """Mean error of rotation in the last `DRIFT_S` minus that in the first, degrees; None where
    the two would overlap."""
    within_1_sigma: float | None = None
    """Fraction of rows whose rotation error is within `heading_sigma_deg`."""
    within_2_sigma: float | None = None
    mean_sigma_deg: float | None = None
    covered: tuple[float, ...] | None = None
    """Fraction of rows whose rotation error is within each of `LEVELS` times sigma."""
    agreement: tuple[tuple[float, ...], ...] | None = None
    """A row every `EVERY_S`: the three true angles, then what was shown."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A way of living through half an hour."""

    name: str
    spec: PatientSpec


SCENARIOS = (
    Scenario("sitting, reset every 10 min", PatientSpec()),
    Scenario("sitting, no reset", PatientSpec(reset_every_s=0.0)),
    Scenario("with walking", PatientSpec(walk_every_s=300.0)),
)


def validate_simulated(patients: int) -> dict[str, Any]:
    """Return scores of every sensor, scenario, patient and method."""
    scores: list[AngleScore] = []
    modes: tuple[Mode, ...] = ("online", "offline")
    examples = [_example(SCENARIOS[0].spec, mode) for mode in modes]
    for sensor, kind in SENSORS.items():
        for scenario in SCENARIOS:
            spec = replace(scenario.spec, head_sensor=kind, trunk_sensor=kind)
            for patient in range(patients):
                found = score_patient(spec, sensor, scenario.name, patient)
                if scenario is not SCENARIOS[0]:
                    found = (replace(score, agreement=None) for score in found)
                scores.extend(found)
    return {
        "patients": patients,
        "scores": [asdict(score) for score in scores],
        "examples": examples,
        "pooled": [asdict(honesty) for honesty in pooled(scores)],
    }


@dataclass(frozen=True, slots=True)
class Honesty:
    """How often the true rotation lay within sigma, all recordings of a mode together."""

    mode: str
    sensor: str
    """`all` for every sensor."""
    recordings: int
    within_1_sigma: float
    within_2_sigma: float
    covered: tuple[float, ...]
    """At each of `LEVELS`."""


def pooled(scores: list[AngleScore]) -> list[Honesty]:
    """Return coverage over all scenarios and patients: one recording says little, many do.

    The error of one recording is mostly one slow draw, so its own coverage is anything from none to
    all of it; only the mean over recordings can be right or wrong.
    """
    found: list[Honesty] = []
    for mode in ("online", "offline"):
        for sensor in (*SENSORS, "all"):
            group = [
                score.covered
                for score in scores
                if score.covered is not None
                and score.method == f"necktrace {mode}"
                and sensor in (score.sensor, "all")
            ]
            if not group:
                continue
            mean = tuple(np.mean(group, axis=0).tolist())
            one, two = mean[LEVELS.index(1.0)], mean[LEVELS.index(2.0)]
            found.append(Honesty(mode, sensor, len(group), one, two, mean))
    return found


def _example(spec: PatientSpec, mode: Mode) -> dict[str, Any]:
    """Return the error of rotation of one patient over time, a point every two seconds."""
    recording = simulate(spec, 0, DURATION_S)
    params = PipelineParams()
    pair = on_grid(recording, params.grid)
    settled = session.plan(params, pair, recording.spans)
    shown, sigma = _ours(params, settled, pair, mode)
    t_s = (pair.k0 + np.arange(shown.shape[0])) / pair.rate_hz
    truth = np.interp(t_s, recording.t_ns * 1e-9, recording.angles()[2])
    every = slice(round(calibration_end_s(recording.spans) * pair.rate_hz), None, 200)
    return {
        "title": f"patient 0, sensor A, {mode}",
        "t_s": t_s[every].tolist(),
        "error_deg": (shown[:, 2] - truth)[every].tolist(),
        "sigma_deg": sigma[every].tolist(),
        "truth_deg": truth[every].tolist(),
    }


def score_patient(
    spec: PatientSpec, sensor: str, scenario: str, patient: int, duration_s: float = DURATION_S
) -> Iterator[AngleScore]:
    """Yield the scores of one patient, every method."""
    recording = simulate(spec, patient, duration_s)
    params = PipelineParams()
    pair = on_grid(recording, params.grid)
    settled = session.plan(params, pair, recording.spans)
    t_s = (pair.k0 + np.arange(pair.head_gyr.shape[0])) / pair.rate_hz
    truth = _true_angles(recording, pair)
    after = t_s > calibration_end_s(recording.spans)
    modes: tuple[Mode, ...] = ("online", "offline")
    for mode in modes:
        shown, sigma = _ours(params, settled, pair, mode)
        error = shown - truth
        rotation = np.abs(error[after, 2])
        yield _score(
            sensor,
            scenario,
            patient,
            f"necktrace {mode}",
            error[after],
            drift=_drift(error[after, 2], pair.rate_hz),
            within_1_sigma=float(np.mean(rotation <= sigma[after])),
            within_2_sigma=float(np.mean(rotation <= 2.0 * sigma[after])),
            mean_sigma_deg=float(np.mean(sigma[after])),
            covered=tuple(float(np.mean(rotation <= x * sigma[after])) for x in LEVELS),
            agreement=_agreement(truth[after], shown[after], pair.rate_hz),
        )
    for method, set_right in (("VQF", False), ("VQF set right", True)):
        oriented = _vqf(pair, recording, set_right=set_right)
        if oriented is not None:
            shown = _with_overwriting_resets(oriented, settled, pair)
            error = (shown - truth)[after]
            drift = _drift(error[:, 2], pair.rate_hz)
            yield _score(sensor, scenario, patient, method, error, drift=drift)


def _drift(rotation_error_deg: FloatArray, rate_hz: float) -> float | None:
    """Return how far the mean error of rotation went from the first to the last stretch."""
    n = round(DRIFT_S * rate_hz)
    if rotation_error_deg.shape[0] < 2 * n:
        return None
    ends = np.unwrap(np.radians(rotation_error_deg))
    return float(np.degrees(np.mean(ends[-n:]) - np.mean(ends[:n])))


def drift_rms(scores: Sequence[AngleScore]) -> float | None:
    """Return the root mean square of drift over patients, whose signs are chance."""
    drifts = [score.drift for score in scores if score.drift is not None]
    return float(np.sqrt(np.mean(np.square(drifts)))) if drifts else None


def errors_of_rows(
    params: PipelineParams,
    settled: session.Plan,
    pair: PairBlock,
    recording: SimulatedRecording,
    mode: Mode,
) -> tuple[FloatArray, FloatArray]:
    """Return the errors of the three angles (n, 3) and rotation's sigma (n,), degrees."""
    shown, sigma = _ours(params, settled, pair, mode)
    return shown - _true_angles(recording, pair), sigma


def _true_angles(recording: SimulatedRecording, pair: PairBlock) -> FloatArray:
    """Return the true angles at the rows of the grid, (n, 3)."""
    t_s = (pair.k0 + np.arange(pair.head_gyr.shape[0])) / pair.rate_hz
    return np.column_stack(
        [np.interp(t_s, recording.t_ns * 1e-9, angle) for angle in recording.angles()]
    )


def _agreement(
    truth: FloatArray, shown: FloatArray, rate_hz: float
) -> tuple[tuple[float, ...], ...]:
    every = slice(None, None, round(EVERY_S * rate_hz))
    rows = np.round(np.column_stack((truth[every], shown[every])), 3)
    return tuple(tuple(row) for row in rows.tolist())


def on_grid(recording: SimulatedRecording, params: grid.GridParams) -> PairBlock:
    """Return a simulated recording on the common grid."""
    head, trunk = recording.blocks()
    return blocks_on_grid(head, trunk, params)


def blocks_on_grid(head: ImuBlock, trunk: ImuBlock | None, params: grid.GridParams) -> PairBlock:
    """Return whole recordings of one or two sensors on the common grid."""
    state = grid.start(params, has_trunk=trunk is not None)
    _, pair = grid.step(params, state, head, trunk, final=True)
    return pair


def calibration_end_s(spans: tuple[Span, ...]) -> float:
    """Return when the last guided movement ended."""
    return max(s.end_ns for s in spans if s.kind in ("nod", "shake", "trunk_bow")) * 1e-9


def _ours(
    params: PipelineParams,
    settled: session.Plan,
    pair: PairBlock,
    mode: Mode,
) -> tuple[FloatArray, FloatArray]:
    outputs = [out.angles for out in session.run(params, settled, pair, mode=mode)]
    shown = np.concatenate(
        [
            np.column_stack((a.flexion_deg, a.lateral_right_deg, a.rotation_right_deg))
            for a in outputs
        ]
    )
    return shown, np.concatenate([a.heading_sigma_deg for a in outputs])


def _vqf(
    pair: PairBlock, recording: SimulatedRecording, *, set_right: bool
) -> tuple[FloatArray, FloatArray] | None:
    try:
        from vqf import VQF
    except ImportError:
        return None
    neutral = next(span for span in recording.spans if span.kind == "neutral_pose")
    both = []
    for gyr, acc, sensor in (
        (pair.head_gyr, pair.head_acc, recording.head),
        (pair.trunk_gyr, pair.trunk_acc, recording.trunk),
    ):
        if set_right:
            vqf = VQF(1.0 / pair.rate_hz, restBiasEstEnabled=False)
            vqf.setBiasEstimate(np.radians(sensor.bias_dps(neutral.end_ns * 1e-9)), -1.0)
        else:
            vqf = VQF(1.0 / pair.rate_hz)
        estimated = vqf.updateBatch(np.ascontiguousarray(gyr), np.ascontiguousarray(acc))
        q: FloatArray = estimated["quat6D"]
        both.append(q)
    return both[0], both[1]


def _with_overwriting_resets(
    oriented: tuple[FloatArray, FloatArray], settled: session.Plan, pair: PairBlock
) -> FloatArray:
    """Return angles of two unrelated filters whose relative heading every reset overwrites."""
    head, trunk = (q.copy() for q in oriented)
    n = head.shape[0]
    for reset in settled.resets:
        rows = slice(max(0, reset.k_start - pair.k0), min(n, reset.k_end - pair.k0))
        if rows.start >= rows.stop:
            continue
        expected = quaternion.multiply(trunk[rows], reset.q_th_ref)
        # heading by which the head sensor leads what the pose stands for
        lead = quaternion.multiply(head[rows], quaternion.conjugate(expected))
        heading = np.angle(np.mean(np.exp(2j * np.arctan2(lead[:, 3], lead[:, 0]))))
        turn = np.array([np.cos(heading / 2.0), 0.0, 0.0, -np.sin(heading / 2.0)])
        first = 0 if reset is settled.resets[0] else rows.stop
        head[first:] = quaternion.multiply(turn, head[first:])
    sigma = np.zeros(n)
    result = angles.cervical_angles(
        PairOrientation(pair.k0, head, trunk, sigma, np.zeros(3), np.zeros(3)),
        settled.setup.alignment,
        pair.head_valid & pair.trunk_valid,
    )
    return np.column_stack(
        (result.flexion_deg, result.lateral_right_deg, result.rotation_right_deg)
    )


def _score(
    sensor: str,
    scenario: str,
    patient: int,
    method: str,
    error_deg: FloatArray,
    **more: Any,
) -> AngleScore:
    rmse = np.sqrt(np.mean(np.square(error_deg), axis=0))
    flexion, lateral, rotation = (float(value) for value in rmse)
    return AngleScore(sensor, scenario, patient, method, flexion, lateral, rotation, **more)


def print_table(result: dict[str, Any], echo: Callable[[str], None]) -> None:
    """Print means over patients."""
    scores = [AngleScore(**score) for score in result["scores"]]
    echo(f"\nsimulated patients: {result['patients']}; RMSE in degrees, mean over patients")
    echo(
        f"drift: mean rotation error of the last {DRIFT_S / 60:.0f} min minus that of the first, "
        "RMS over patients"
    )
    echo(
        f"{'sensor':6} {'scenario':28} {'method':18} {'flexion':>8} {'lateral':>8} {'rotation':>9}"
        f" {'drift':>7}  {'1 sigma':>8} {'2 sigma':>8}"
    )
    groups: dict[tuple[str, str, str], list[AngleScore]] = {}
    for score in scores:
        groups.setdefault((score.sensor, score.scenario, score.method), []).append(score)
    for (sensor, scenario, method), group in groups.items():
        means = [float(np.mean([getattr(s, axis) for s in group])) for axis in AXES]
        inside = [
            float(
                np.mean([s.within_1_sigma for s in group if s.within_1_sigma is not None] or [0])
            ),
            float(
                np.mean([s.within_2_sigma for s in group if s.within_2_sigma is not None] or [0])
            ),
        ]
        honest = f"{inside[0]:8.0%} {inside[1]:8.0%}" if group[0].within_1_sigma is not None else ""
        moved = drift_rms(group)
        drift = "" if moved is None else f"{moved:.2f}"
        echo(
            f"{sensor:6} {scenario:28} {method:18} {means[0]:8.2f} {means[1]:8.2f} {means[2]:9.2f}"
            f" {drift:>7}  {honest}"
        )
    echo("\nrotation within sigma, all recordings together (honest: 60-80 % and 90-98 %)")
    for honesty in pooled(scores):
        echo(
            f"{honesty.mode:8} sensor {honesty.sensor:4} {honesty.recordings:3} recordings"
            f"  {honesty.within_1_sigma:4.0%} {honesty.within_2_sigma:4.0%}"
        )
