"""The neck joint's acceleration: least squares against numpy, arms and heading that are learnt."""

from dataclasses import replace

import numpy as np
import pytest

from processing import quaternion
from processing.orientation import PairParams, smooth, start, step
from processing.orientation.joint import (
    ACTIVE,
    EVERY_ROWS,
    LEAST_LEVEL_MS2,
    N_JOINT,
    close_joint,
    expect_joint,
    gather_joint,
)
from processing.orientation.layout import (
    ARM,
    ARMS,
    BATCH,
    MISFIT_ERROR,
    N_ERROR,
    N_PAIR,
    N_STATE,
    TH,
)
from processing.types import FloatArray, HeadingReset, PairBlock

RATE = 100.0
HEAD_ARM = np.array([0.05, 0.14, -0.03])
TRUNK_ARM = np.array([-0.09, -0.11, 0.02])
MOUNTED = quaternion.from_rotation_vector(np.array([[0.4, -0.3, 0.0], [-0.2, 0.5, 0.0]]))
NO_WALK = replace(PairParams(), filter=replace(PairParams().filter, joint_inflation=1e12))


def joint_position(t: FloatArray) -> FloatArray:
    """(n, 3) m, earth axes: steps at 2 Hz, sway at 1 Hz, as someone who walks."""
    return np.stack(
        [
            0.016 * np.sin(12.0 * t) + 0.003 * np.sin(24.5 * t + 1.0),
            0.030 * np.sin(6.1 * t + 0.4),
            0.022 * np.sin(12.0 * t + 1.6),
        ],
        axis=1,
    )


def attitude(t: FloatArray, sensor: int) -> FloatArray:
    """(n, 4) sensor to earth: both segments turn with the steps, the head also by itself."""
    size = np.array([0.05, 0.04, 0.08]) if sensor else np.array([0.12, 0.08, 0.3])
    at = np.outer(t, [6.1, 12.0, 6.1] if sensor else [5.2, 3.3, 1.1]) + sensor
    return quaternion.multiply(
        quaternion.from_rotation_vector(size * np.sin(at)), MOUNTED[sensor][None]
    )


