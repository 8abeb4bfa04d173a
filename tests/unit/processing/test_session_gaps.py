"""Samples that are missing in the middle of a session: what is shown afterwards, and how sure."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from api.validation.simulated import errors_of_rows, on_grid
from processing import orientation, session
from processing.orientation.heading import HEADING_UNKNOWN_RAD
from processing.pipeline import PipelineParams
from processing.rows import pair_rows
from processing.session import Mode
from processing.synthesis import PatientSpec, SimulatedRecording, simulate
from processing.types import FloatArray, PairBlock

PARAMS = PipelineParams()
GAP_S = 150.0


@cache
def recorded() -> tuple[SimulatedRecording, PairBlock]:
    recording = simulate(PatientSpec(reset_every_s=0.0), 3, 260.0)
    return recording, on_grid(recording, PARAMS.grid)


def without(pair: PairBlock, point: str, seconds: float) -> PairBlock:
    """Return the block with one sensor silent from `GAP_S` on, as the grid leaves it."""
    rows = slice(round(GAP_S * pair.rate_hz), round((GAP_S + seconds) * pair.rate_hz))
    changed = {}
    for name in ("valid", "gyr", "acc"):
        values = getattr(pair, f"{point}_{name}").copy()
        values[rows] = values[rows.start - 1] if name == "acc" else 0
        changed[f"{point}_{name}"] = values
    return replace(pair, **changed)


def shown(point: str, seconds: float, mode: Mode) -> tuple[FloatArray, FloatArray, int]:
    """Return error of rotation and its sigma, row by row, and the first row after the gap."""
    recording, pair = recorded()
    gappy = without(pair, point, seconds)
    settled = session.plan(PARAMS, gappy, recording.spans)
    error, sigma = errors_of_rows(PARAMS, settled, gappy, recording, mode)
    return error[:, 2], sigma, round((GAP_S + seconds) * pair.rate_hz)


@pytest.mark.parametrize("mode", ["online", "offline"])
@pytest.mark.parametrize("point", ["head", "trunk"])
@pytest.mark.parametrize("seconds", [0.3, 1.5, 5.0, 60.0])
def test_after_a_gap_sigma_covers_what_nobody_saw(point: str, seconds: float, mode: Mode) -> None:
    error, sigma, after = shown(point, seconds, mode)
    assert np.all(np.abs(error[after:]) < 3.0 * sigma[after:])
    assert sigma.max() <= np.hypot(np.degrees(HEADING_UNKNOWN_RAD), 1.5)


def test_a_short_loss_leaves_rotation_usable_and_a_long_one_does_not() -> None:
    _, before, at = shown("head", 0.3, "online")
    assert before[at + 300] < 10.0
    _, long, at = shown("head", 60.0, "online")
    assert long[at + 300 :].min() > 30.0
    _, trunk, at = shown("trunk", 1.5, "online")
    assert trunk[at + 300] < 6.0


def test_rows_before_the_first_pose_face_as_it_says() -> None:
    recording = simulate(PatientSpec(reset_every_s=0.0), 3, 200.0)
    pair = on_grid(recording, PARAMS.grid)
    settled = session.plan(PARAMS, pair, recording.spans)
    assert settled.facing is not None
    first = settled.resets[0].k_start
    window = round(PARAMS.orientation.filter.window_s * pair.rate_hz)
    assert first <= settled.facing.until < first + window
    error, sigma = errors_of_rows(PARAMS, settled, pair, recording, "online")
    assert np.all(np.abs(error[:first, 2]) < 2.0 * sigma[:first])
    assert sigma[:first].max() < 20.0


def test_a_pose_once_met_is_remembered_in_the_saved_state() -> None:
    recording, pair = recorded()
    settled = session.plan(PARAMS, pair, recording.spans)
    known = PARAMS.orientation
    state = orientation.start(known, pair.rate_hz)
    assert not state.met
    cut = round(GAP_S * pair.rate_hz)
    state, _ = orientation.step(known, state, pair_rows(pair, 0, cut), settled.resets)
    assert state.met
    again = orientation.state_from_dict(orientation.state_to_dict(state))
    assert again.met
    silent = pair_rows(without(pair, "head", 60.0), cut, cut + 7000)
    _, here = orientation.step(known, again, silent, settled.resets)
    # lost as it is, the heading's sigma stays that of an error
    assert 30.0 < here.heading_sigma_deg[-1] < np.degrees(HEADING_UNKNOWN_RAD)
