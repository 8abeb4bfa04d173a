"""Detectors on simulated patients with their true orientation: precision and recall."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from processing import episodes, gates, grid
from processing.angles import cervical_angles
from processing.gates import GateParams
from processing.grid import GridParams
from processing.synthesis import Label, PatientSpec, healthy, simulate
from processing.types import Alignment, BoolArray, Episode, PairOrientation
from tests.support.detection import PARAMS, final

MINUTES = 8


@dataclass(frozen=True)
class Case:
    """One simulated person and what was found."""

    labels: tuple[Label, ...]
    found: list[Episode]
    gated: BoolArray
    begin_s: float
    """End of the guided calibration, whose nods and shakes oscillate by order."""


PATIENT, HEALTHY = PatientSpec(), healthy()
JERKY = replace(PATIENT, rest_fraction=0.0, jerks_per_min=20.0, tremor=False)
"""Straight between pulls, so that each pull begins and ends."""
REST_NEAR = replace(PATIENT, rest_fraction=0.3, tonic_gap_s=(60.0, 240.0), jerks_per_min=1.5)
"""Near neutral between long pulls, as in the demonstration."""


@cache
def case(seed: int, spec: PatientSpec = PATIENT) -> Case:
    recording = simulate(spec, seed, 60.0 * MINUTES)
    head, trunk = recording.blocks()
    grid_params, gate_params = GridParams(), GateParams()
    _, pair = grid.step(grid_params, grid.start(grid_params), head, trunk, final=True)
    n = pair.head_valid.shape[0]
    t_ns = pair.t0_ns + 10_000_000 * np.arange(n)
    nearest = np.clip(np.searchsorted(head.t_ns, t_ns), 0, head.t_ns.shape[0] - 1)
    truth = PairOrientation(
        0,
        recording.q_es_head[nearest],
        recording.q_es_trunk[nearest],
        np.full(n, 2.0),
        np.zeros(3),
        np.zeros(3),
    )
    alignment = Alignment(
        "a",
        "n",
        "guided",
        "good",
        recording.head.q_segment_sensor,
        recording.trunk.q_segment_sensor,
        recording.neutral_q(),
        1.0,
    )
    angles = cervical_angles(truth, alignment, pair.head_valid & pair.trunk_valid)
    rates = episodes.relative_rate_dps(pair, angles.q_rel, alignment)
    _, gate = gates.step(gate_params, gates.start(gate_params), pair, final=True)
    _, out = episodes.step(PARAMS, episodes.start(PARAMS), angles, rates, gate, t0_ns=0, final=True)
    ordered = [s.end_ns for s in recording.spans if s.kind == "trunk_bow"]
    begin_s = max(ordered[:3], default=0) * 1e-9
    found = [e for e in final([out]) if e.start_ns * 1e-9 > begin_s]
    return Case(recording.labels, found, gate.gated, begin_s)


def evaluable(patient: Case, t_s: float) -> bool:
    k = round(100.0 * t_s)
    tremor = [e for e in patient.found if e.kind == "tremor"]
    inside = any(e.start_ns <= t_s * 1e9 <= e.end_ns for e in tremor)
    return (
        t_s > patient.begin_s and not inside and not patient.gated[min(k, len(patient.gated) - 1)]
    )


def test_jerks_of_four_patients() -> None:
    true = found = matched = of_real = 0
    for seed in range(4):
        patient = case(seed)
        real = [x.peak_s for x in patient.labels if x.kind == "jerk"]
        peaks = [e.peak_ns * 1e-9 for e in patient.found if e.kind == "jerk"]
        judged = [t for t in real if evaluable(patient, t)]
        true += len(judged)
        found += len(peaks)
        matched += sum(any(abs(p - t) < 0.3 for p in peaks) for t in judged)
        of_real += sum(any(abs(p - t) < 0.3 for t in real) for p in peaks)
    assert true > 80
    assert matched / true >= 0.7, "recall on evaluable jerks"
    assert of_real / found >= 0.9, "precision"


def test_tremor_of_four_patients() -> None:
    labelled = found = both = 0.0
    for seed in range(4):
        patient = case(seed)
        n = len(patient.gated)
        true, detected = np.zeros(n, dtype=np.bool_), np.zeros(n, dtype=np.bool_)
        for label in (x for x in patient.labels if x.kind == "tremor"):
            true[round(100 * label.start_s) : round(100 * label.end_s)] = True
        for e in (e for e in patient.found if e.kind == "tremor"):
            detected[round(e.start_ns * 1e-7) : round(e.end_ns * 1e-7)] = True
        clear = ~patient.gated
        labelled += float((true & clear).sum())
        found += float((detected & clear).sum())
        both += float((true & detected & clear).sum())
    assert both / labelled >= 0.8
    assert both / found >= 0.8


def test_a_healthy_person_who_turns_to_look_has_next_to_no_postures() -> None:
    patient = case(1, HEALTHY)
    minutes = MINUTES - patient.begin_s / 60.0
    turns = sum(x.kind == "turn" for x in patient.labels)
    assert turns > 2 * minutes
    assert sum(e.kind == "posture" for e in patient.found) <= minutes / 20.0


def test_sustained_pulls_are_found_among_twenty_jerks_a_minute() -> None:
    true = found = 0
    for seed in range(4):
        patient = case(seed, JERKY)
        postures = [e for e in patient.found if e.kind == "posture"]
        for label in (x for x in patient.labels if x.kind == "tonic"):
            if not patient.begin_s < label.start_s < label.end_s < 60.0 * MINUTES:
                continue
            true += 1
            both = [
                min(e.end_ns * 1e-9, label.end_s) - max(e.start_ns * 1e-9, label.start_s)
                for e in postures
            ]
            found += max(both, default=0.0) > 5.0
    assert true >= 10
    # those missed are short, and looks and jerks leave no 5 s in one direction
    assert found / true >= 0.8, (found, true)


def test_leans_and_looks_do_not_cut_a_pull_into_many_candidates() -> None:
    pulls = pieces = 0
    for seed in range(4):
        patient = case(seed, REST_NEAR)
        postures = [e for e in patient.found if e.kind == "posture"]
        for label in (x for x in patient.labels if x.kind == "tonic"):
            if patient.begin_s < label.start_s < label.end_s < 60.0 * MINUTES:
                pulls += 1
                pieces += sum(label.start_s < e.peak_ns * 1e-9 < label.end_s for e in postures)
    assert pulls >= 5
    assert pulls <= pieces <= 1.2 * pulls, (pieces, pulls)


def test_a_healthy_person_has_next_to_no_jerks_and_no_tremor() -> None:
    patient = case(1, HEALTHY)
    minutes = MINUTES - patient.begin_s / 60.0
    assert sum(e.kind == "jerk" for e in patient.found) <= minutes / 2.0
    seconds = sum(e.end_ns - e.start_ns for e in patient.found if e.kind == "tremor") * 1e-9
    assert seconds <= 0.03 * 60.0 * minutes
