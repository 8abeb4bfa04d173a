"""Head and trunk in one filter: chunks, saving, resets, absence, a constant torticollis."""

import json
from dataclasses import replace

import numpy as np
import pytest

from processing import quaternion
from processing.errors import InputError, StateError
from processing.orientation import (
    PairParams,
    SensorParams,
    smooth,
    start,
    state_from_dict,
    state_to_dict,
    step,
)
from processing.orientation.consistency import COUNT, SQUARES
from processing.orientation.heading import reset_heading
from processing.orientation.layout import (
    BI,
    BIAS,
    N_ERROR,
    N_PAIR,
    N_STATE,
    REFERENCE,
    TH,
    Q,
)
from processing.orientation.params import FilterParams
from processing.types import FloatArray, HeadingReset, PairBlock, PairOrientation

RATE = 100.0
HEAD_TRUE = quaternion.from_rotation_vector(np.array([0.4, -0.3, 1.9]))
TRUNK_TRUE = quaternion.from_rotation_vector(np.array([-0.2, 0.5, -0.7]))


def turned(first: FloatArray, rate: FloatArray, rate_hz: float = RATE) -> FloatArray:
    """Attitudes of a sensor that turns with body rate `rate`.

    The products of all turns up to a row, by doubling: a loop over rows takes thirty times as long.
    """
    q = quaternion.from_rotation_vector(rate / rate_hz)
    span = 1
    while span < q.shape[0]:
        q[span:] = quaternion.multiply(q[:-span], q[span:])
        span *= 2
    return quaternion.multiply(first, q)


