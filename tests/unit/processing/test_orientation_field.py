"""The magnetic field as a measurement of relative heading: it helps, or does no harm."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from processing import grid, quaternion, session
from processing.angles import cervical_angles
from processing.grid import GridParams
from processing.orientation import PairParams, smooth, start, step
from processing.orientation.agreement import expect_same
from processing.orientation.field import (
    APART,
    EVERY_ROWS,
    IRON,
    KNOWN,
    N_FIELD,
    N_SUMS,
    STEEP,
    SUMS,
    FieldParams,
    Look,
    close_look,
    gather_field,
    judge,
    wear_back,
    wear_off,
)
from processing.orientation.layout import FIELD_ERROR, N_WITH_FIELD, PLACE_ERROR
from processing.orientation.pair_state import state_from_dict, state_to_dict
from processing.pipeline import PipelineParams
from processing.rows import join_orientations, pair_rows
from processing.session import Plan
from processing.synthesis import (
    SENSOR_B,
    FieldSpec,
    PatientSpec,
    SimulatedRecording,
    simulate,
    with_magnetometers,
)
from processing.types import FloatArray, HeadingReset, ImuBlock, PairBlock, PairOrientation
from tests.unit.processing.test_orientation_pair import RATE, heading_error_deg, held, person

pytestmark = pytest.mark.slow

EARTH = np.array([3.0, 19.0, -44.0])
LOOK = 1600
"""Rows of a look."""


def seen(pair: PairBlock, head: FloatArray, trunk: FloatArray) -> PairBlock:
    """The same with what magnetometers see of the fields (3,) or (n, 3) at head and trunk."""
    return replace(pair, head_mag=head, trunk_mag=trunk)


def in_sensor(q: FloatArray, field: FloatArray) -> FloatArray:
    return quaternion.rotate(quaternion.conjugate(q), np.broadcast_to(field, (q.shape[0], 3)))


def turned_about_z(field: FloatArray, degrees: FloatArray) -> FloatArray:
    turn = np.zeros((degrees.shape[0], 3))
    turn[:, 2] = np.radians(degrees)
    rotated: FloatArray = quaternion.rotate(quaternion.from_rotation_vector(turn), field)
    return rotated


@pytest.fixture(scope="module")
def sitting() -> tuple[PairBlock, FloatArray, FloatArray, list[HeadingReset]]:
    """Ten minutes with one pose at the beginning."""
    pair, hq, tq = person(600.0, poses=((500, 1000),))
    return pair, hq, tq, [held(hq, tq, 510, 999, 0.5)]


def final_error_deg(
    pair: PairBlock, hq: FloatArray, tq: FloatArray, resets: list[HeadingReset]
) -> tuple[float, PairOrientation]:
    _, out = step(PairParams(), start(PairParams(), RATE), pair, resets)
    return float(np.sqrt(np.mean(heading_error_deg(out, hq, tq)[-12_000:] ** 2))), out


@pytest.fixture(scope="module")
def worn() -> tuple[SimulatedRecording, PairBlock, Plan]:
    """Fifty minutes of a person who wears two ordinary sensors and holds no pose after N."""
    spec = PatientSpec(reset_every_s=0.0, head_sensor=SENSOR_B, trunk_sensor=SENSOR_B)
    recording = simulate(spec, 500, 3000.0)
    pair = _on_grid(*recording.blocks())
    return recording, pair, session.plan(PipelineParams(), pair, recording.spans)


def _on_grid(head: ImuBlock, trunk: ImuBlock) -> PairBlock:
    _, pair = grid.step(GridParams(), grid.start(GridParams()), head, trunk, final=True)
    return pair


def _rotation_error_deg(
    worn: tuple[SimulatedRecording, PairBlock, Plan], field: FieldSpec | None
) -> tuple[FloatArray, FloatArray]:
    """Error of rotation in the last half hour, and its sigma."""
    recording, pair, settled = worn
    if field is not None:
        pair = _on_grid(*with_magnetometers(recording, field, 1))
    state = start(PairParams(), RATE)
    _, out = step(PairParams(), state, pair, settled.resets)
    shown = cervical_angles(out, settled.setup.alignment, pair.head_valid & pair.trunk_valid)
    t_s = np.arange(pair.head_gyr.shape[0]) / RATE
    truth = np.interp(t_s, recording.t_ns * 1e-9, recording.angles()[2])
    late = t_s > 1200.0
    return (shown.rotation_right_deg - truth)[late], shown.heading_sigma_deg[late]


def test_a_field_that_both_see_holds_heading(
    worn: tuple[SimulatedRecording, PairBlock, Plan],
) -> None:
    without, sigma = _rotation_error_deg(worn, None)
    error, narrower = _rotation_error_deg(worn, FieldSpec(iron_ut=2.0))
    assert np.sqrt(np.mean(error**2)) < 0.75 * np.sqrt(np.mean(without**2))
    assert narrower[-1] < 0.8 * sigma[-1]


@pytest.mark.parametrize(
    "field",
    [
        FieldSpec(common=0.25, apart=0.12, iron_ut=2.0),
        FieldSpec(common=0.4, apart=0.3, place_s=300.0, iron_ut=2.0),
        FieldSpec(iron_ut=15.0),
    ],
)
def test_a_disturbed_field_does_no_harm(
    worn: tuple[SimulatedRecording, PairBlock, Plan], field: FieldSpec
) -> None:
    without, _ = _rotation_error_deg(worn, None)
    error, sigma = _rotation_error_deg(worn, field)
    assert np.sqrt(np.mean(error**2)) < np.sqrt(np.mean(without**2)) + 0.5
    assert np.mean(np.abs(error) < 2.0 * sigma) > 0.9


def test_a_field_that_is_not_the_same_is_not_followed(
    sitting: tuple[PairBlock, FloatArray, FloatArray, list[HeadingReset]],
) -> None:
    """After five minutes something beside the head turns its field by 40° and makes it stronger."""
    pair, hq, tq, resets = sitting
    without, _ = final_error_deg(pair, hq, tq, resets)
    late = (np.arange(pair.head_gyr.shape[0]) > 30_000).astype(np.float64)
    field = turned_about_z(EARTH, 40.0 * late) * (1.0 + 0.3 * late)[:, None]
    spoilt, _ = final_error_deg(
        seen(pair, in_sensor(hq, field), in_sensor(tq, EARTH)), hq, tq, resets
    )
    assert spoilt < without + 0.5


def test_magnetometers_that_are_not_parallel_move_no_zero(
    sitting: tuple[PairBlock, FloatArray, FloatArray, list[HeadingReset]],
) -> None:
    """A field that is 25° off at the head all the time means nothing: a torticollis stays."""
    pair, hq, tq, resets = sitting
    off = turned_about_z(EARTH, np.full(pair.head_gyr.shape[0], 25.0))
    skewed = seen(pair, in_sensor(hq, off), in_sensor(tq, EARTH))
    clean = seen(pair, in_sensor(hq, EARTH), in_sensor(tq, EARTH))
    _, one = final_error_deg(skewed, hq, tq, resets)
    _, other = final_error_deg(clean, hq, tq, resets)
    apart = heading_error_deg(one, other.q_es_head, other.q_es_trunk)
    assert np.abs(apart).max() < 0.2


def test_hard_iron_is_learnt_from_turns_of_the_head() -> None:
    rng = np.random.default_rng(3)
    n = 40 * LOOK
    t = np.arange(n) / RATE
    q = [
        quaternion.from_rotation_vector(
            np.column_stack((0.2 * np.sin(0.7 * t), 0.15 * np.sin(0.9 * t), 0.6 * np.sin(rate * t)))
        )
        for rate in (0.8, 0.3)
    ]
    iron = np.array([[2.0, -1.0, 1.5], [-1.0, 2.5, 0.5]])
    mag = [in_sensor(q[i], EARTH) + iron[i] + 0.5 * rng.standard_normal((n, 3)) for i in range(2)]
    field, ok = np.zeros(N_FIELD), np.ones(n, dtype=np.bool_)
    for k in range(0, n, LOOK):
        gather_field(field, mag[0], mag[1], ok, ok, np.stack(q), k, k + LOOK, 0)
        judge(FieldParams(), field, 16.0, LOOK / EVERY_ROWS)
        close_look(field)
    assert field[IRON : IRON + 6].reshape(2, 3) == pytest.approx(iron, abs=0.3)


def test_sums_are_those_of_plain_numpy() -> None:
    rng = np.random.default_rng(4)
    n = 95
    q = quaternion.normalize(rng.standard_normal((2, n, 4)))
    mag = rng.standard_normal((2, n, 3))
    mag[0, 20] = np.nan
    ok = rng.random((2, n)) > 0.1
    field = np.zeros(N_FIELD)
    field[IRON : IRON + 6] = rng.standard_normal(6)
    gather_field(field, mag[0], mag[1], ok[0], ok[1], q, 3, 90, 7)
    rows = [i for i in range(3, 90) if (i + 7) % EVERY_ROWS == 0 and ok[:, i].all() and i != 20]
    assert field[SUMS] == len(rows)
    for s in range(2):
        own = mag[s, rows] - field[IRON + 3 * s : IRON + 3 * s + 3]
        norm = np.linalg.norm(own, axis=1)
        expected = np.concatenate(
            (
                quaternion.to_matrix(q[s, rows]).sum(axis=0).ravel(),
                quaternion.rotate(q[s, rows], mag[s, rows]).sum(axis=0),
                mag[s, rows].sum(axis=0),
                [norm.sum(), (norm**2).sum()],
            )
        )
        at = SUMS + 1 + N_SUMS * s
        assert field[at : at + N_SUMS] == pytest.approx(expected)


def look_at(head: FloatArray, trunk: FloatArray, field: FloatArray) -> Look | None:
    """Judge a look of sensors that stand still, aligned with the earth."""
    n, ok = LOOK, np.ones(LOOK, dtype=np.bool_)
    q = np.zeros((2, n, 4))
    q[:, :, 0] = 1.0
    close_look(field)
    gather_field(field, np.tile(head, (n, 1)), np.tile(trunk, (n, 1)), ok, ok, q, 0, n, 0)
    return judge(FieldParams(), field, 16.0, n / EVERY_ROWS)


def test_a_look_that_is_apart_is_not_used_and_widens_what_is_usual() -> None:
    field = np.zeros(N_FIELD)
    assert look_at(EARTH, EARTH, field) is not None
    before = field[APART]
    assert look_at(1.2 * EARTH, EARTH, field) is None
    assert field[APART] > before
    assert look_at(EARTH, EARTH, field) is not None


def test_a_steep_or_missing_field_points_nowhere() -> None:
    field = np.zeros(N_FIELD)
    steep = np.array([1.0, 2.0, -48.0])
    assert look_at(steep, steep, field) is None
    assert look_at(np.full(3, np.nan), EARTH, field) is None
    assert look_at(np.zeros(3), EARTH, field) is None


def test_another_place_wears_off_what_the_last_one_showed() -> None:
    field = np.zeros(N_FIELD)
    look_at(EARTH, EARTH, field)
    field[KNOWN] = 1.0
    same = look_at(EARTH, EARTH, field)
    other = look_at(EARTH + np.array([0.0, 2.0, 0.0]), EARTH, field)
    assert same is not None and other is not None
    assert same.share < 0.01 < 0.1 < other.share <= 1.0


def test_the_measurement_is_linear_in_small_turns() -> None:
    rng = np.random.default_rng(8)
    field = np.zeros(N_FIELD)
    for _ in range(4):
        theta = 1e-5 * rng.standard_normal((2, 3))
        look = look_at(EARTH, EARTH, field)
        assert look is not None
        # what is seen with attitudes that are wrong by -theta
        skewed = replace(
            look,
            head=quaternion.rotate(quaternion.from_rotation_vector(-theta[0]), EARTH),
            trunk=quaternion.rotate(quaternion.from_rotation_vector(-theta[1]), EARTH),
        )
        H, values = np.zeros((1, N_WITH_FIELD)), np.empty((1, 2))
        expect_same(skewed, 0.0, 0.1, H, values)
        error = np.zeros(N_WITH_FIELD)
        error[0:3], error[25:28] = theta
        assert values[0, 0] == pytest.approx(H[0] @ error, abs=1e-8)
        assert H[0, FIELD_ERROR] == H[0, PLACE_ERROR] == -1.0


def test_wearing_off_and_its_adjoint_are_transposes() -> None:
    rng = np.random.default_rng(9)
    root = rng.standard_normal((N_WITH_FIELD, N_WITH_FIELD))
    P, L = root @ root.T, root.T @ root
    F = np.eye(N_WITH_FIELD)
    F[PLACE_ERROR, PLACE_ERROR] = 0.7
    expected = F @ P @ F.T
    expected[PLACE_ERROR, PLACE_ERROR] += (1.0 - 0.49) * 2.0
    field = np.zeros(N_FIELD)
    wear_off(field, P, 0.3, 2.0)
    assert pytest.approx(expected) == P
    adjoint, back = root[:1].copy(), F.T @ L @ F
    wear_back(adjoint, L, 0.3)
    assert pytest.approx(back) == L
    assert adjoint == pytest.approx(root[:1] @ F)


def gappy(pair: PairBlock, hq: FloatArray, tq: FloatArray) -> PairBlock:
    """A field that comes late, goes, and is disturbed."""
    rng = np.random.default_rng(5)
    n = pair.head_gyr.shape[0]
    field = EARTH + 2.0 * np.sin(np.arange(n) / 700.0)[:, None]
    head, trunk = in_sensor(hq, field), in_sensor(tq, EARTH)
    head[:2000], trunk[:900] = np.nan, np.nan
    head[9000:9700] = np.nan
    head += 0.5 * rng.standard_normal(head.shape)
    return seen(pair, head, trunk)


def test_any_chunking_and_any_save_equal_one_batch_bit_for_bit() -> None:
    pair, hq, tq = person(150.0, poses=((500, 1000), (5000, 5400)))
    resets = [held(hq, tq, 510, 999, 0.5), held(hq, tq, 5010, 5399, 2.0)]
    pair = gappy(pair, hq, tq)
    params = PairParams()
    _, whole = step(params, start(params, RATE), pair, resets)
    rng = np.random.default_rng(1)
    cuts = [0, *sorted(rng.choice(np.arange(1, 15_000), 40, replace=False).tolist()), 15_000]
    state, outs = start(params, RATE), []
    for a, b in pairwise(cuts):
        piece = pair_rows(pair, a, b)
        if b <= 900:
            piece = replace(piece, head_mag=None, trunk_mag=None)  # nobody knows yet that it comes
        state, out = step(params, state_from_dict(state_to_dict(state)), piece, resets)
        outs.append(out)
    pieces = join_orientations(outs)
    assert np.array_equal(whole.q_es_head, pieces.q_es_head)
    assert np.array_equal(whole.q_es_trunk, pieces.q_es_trunk)
    assert np.array_equal(whole.heading_sigma_deg, pieces.heading_sigma_deg)
    assert state.field[KNOWN] == 1.0 and state.field[STEEP] > 1.0


def test_a_pose_with_a_value_of_its_own_before_the_field_changes_no_bit() -> None:
    pair, hq, tq = person(60.0, poses=((100, 300), (400, 700), (3000, 3400)))
    resets = [
        held(hq, tq, 110, 299, 0.5),
        replace(held(hq, tq, 410, 699, 2.0), own_value=True, shared_sigma_deg=20.0),
        replace(held(hq, tq, 3010, 3399, 3.0), own_value=True),
    ]
    pair = gappy(pair, hq, tq)
    assert pair.head_mag is not None
    pair.head_mag[:900] = np.nan
    end, whole = step(PairParams(), start(PairParams(), RATE), pair, resets)
    early = replace(pair_rows(pair, 0, 900), head_mag=None, trunk_mag=None)
    state, first = step(PairParams(), start(PairParams(), RATE), early, resets)
    state, second = step(PairParams(), state, pair_rows(pair, 900, 6000), resets)
    pieces = join_orientations([first, second])
    assert np.array_equal(whole.q_es_head, pieces.q_es_head)
    assert np.array_equal(whole.heading_sigma_deg, pieces.heading_sigma_deg)
    assert np.array_equal(state.P, end.P)
    assert state.P.shape[0] == N_WITH_FIELD + 1 and state.P[-1, -1] > 0.0


def test_a_field_that_is_never_known_changes_no_bit() -> None:
    pair, hq, tq = person(60.0, poses=((500, 1000),))
    resets = [held(hq, tq, 510, 999, 0.5)]
    unknown = np.full((pair.head_gyr.shape[0], 3), np.nan)
    _, plain = step(PairParams(), start(PairParams(), RATE), pair, resets)
    _, out = step(PairParams(), start(PairParams(), RATE), seen(pair, unknown, unknown), resets)
    assert np.array_equal(plain.q_es_head, out.q_es_head)
    assert np.array_equal(plain.heading_sigma_deg, out.heading_sigma_deg)


def test_smoothing_uses_the_field_and_its_borders_change_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pair, hq, tq = person(150.0, poses=((500, 1000),))
    resets = [held(hq, tq, 510, 999, 0.5)]
    pair = gappy(pair, hq, tq)
    whole = smooth(PairParams(), pair, resets)
    _, causal = step(PairParams(), start(PairParams(), RATE), pair, resets)
    # with the whole session known sigma is nowhere wider, and at the end the same
    assert whole.heading_sigma_deg[1000:].max() <= causal.heading_sigma_deg[1000:].max()
    monkeypatch.setattr("processing.orientation.pair.SMOOTHED_WINDOWS", 13)
    pieces = smooth(PairParams(), pair, resets)
    assert np.allclose(whole.q_es_head, pieces.q_es_head, atol=1e-12)
    assert np.allclose(whole.heading_sigma_deg, pieces.heading_sigma_deg, atol=1e-9)
