"""All detectors together: any cut, saved and restored, precedence, finality, bad input."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processing import episodes, gates, grid, quaternion
from processing.errors import InputError
from processing.gates import GateBlock, GateParams
from processing.grid import GridParams
from processing.types import (
    Alignment,
    BoolArray,
    CervicalAngles,
    Episode,
    FloatArray,
    ImuBlock,
)
from tests.support.detection import GATE_LAG_ROWS, PARAMS, final, run
from tests.support.motion import add_pulse, add_tremor, angles, cut, neutral, quiet

SECONDS = 90


def patient(seed: int = 0) -> tuple[FloatArray, CervicalAngles, BoolArray]:
    """Return rates, angles and gate with jerks, bursts, tremor, postures, a hole and walking."""
    rng = np.random.default_rng(seed)
    n = 100 * SECONDS
    w = quiet(SECONDS, seed=seed, sd_dps=1.5)
    for start in (4.0, 6.1, 7.0, 25.0, 33.0, 36.5, 48.0, 61.0, 62.3, 63.9, 80.0, 88.9):
        size = rng.uniform(4.0, 15.0)
        add_pulse(w, start, 0.15, (0.1 * size, size, -0.2 * size))
        add_pulse(w, start + 0.15, 1.2, (-0.1 * size, -size, 0.2 * size))
    add_tremor(w, 30.0, 42.0, 4.1, 3.0)
    add_tremor(w, 43.5, 50.0, 4.1, 3.0)
    add_pulse(w, 70.0, 1.0, (0.0, -50.0, 0.0))
    t = np.arange(n) / 100.0
    rotation = np.interp(t, [8, 12, 28, 30, 40, 43, 87], [0, 22, 22, 3, 3, 30, 30])
    block = angles(0.2 * rotation, np.zeros(n), rotation)
    valid = np.ones(n, dtype=np.bool_)
    valid[5500:5800] = False
    block = replace(block, valid=valid)
    w[5500:5800] = np.nan
    gated = np.zeros(n, dtype=np.bool_)
    gated[2450:2600] = True
    return w, block, gated


def everything(w: FloatArray, edges: Sequence[int] = (), *, restore: bool = False) -> list[object]:
    _, block, gated = patient()
    outs = run(w, block, gated=gated, edges=edges, restore=restore, t0_ns=10**18)
    turns: list[object] = [t for out in outs for t in out.turns]
    return [*final(outs), *turns]


def test_the_patient_shows_every_kind() -> None:
    w, block, gated = patient()
    found = final(run(w, block, gated=gated))
    labels = {(e.kind, e.label) for e in found}
    assert labels == {
        ("jerk", "jerk"),
        ("jerk", "jerk_burst"),
        ("tremor", "regular"),
        ("posture", "unspecified"),
    }
    assert len([e for e in found if e.kind == "posture"]) == 3


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 100 * SECONDS), max_size=10))
def test_any_cut_gives_the_same_episodes(edges: list[int]) -> None:
    w, _, _ = patient()
    assert everything(w, edges) == everything(w)


def test_live_blocks_with_saved_states_give_the_same_episodes() -> None:
    w, _, _ = patient()
    assert everything(w, range(0, 100 * SECONDS, 53), restore=True) == everything(w)


def test_an_episode_is_final_at_most_ten_seconds_after_its_end() -> None:
    w, block, gated = patient()
    edges = list(range(10, 100 * SECONDS, 10))
    outs = run(w, block, gated=gated, edges=edges)
    for end_row, out in zip([*edges, 100 * SECONDS], outs, strict=True):
        for episode in out.final:
            lag_s = end_row / 100.0 - episode.end_ns * 1e-9
            assert lag_s <= 10.0, episode
    # nothing that ended before k_final comes later
    reported = 0
    for out in outs:
        for episode in out.final:
            assert episode.end_ns >= reported * 10_000_000, episode
        reported = out.k_final


def test_a_jerk_shows_provisionally_within_two_seconds() -> None:
    w = quiet(30.0, sd_dps=1.0)
    add_pulse(w, 10.0, 0.15, (0.0, 8.0, 0.0))
    outs = run(w, neutral(3000), edges=range(10, 3000, 10))
    seen = [i for i, out in enumerate(outs) if any(e.kind == "jerk" for e in out.provisional)]
    assert 1000 < 10 * (seen[0] + 1) <= 1200
    gone = [i for i, out in enumerate(outs) if any(e.kind == "jerk" for e in out.final)]
    assert gone[0] == seen[-1] + 1


def test_tremor_comes_before_jerk_and_gate_before_both() -> None:
    w = quiet(40.0, sd_dps=0.5)
    add_tremor(w, 10.0, 30.0, 4.0, 2.0)
    for start in (5.0, 15.0, 20.0, 35.0):
        add_pulse(w, start, 0.12, (0.0, 12.0, 0.0))
    found = final(run(w, neutral(4000)))
    peaks = [round(e.peak_ns * 1e-9) for e in found if e.kind == "jerk"]
    assert sum(e.kind == "tremor" for e in found) == 1
    assert peaks == [5, 35]
    gated = np.zeros(4000, dtype=np.bool_)
    gated[400:3200] = True
    found = final(run(w, neutral(4000), gated=gated))
    assert [(e.kind, round(e.peak_ns * 1e-9)) for e in found] == [("jerk", 35)]


def test_low_rate_leaves_jerks_and_tremor_out_and_says_so() -> None:
    w, block, gated = patient()
    outs = run(w, block, gated=gated, low_rate=True, edges=range(100, 9000, 100))
    assert {e.kind for e in final(outs)} == {"posture"}
    assert "50 Hz" in outs[0].notes[0]


def test_a_single_head_sensor_has_jerks_and_tremor_but_no_postures() -> None:
    w, block, gated = patient()
    unknown = np.full(block.valid.shape[0], np.nan)
    block = replace(
        block,
        flexion_deg=unknown,
        lateral_right_deg=unknown,
        rotation_right_deg=unknown,
        deviation_deg=unknown,
        heading_sigma_deg=unknown,
    )
    assert {e.kind for e in final(run(w, block, gated=gated, head_only=True))} == {
        "jerk",
        "tremor",
    }


def test_nothing_is_found_in_and_around_missing_samples() -> None:
    n = 3000
    w = quiet(30.0, sd_dps=1.0)
    block = neutral(n)
    valid = block.valid.copy()
    valid[1000:1300] = False
    w[1000:1300] = np.nan
    # the sensor comes back with a jolt that the filter smears over the edge
    w[1300:1304] = 300.0
    found = final(run(w, replace(block, valid=valid)))
    assert found == []


def test_the_direction_of_dystonia_splits_jerks() -> None:
    w = quiet(30.0, sd_dps=1.0)
    add_pulse(w, 10.0, 0.15, (0.0, -8.0, 0.0))
    add_pulse(w, 20.0, 0.15, (0.0, 8.0, 0.0))
    d = np.array([0.0, 3.0, 20.0])
    toward, away = final(run(w, neutral(3000), direction=d))
    assert toward.features["toward"] == 1.0
    assert toward.features["direction_cos"] > 0.9
    assert away.features["toward"] == -1.0
    assert toward.confidence > away.confidence


def test_recovery_is_the_time_to_half_of_the_way_back() -> None:
    w = quiet(30.0, sd_dps=0.0)
    add_pulse(w, 10.0, 0.15, (0.0, 8.0, 0.0))
    add_pulse(w, 10.15, 1.6, (0.0, -8.0, 0.0))
    add_pulse(w, 20.0, 0.15, (0.0, 8.0, 0.0))
    back, stays = final(run(w, neutral(3000)))
    assert back.features["recovery_s"] == pytest.approx(0.075 + 0.8, abs=0.06)
    assert "recovery_s" not in stays.features


def test_skipped_rows_are_refused() -> None:
    state = episodes.start(PARAMS)
    block = neutral(500)
    gate = GateBlock(0, np.zeros(0, dtype=np.bool_), np.zeros(0))
    with pytest.raises(InputError, match="rows were skipped"):
        episodes.step(PARAMS, state, cut(block, 100, 200), quiet(1.0), gate, t0_ns=0)
    late = GateBlock(5, np.zeros(10, dtype=np.bool_), np.zeros(10))
    with pytest.raises(InputError, match="rows were skipped"):
        episodes.step(PARAMS, state, cut(block, 0, 100), quiet(1.0), late, t0_ns=0)
    with pytest.raises(InputError, match="flush the gate"):
        episodes.step(PARAMS, state, cut(block, 0, 100), quiet(1.0), gate, t0_ns=0, final=True)
    assert GateParams().lag_rows == GATE_LAG_ROWS


def _found_in(path: Path, *, gating: bool) -> tuple[list[Episode], BoolArray]:
    table = np.loadtxt(path)
    t_ns = 10_000_000 * np.arange(table.shape[0], dtype=np.int64)
    head = ImuBlock.checked(t_ns, table[:, 0:3], table[:, 3:6], rate_hz=100.0)
    trunk = ImuBlock.checked(t_ns, table[:, 6:9], table[:, 9:12], rate_hz=100.0)
    params = GridParams()
    _, pair = grid.step(params, grid.start(params), head, trunk, final=True)
    gate_params = GateParams()
    _, gate = gates.step(gate_params, gates.start(gate_params), pair, final=True)
    # -z anterior, +x up; for rates, a head aligned with the trunk throughout is near enough
    mounting = quaternion.from_matrix([[0.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    n = pair.head_valid.shape[0]
    level = np.tile(quaternion.IDENTITY, (n, 1))
    alignment = Alignment("a", "n", "mounting", "low", mounting, mounting, level[0], 5.0)
    rates = episodes.relative_rate_dps(pair, level, alignment)
    block = replace(neutral(n), valid=pair.head_valid & pair.trunk_valid)
    found = final(run(rates, block, gated=gate.gated if gating else None))
    return found, gate.gated


@pytest.mark.data
def test_real_walking_is_gated_whole_and_has_no_episodes(head_trunk_dir: Path) -> None:
    name = "sub-01_task-freeliving_tracksys-imu_motion.tsv"
    path = head_trunk_dir / "sub-01" / "motion" / name
    found, gated = _found_in(path, gating=True)
    assert gated[5500:9800].all()
    assert gated[1500:3900].mean() < 0.05
    assert not [e for e in found if 55e9 <= e.peak_ns < 98e9]
    assert not [e for e in found if e.kind == "tremor"], "quiet sitting does not tremble"
    assert len([e for e in found if e.kind == "jerk" and e.peak_ns < 39e9]) <= 2
    ungated, _ = _found_in(path, gating=False)
    assert [e for e in ungated if 55e9 <= e.peak_ns < 98e9], "the gate is what keeps them out"