def sensed(t: FloatArray, sensor: int, arm: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean rate over the interval before each time, and specific force at it."""
    h = 1e-4

    def place(at: FloatArray) -> FloatArray:
        return joint_position(at) + quaternion.rotate(attitude(at, sensor), arm)

    force = (place(t + h) - 2.0 * place(t) + place(t - h)) / h**2 + np.array([0.0, 0.0, 9.81])
    q = attitude(t, sensor)
    turned = quaternion.multiply(quaternion.conjugate(attitude(t - 1.0 / RATE, sensor)), q)
    return (
        quaternion.to_rotation_vector(turned) * RATE,
        quaternion.rotate(quaternion.conjugate(q), force),
    )


def walker(
    seconds: float, bias_dps: float = 0.0, seed: int = 0, noise_ms2: float = 0.02
) -> PairBlock:
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE)) / RATE
    ok = np.ones(t.shape[0], dtype=np.bool_)
    found: list[FloatArray] = []
    for sensor, arm in enumerate((HEAD_ARM, TRUNK_ARM)):
        gyr, acc = sensed(t, sensor, arm)
        up = quaternion.rotate(quaternion.conjugate(attitude(t, sensor)), np.array([0.0, 0, 1]))
        found.append(gyr + np.radians((1 - 2 * sensor) * bias_dps) * up
                     + np.radians(0.05) * rng.standard_normal(gyr.shape))  # fmt: skip
        found.append(acc + noise_ms2 * rng.standard_normal(acc.shape))
    return PairBlock(0, 0, RATE, found[0], found[1], ok, found[2], found[3], ok.copy())


def gathered(
    pair: PairBlock, q: FloatArray, x: FloatArray, cuts: tuple[int, ...] = ()
) -> FloatArray:
    joint = np.zeros(N_JOINT)
    close_joint(joint, True)
    n = pair.head_gyr.shape[0]
    for a, b in zip((0, *cuts), (*cuts, n), strict=True):
        gather_joint(joint, x, pair.head_gyr, pair.trunk_gyr, pair.head_acc, pair.trunk_acc,
                     pair.head_valid, pair.trunk_valid, a, b, 0, 1.0 / RATE, q)  # fmt: skip
    return joint


def measured(
    joint: FloatArray, x: FloatArray, inflation: float = 1.0
) -> tuple[FloatArray, FloatArray]:
    P = np.zeros((N_PAIR, N_PAIR))
    P[TH + 2, TH + 2] = 0.01
    H, values = np.zeros((BATCH, N_PAIR)), np.empty((BATCH, 2))
    count = expect_joint(joint, x, P, inflation, H, values, 0)
    return H[:count], values[:count]


def believed(pair: PairBlock, wrong_rad: float) -> tuple[FloatArray, FloatArray]:
    """Attitudes with a head that is turned too far, and running states with arms of zero."""
    t = np.arange(pair.head_gyr.shape[0]) / RATE
    off = quaternion.from_rotation_vector(np.array([0.0, 0.0, wrong_rad]))
    q = np.stack([quaternion.multiply(off[None], attitude(t, 0)), attitude(t, 1)])
    return q, np.zeros((2, N_STATE))


def dense(pair: PairBlock, q: FloatArray, x: FloatArray) -> tuple[FloatArray, FloatArray, int]:
    """Normal matrix (8, 8) of the equation in the module's docstring, its rows one by one."""
    rows = []
    for i in range(1, pair.head_gyr.shape[0]):
        if i % EVERY_ROWS:
            continue
        columns, forces = [], []
        for s, (gyr, acc) in enumerate(
            ((pair.head_gyr, pair.head_acc), (pair.trunk_gyr, pair.trunk_acc))
        ):
            w, dw = (gyr[i - 1] + gyr[i]) / 2.0, (gyr[i] - gyr[i - 1]) * RATE
            C = cross(dw) + cross(w) @ cross(w)
            R = quaternion.to_matrix(q[s, i - 1])
            forces.append(R @ (acc[i - 1] - C @ x[s, ARM : ARM + 3]))
            columns.append((2 * s - 1) * R @ C)
        about_up = np.cross([0.0, 0.0, 1.0], forces[0])
        rows.append(np.column_stack([*columns, about_up, forces[1] - forces[0]]))
    A = np.array(rows)
    A = (A - A.mean(axis=0)).reshape(-1, 8)
    return A[:, :7], A[:, 7], len(rows)


def cross(v: FloatArray) -> FloatArray:
    return np.array([[0.0, -v[2], v[1]], [v[2], 0.0, -v[0]], [-v[1], v[0], 0.0]])


def test_measurements_hold_what_least_squares_find() -> None:
    pair = walker(3.0, noise_ms2=0.1)
    q, x = believed(pair, 0.05)
    x[0, ARM : ARM + 3] = 0.03, 0.1, 0.0
    A, y, rows = dense(pair, q, x)
    joint = gathered(pair, q, x, (1, 2, 7, 100, 101, 255))
    assert np.array_equal(joint, gathered(pair, q, x))
    H, values = measured(joint, x, 4.0)
    left = np.sum((y - A @ np.linalg.lstsq(A, y, rcond=None)[0]) ** 2) / (3 * rows - 10)
    U = H[:, [*range(ARMS, ARMS + 6), TH + 2]]
    assert np.array_equal(H[:, TH + 2], -H[:, N_ERROR + TH + 2])
    assert np.array_equal(H[:, TH + 2], H[:, MISFIT_ERROR])
    information = U.T @ (U / values[:, 1:])
    np.testing.assert_allclose(information, A.T @ A / (4.0 * left), rtol=1e-7, atol=1e-5)
    np.testing.assert_allclose(
        U.T @ (values[:, 0] / values[:, 1]), A.T @ y / (4.0 * left), rtol=1e-7, atol=1e-5
    )


def test_one_window_of_walking_tells_heading_and_arms() -> None:
    pair = walker(4.0)
    q, x = believed(pair, 0.08)
    H, values = measured(gathered(pair, q, x), x)
    U = H[:, [*range(ARMS, ARMS + 6), TH + 2]]
    found = np.linalg.solve(U, values[:, 0])
    assert found[6] == pytest.approx(-0.08, abs=0.01)
    np.testing.assert_allclose(found[:3], HEAD_ARM, atol=0.02)
    np.testing.assert_allclose(found[3:6], TRUNK_ARM, atol=0.02)


def test_sensors_that_feel_different_things_measure_nothing() -> None:
    one, two = walker(3.0), walker(3.0)
    rng = np.random.default_rng(5)
    shaken = replace(
        one,
        head_acc=one.head_acc + rng.standard_normal(one.head_acc.shape),
        trunk_acc=two.trunk_acc + rng.standard_normal(two.trunk_acc.shape),
    )
    q, x = believed(shaken, 0.0)
    assert measured(gathered(shaken, q, x), x)[0].shape[0] == 0
    assert measured(gathered(one, q, x), x)[0].shape[0] == 7


def test_who_hardly_accelerates_measures_nothing() -> None:
    pair = walker(3.0)
    share = 0.5 * LEAST_LEVEL_MS2 / 2.0
    calm = replace(
        pair,
        head_acc=9.81 * np.array([0.0, 0.0, 1.0]) + share * (pair.head_acc - [0.0, 0.0, 9.81]),
        head_gyr=share * pair.head_gyr,
    )
    q = np.zeros((2, pair.head_gyr.shape[0], 4))
    q[:, :, 0] = 1.0
    x = np.zeros((2, N_STATE))
    assert measured(gathered(calm, q, x), x)[0].shape[0] == 0


def pose(a: int, b: int, sigma_deg: float = 2.0) -> HeadingReset:
    t = np.arange(a, b) / RATE
    q = quaternion.multiply(quaternion.conjugate(attitude(t, 1)), attitude(t, 0))
    return HeadingReset(a, b, quaternion.mean(q), sigma_deg)


def heading_error_deg(q_head: FloatArray, q_trunk: FloatArray) -> FloatArray:
    t = np.arange(q_head.shape[0]) / RATE
    errors = []
    for sensor, q in enumerate((q_head, q_trunk)):
        e = quaternion.multiply(q, quaternion.conjugate(attitude(t, sensor)))
        errors.append(2.0 * np.arctan2(e[:, 3], e[:, 0]))
    found: FloatArray = np.degrees(np.angle(np.exp(1j * (errors[0] - errors[1]))))
    return found


def test_walking_holds_a_heading_that_a_bias_about_the_vertical_would_take_away() -> None:
    pair = walker(90.0, bias_dps=0.2)
    resets = [pose(200, 700, 0.5)]
    errors = []
    for params in (PairParams(), NO_WALK):
        out = step(params, start(params, RATE), pair, resets)[1]
        errors.append(np.abs(heading_error_deg(out.q_es_head, out.q_es_trunk))[-1000:].mean())
    assert errors[1] > 5.0
    assert errors[0] < 1.5
    smoothed = smooth(PairParams(), pair, resets)
    late = np.abs(heading_error_deg(smoothed.q_es_head, smoothed.q_es_trunk))[1000:]
    assert late.max() < 2.0
    assert smoothed.heading_sigma_deg[-1] == pytest.approx(
        step(PairParams(), start(PairParams(), RATE), pair, resets)[1].heading_sigma_deg[-1],
        rel=0.05,
    )


def test_the_state_remembers_arms_and_the_row_before_across_chunks() -> None:
    pair, resets, params = walker(25.0, bias_dps=0.2), [pose(200, 700)], PairParams()
    end, whole = step(params, start(params, RATE), pair, resets)
    assert end.joint[ACTIVE] == 1.0
    assert np.abs(end.x[:, ARM : ARM + 3]).max() > 0.05, "no arm was learnt"
    rng = np.random.default_rng(1)
    state, k, heads = start(params, RATE), 0, []
    while k < 2500:
        n = min(2500 - k, int(rng.integers(1, 170)))
        rows = slice(k, k + n)
        part = PairBlock(
            k, 0, RATE, pair.head_gyr[rows], pair.head_acc[rows], pair.head_valid[rows],
            pair.trunk_gyr[rows], pair.trunk_acc[rows], pair.trunk_valid[rows],
        )  # fmt: skip
        state, out = step(params, state, part, resets)
        heads.append(out.q_es_head)
        k += n
    assert np.array_equal(np.concatenate(heads), whole.q_es_head)
    assert np.array_equal(state.x, end.x)
    assert np.array_equal(state.P, end.P)