def sensed(
    rng: np.random.Generator, q: FloatArray, rate: FloatArray, bias_dps: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Rate and specific force with bias and the noise of a consumer sensor."""
    acc = quaternion.rotate(quaternion.conjugate(q), np.array([0.0, 0.0, 9.81]))
    gyr = rate + np.radians(bias_dps) + np.radians(0.05) * rng.standard_normal(rate.shape)
    return gyr, acc + 0.02 * rng.standard_normal(rate.shape)


def person(
    seconds: float, seed: int = 0, poses: tuple[tuple[int, int], ...] = (), sway: float = 1.0
) -> tuple[PairBlock, FloatArray, FloatArray]:
    """A person who sways with both segments and holds the head still to the trunk in poses.

    Biases of 0.2 °/s per axis; truth of head and trunk.
    """
    rng = np.random.default_rng(seed)
    n = round(seconds * RATE)
    t = np.arange(n)[:, None] / RATE
    head = sway * 0.5 * np.cos(t * np.array([0.5, 0.8, 0.3]) + rng.uniform(0, 6, 3))
    trunk = sway * 0.1 * np.cos(t * np.array([0.3, 0.2, 0.4]) + rng.uniform(0, 6, 3))
    tq = turned(TRUNK_TRUE, trunk)
    hq = turned(HEAD_TRUE, head)
    for a, b in poses:
        to_head = quaternion.multiply(quaternion.conjugate(hq[a - 1]), tq[a - 1])
        head[a:b] = quaternion.rotate(to_head, trunk[a:b])
        hq[a:] = turned(hq[a - 1], head[a:])
    hg, ha = sensed(rng, hq, head, 0.2 * rng.standard_normal(3))
    tg, ta = sensed(rng, tq, trunk, 0.2 * rng.standard_normal(3))
    ok = np.ones(n, dtype=np.bool_)
    return PairBlock(0, 0, RATE, hg, ha, ok, tg, ta, ok.copy()), hq, tq


def part(pair: PairBlock, a: int, b: int) -> PairBlock:
    return PairBlock(
        pair.k0 + a,
        pair.t0_ns,
        pair.rate_hz,
        pair.head_gyr[a:b],
        pair.head_acc[a:b],
        pair.head_valid[a:b],
        pair.trunk_gyr[a:b],
        pair.trunk_acc[a:b],
        pair.trunk_valid[a:b],
    )


def held(hq: FloatArray, tq: FloatArray, a: int, b: int, sigma_deg: float) -> HeadingReset:
    """A reset that is right: the mean true rotation between the sensors over [a, b)."""
    q = quaternion.mean(quaternion.multiply(quaternion.conjugate(tq[a:b]), hq[a:b]))
    return HeadingReset(a, b, q, sigma_deg)


def heading_error_deg(out: PairOrientation, hq: FloatArray, tq: FloatArray) -> FloatArray:
    """Error of head minus trunk heading, degrees."""
    head = quaternion.multiply(out.q_es_head, quaternion.conjugate(hq))
    trunk = quaternion.multiply(out.q_es_trunk, quaternion.conjugate(tq))
    h = 2.0 * (np.arctan2(head[:, 3], head[:, 0]) - np.arctan2(trunk[:, 3], trunk[:, 0]))
    error: FloatArray = np.degrees(np.angle(np.exp(1j * h)))
    return error


def test_any_chunking_and_any_save_equal_one_batch_bit_for_bit() -> None:
    pair, hq, tq = person(40.0)
    pair.head_valid[1500:1790] = False
    resets = [held(hq, tq, 510, 999, 0.5), held(hq, tq, 2510, 2999, 2.0)]
    params = PairParams()
    end, whole = step(params, start(params, RATE), pair, resets)
    rng = np.random.default_rng(3)
    state, k = start(params, RATE), 0
    heads, sigmas = [], []
    while k < 4000:
        n = int(rng.integers(1, 160))
        state = state_from_dict(json.loads(json.dumps(state_to_dict(state))))
        state, out = step(params, state, part(pair, k, min(4000, k + n)), resets)
        heads.append(out.q_es_head)
        sigmas.append(out.heading_sigma_deg)
        k = min(4000, k + n)
    assert np.array_equal(np.concatenate(heads), whole.q_es_head)
    assert np.array_equal(np.concatenate(sigmas), whole.heading_sigma_deg)
    assert np.array_equal(state.P, end.P)
    assert np.array_equal(state.x, end.x)


def test_blocks_do_not_depend_on_the_chunking(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("pair", "consistency"):
        monkeypatch.setattr(f"processing.orientation.{module}.BLOCK_WINDOWS", 4)
    pair, hq, tq = person(30.0, poses=((500, 1000),))
    resets = [held(hq, tq, 500, 1000, 0.5), held(hq, tq, 1500, 2000, 2.0)]
    params = PairParams()
    end, whole = step(params, start(params, RATE), pair, resets)
    assert end.evidence[-1] > 0.0, "no block was judged"
    state, sigmas = start(params, RATE), []
    rng = np.random.default_rng(4)
    k = 0
    while k < 3000:
        n = min(3000 - k, int(rng.integers(1, 300)))
        state = state_from_dict(state_to_dict(state))
        state, out = step(params, state, part(pair, k, k + n), resets)
        sigmas.append(out.heading_sigma_deg)
        k += n
    assert np.array_equal(np.concatenate(sigmas), whole.heading_sigma_deg)
    assert np.array_equal(state.evidence, end.evidence)
    assert state.walk == end.walk


def test_first_reset_sets_relative_heading_and_its_sigma() -> None:
    pair, hq, tq = person(30.0, poses=((500, 1000),))
    out = step(PairParams(), start(PairParams(), RATE), pair, [held(hq, tq, 500, 1000, 2.0)])[1]
    error = heading_error_deg(out, hq, tq)
    assert np.abs(error[:400]).max() > 20.0
    assert out.heading_sigma_deg[400] > 90.0
    assert abs(error[1000]) < 2.0
    assert out.heading_sigma_deg[1000] == pytest.approx(2.0, abs=0.2)


@pytest.mark.slow
def test_two_resets_teach_the_relative_vertical_bias() -> None:
    # these poses are exact, the first one too
    params = PairParams(reference_sigma_deg=0.5)
    drift: dict[int, list[float]] = {1: [], 2: []}
    for seed in range(4):
        pair, hq, tq = person(140.0, seed, ((500, 1000), (6500, 7000)), sway=0.1)
        resets = [held(hq, tq, 500, 1000, 0.5), held(hq, tq, 6500, 7000, 0.5)]
        for count, found in drift.items():
            out = step(params, start(params, RATE), pair, resets[:count])[1]
            error = heading_error_deg(out, hq, tq)
            # what the second reset corrected at once does not count: only what it taught
            found.append(float(error[-1] - error[7010]))
    assert np.square(drift[2]).mean() < 0.5 * np.square(drift[1]).mean()


@pytest.mark.slow
def test_true_error_lies_within_sigma() -> None:
    inside_1, inside_2 = [], []
    for seed in range(6):
        pair, hq, tq = person(120.0, seed, ((500, 1000),))
        reset = held(hq, tq, 500, 1000, 0.5)
        out = step(PairParams(), start(PairParams(), RATE), pair, [reset])[1]
        error = np.abs(heading_error_deg(out, hq, tq))[1100:]
        inside_1.append(np.mean(error <= out.heading_sigma_deg[1100:]))
        inside_2.append(np.mean(error <= 2.0 * out.heading_sigma_deg[1100:]))
    assert np.mean(inside_1) > 0.5
    assert np.mean(inside_2) > 0.9


def test_an_unknown_bias_does_not_move_what_a_pose_defines() -> None:
    online, offline = [], []
    for seed in range(6):
        pair, hq, tq = person(20.0, seed, ((500, 1000),))
        reset = held(hq, tq, 500, 1000, 0.5)
        out = step(PairParams(), start(PairParams(), RATE), pair, [reset])[1]
        # biases of 0.2 °/s turn the heads by 0.7° in half a pose
        online.append(heading_error_deg(out, hq, tq)[1010])
        out = smooth(PairParams(), pair, [reset])
        offline.append(heading_error_deg(out, hq, tq)[750])
    assert np.sqrt(np.square(online).mean()) < 0.15
    assert np.sqrt(np.square(offline).mean()) < 0.15


def test_a_heading_of_a_while_ago_corrects_bias_as_a_dense_filter_does() -> None:
    rng = np.random.default_rng(3)
    root = rng.standard_normal((N_PAIR, N_PAIR)) * 0.1
    P = root @ root.T
    x = np.zeros((2, N_STATE))
    x[:, Q : Q + 4] = HEAD_TRUE, TRUNK_TRUE
    heading, variance, lag_s = 0.03, 0.01, 2.5
    # heading then = heading now + what the bias error, measured about earth's up, has taken off
    h = np.zeros(N_PAIR)
    for i, (q, sign) in enumerate(((HEAD_TRUE, 1.0), (TRUNK_TRUE, -1.0))):
        h[i * N_ERROR + TH + 2] = sign
        at = i * N_ERROR + BI
        h[at : at + 3] = sign * lag_s * quaternion.rotate(quaternion.conjugate(q), [0.0, 0.0, 1.0])
    h[REFERENCE] = 1.0
    gain = P @ h / (h @ P @ h + variance)
    expected = -gain * heading
    left = (P - np.outer(gain, h @ P))[BI : BI + 3, BI : BI + 3]
    reset_heading(
        x, P, heading, variance, lag_s, REFERENCE, np.empty(2),
        np.empty((0, 2 * N_PAIR + 2)), np.zeros(2, dtype=np.int64),
    )  # fmt: skip
    np.testing.assert_allclose(x[0, BIAS : BIAS + 3], expected[BI : BI + 3], atol=1e-12)
    trunk = slice(N_ERROR + BI, N_ERROR + BI + 3)
    np.testing.assert_allclose(x[1, BIAS : BIAS + 3], expected[trunk], atol=1e-12)
    np.testing.assert_allclose(P[BI : BI + 3, BI : BI + 3], left, atol=1e-12)


def test_what_all_later_poses_share_is_taken_for_heading_only_as_far_as_it_may_be() -> None:
    pose_variance, first_variance, heading_variance = 0.04, 0.01, 0.02
    P = np.zeros((N_PAIR, N_PAIR))
    P[TH + 2, TH + 2] = heading_variance
    P[REFERENCE, REFERENCE] = first_variance
    x = np.zeros((2, N_STATE))
    x[:, Q] = 1.0
    off = 0.1
    turned_by, turns = 0.0, np.empty(2)
    for n in range(1, 13):
        reset_heading(
            x, P, turned_by - off, pose_variance, 0.0, REFERENCE, turns,
            np.empty((0, 2 * N_PAIR + 2)), np.zeros(2, dtype=np.int64),
        )  # fmt: skip
        turned_by += turns[0]
        # least squares over all n poses at once
        share = heading_variance / (heading_variance + first_variance + pose_variance / n)
        assert turned_by == pytest.approx(share * off, rel=1e-9)
    assert P[TH + 2, TH + 2] == pytest.approx((1.0 - share) * heading_variance, rel=1e-9)


@pytest.mark.parametrize("believed", [1.0, 0.05])
def test_white_noise_widens_sigma_whatever_the_innovations_say(believed: float) -> None:
    pair, hq, tq = person(60.0, poses=((500, 1000),))
    sensor = SensorParams(bias_sigma_dps=1e-6, gain_sigma=1e-9)
    quiet = FilterParams(
        bias_walk_dps=0.0, bias_share_dps=0.0, gyro_share=0.0, gyro_shake_dps=0.0, blow_deg=0.0
    )
    params = PairParams(sensor, sensor, quiet, warm_sigma_dps=0.0)
    begin = start(params, RATE)
    evidence = begin.evidence.copy()
    evidence[[SQUARES, COUNT]] = believed * 1e9, 1e9
    out = step(params, replace(begin, evidence=evidence), pair, [held(hq, tq, 500, 1000, 0.5)])[1]
    grown = np.diff(np.square(out.heading_sigma_deg[[1999, 5999]]))[0]
    # two sensors, each half the square of its density over positive frequencies
    assert grown == pytest.approx(quiet.gyro_density_dps**2 * 40.0, rel=0.1)


def test_smoothing_knows_the_heading_before_the_first_reset() -> None:
    pair, hq, tq = person(60.0, poses=((3000, 3400),))
    resets = [held(hq, tq, 3000, 3400, 0.5)]
    online = step(PairParams(), start(PairParams(), RATE), pair, resets)[1]
    offline = smooth(PairParams(), pair, resets)
    before = slice(500, 2900)
    assert np.abs(heading_error_deg(online, hq, tq)[before]).max() > 20.0
    assert np.abs(heading_error_deg(offline, hq, tq)[before]).max() < 3.0
    assert offline.heading_sigma_deg[before].max() < 15.0
    # at the end nothing follows: both modes know the same
    assert offline.heading_sigma_deg[-1] == pytest.approx(online.heading_sigma_deg[-1], rel=1e-3)
    assert np.degrees(quaternion.angle_between(offline.q_es_head, online.q_es_head))[-1] < 0.01


def test_memory_bound_of_smoothing_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pair, hq, tq = person(40.0)
    resets = [held(hq, tq, 510, 999, 0.5), held(hq, tq, 2510, 2999, 2.0)]
    whole = smooth(PairParams(), pair, resets)
    monkeypatch.setattr("processing.orientation.pair.SMOOTHED_WINDOWS", 13)
    pieces = smooth(PairParams(), pair, resets)
    assert np.array_equal(whole.q_es_head, pieces.q_es_head)
    assert np.array_equal(whole.heading_sigma_deg, pieces.heading_sigma_deg)


def _about(axis: int, angle_deg: FloatArray) -> FloatArray:
    v = np.zeros((angle_deg.shape[0], 3))
    v[:, axis] = np.radians(angle_deg)
    return quaternion.from_rotation_vector(v)


def _ramps(t: FloatArray, start: float, length: float) -> FloatArray:
    """1 during [start, start + length), with ramps of a second around it."""
    up = np.clip(t - (start - 1.0), 0.0, 1.0)
    down = np.clip(t - (start + length), 0.0, 1.0)
    smooth_up, smooth_down = 3 * up**2 - 2 * up**3, 3 * down**2 - 2 * down**3
    shape: FloatArray = smooth_up - smooth_down
    return shape


def _torticollis(hours: float) -> float:
    """Mean rotation that is left of 40°, in the last ten minutes.

    N is held once; then the head stays at 40°. Every ten minutes the person holds M, 15° from N,
    and says so.
    """
    rng = np.random.default_rng(7)
    params = PairParams()
    state = start(params, RATE)
    n = round(600 * RATE)
    left = 0.0
    for part_of_day in range(round(hours * 6)):
        t: FloatArray = 600.0 * part_of_day + np.arange(-1, n, dtype=np.float64) / RATE
        yaw = -40.0 * _ramps(t, 15.0, 1e9)
        m_start = 600.0 * part_of_day + 300.0
        yaw = yaw + 25.0 * _ramps(t, m_start, 5.0)
        sway = 6.0 * np.sin(0.37 * t) + 4.0 * np.sin(0.11 * t)
        nod = 8.0 * np.sin(0.23 * t) + 5.0 * np.sin(0.71 * t)
        trunk = quaternion.multiply(_about(2, 2 * sway), _about(0, 0.5 * sway))
        relative = quaternion.multiply(_about(2, yaw), _about(0, nod * (1 - _ramps(t, 5.0, 5.0))))
        head = quaternion.multiply(trunk, relative)
        blocks: list[FloatArray] = []
        for q, bias in ((head, [0.05, -0.08, 0.06]), (trunk, [-0.07, 0.02, -0.05])):
            step_q = quaternion.multiply(quaternion.conjugate(q[:-1]), q[1:])
            rate = quaternion.to_rotation_vector(step_q) * RATE
            blocks.extend(sensed(rng, q[1:], rate, np.array(bias)))
        ok = np.ones(n, dtype=np.bool_)
        k0 = n * part_of_day
        pair = PairBlock(k0, 0, RATE, blocks[0], blocks[1], ok, blocks[2], blocks[3], ok)
        truth = quaternion.multiply(quaternion.conjugate(trunk[1:]), head[1:])
        resets = []
        if part_of_day == 0:
            resets.append(HeadingReset(500, 1000, quaternion.mean(truth[500:1000]), 0.5))
        m = slice(30_000, 30_500)
        resets.append(HeadingReset(k0 + m.start, k0 + m.stop, quaternion.mean(truth[m]), 3.0))
        state, out = step(params, state, pair, resets)
        shown = quaternion.multiply(quaternion.conjugate(out.q_es_trunk), out.q_es_head)
        angle = np.degrees(2.0 * np.arctan2(shown[:, 3], shown[:, 0]))
        left = float(np.mean((angle[40_000:] + 180.0) % 360.0 - 180.0))
    return left


@pytest.mark.slow
def test_a_constant_torticollis_survives_eight_hours() -> None:
    assert _torticollis(8.0) == pytest.approx(-40.0, abs=4.0)


def test_a_gap_widens_sigma_and_the_filter_goes_on() -> None:
    pair, hq, tq = person(40.0)
    pair.head_valid[2000:2300] = False
    pair.head_gyr[2000:2300] = np.nan
    out = step(PairParams(), start(PairParams(), RATE), pair, [held(hq, tq, 500, 1000, 2.0)])[1]
    assert np.isfinite(out.q_es_head).all()
    assert out.heading_sigma_deg[1990] < 15.0
    # three seconds of a head that nobody saw turn
    assert 18.0 < out.heading_sigma_deg[2400] < 25.0
    tilt = quaternion.rotate(quaternion.conjugate(out.q_es_head), np.array([0.0, 0.0, 1.0]))
    truth = quaternion.rotate(quaternion.conjugate(hq), np.array([0.0, 0.0, 1.0]))
    assert np.degrees(np.arccos(np.sum(tilt[-500:] * truth[-500:], axis=1))).max() < 3.0


def test_a_head_alone_has_no_relative_heading() -> None:
    pair, _, _ = person(10.0)
    alone = replace(
        pair,
        trunk_gyr=np.full_like(pair.trunk_gyr, np.nan),
        trunk_acc=np.full_like(pair.trunk_acc, np.nan),
        trunk_valid=np.zeros_like(pair.trunk_valid),
    )
    out = step(PairParams(), start(PairParams(), RATE), alone)[1]
    both = step(PairParams(), start(PairParams(), RATE), pair)[1]
    assert np.array_equal(out.q_es_head, both.q_es_head)
    assert np.isnan(out.q_es_trunk).all()
    assert np.isnan(out.heading_sigma_deg).all()


def test_bad_input_says_what_to_do() -> None:
    pair, hq, tq = person(10.0)
    params = PairParams()
    state, _ = step(params, start(params, RATE), part(pair, 0, 500))
    with pytest.raises(InputError, match="expected 500"):
        step(params, state, part(pair, 600, 700))
    with pytest.raises(InputError, match="runs at 100"):
        step(params, state, replace(part(pair, 500, 600), rate_hz=50.0))
    overlapping = [held(hq, tq, 100, 300, 2.0), held(hq, tq, 250, 400, 2.0)]
    with pytest.raises(InputError, match="overlap"):
        step(params, start(params, RATE), pair, overlapping)
    with pytest.raises(InputError, match="rate_hz"):
        start(params, 0.0)
    with pytest.raises(StateError, match="version"):
        state_from_dict({**state_to_dict(state), "version": 99})
    with pytest.raises(StateError, match="shape"):
        state_from_dict({**state_to_dict(state), "pose": [0.0]})
