"""A gyroscope's noise floor is learnt, upward as well where the sensor is not worn."""

import numpy as np
import pytest

from processing import quaternion
from processing.orientation import FilterParams, PairParams, estimate, start, step
from processing.orientation.layout import FLOOR_KNOWN, FLOOR_W, N_STATE, QUIET_STEP, QUIET_W
from processing.orientation.params import DEFAULT_GYRO_DENSITY_DPS
from processing.orientation.rest import learn_floor
from processing.orientation.single import Mode
from processing.types import FloatArray, PairBlock

RATE = 100.0
BIAS_RADS = np.radians([0.5, -0.35, 0.25])
ASSUMED_RADS = np.radians(DEFAULT_GYRO_DENSITY_DPS)


def on_table(
    density_dps: float, seconds: float, rate_hz: float = RATE, seed: int = 0
) -> tuple[FloatArray, FloatArray]:
    """Rate and specific force of a sensor that lies still, with white noise and a bias."""
    rng = np.random.default_rng(seed)
    shape = (round(seconds * rate_hz), 3)
    half_band = np.sqrt(0.5 * rate_hz)
    gyr = BIAS_RADS + np.radians(density_dps) * half_band * rng.standard_normal(shape)
    acc = np.array([0.0, 0.0, 9.80665]) + 0.002 * half_band * rng.standard_normal(shape)
    return gyr, acc


@pytest.mark.parametrize("mode", ["online", "offline"])
@pytest.mark.parametrize(
    ("density_dps", "rate_hz"),
    [(0.004, RATE), (0.007, RATE), (0.014, RATE), (0.03, RATE), (0.015, 25.0), (0.015, 285.7)],
)
def test_a_sensor_on_a_table_does_not_turn_however_noisy(
    density_dps: float, rate_hz: float, mode: Mode
) -> None:
    gyr, acc = on_table(density_dps, 120.0, rate_hz)
    q = estimate(gyr, acc, rate_hz=rate_hz, mode=mode)
    turned = np.degrees(quaternion.angle_between(q[0], q[-1]))
    assert turned < 1.5  # 80° by the bias alone, 28 to 34° while rest was not recognised


def test_a_worn_pair_never_learns_a_floor_above_the_assumed_one() -> None:
    # a slow sway would pass for rest: honesty of the worn pair is worth more than rest on a table
    gyr, acc = on_table(0.015, 12.0)
    ok = np.ones(gyr.shape[0], dtype=np.bool_)
    params = PairParams()
    state, _ = step(
        params, start(params, RATE), PairBlock(0, 0, RATE, gyr, acc, ok, gyr, acc, ok.copy())
    )
    assert state.x[0, FLOOR_W] == pytest.approx(ASSUMED_RADS * np.sqrt(0.5 * RATE))


def state(quiet_dps: float, step_dps: float) -> FloatArray:
    s = np.zeros(N_STATE)
    s[FLOOR_W] = ASSUMED_RADS
    s[QUIET_W], s[QUIET_STEP] = np.radians([quiet_dps, step_dps]) ** 2
    return s


def test_only_white_noise_raises_the_floor_and_only_before_anything_quieter() -> None:
    most = np.radians(0.03)
    s = state(0.02, 0.02)
    learn_floor(s, most)
    assert s[FLOOR_W] == pytest.approx(np.radians(0.02))
    for worn in (state(0.014, 0.007), state(0.01, 0.02), state(0.031, 0.031)):
        learn_floor(worn, most)
        assert worn[FLOOR_W] == ASSUMED_RADS
        assert worn[FLOOR_KNOWN] == 0.0
    quiet = state(0.008, 0.004)
    learn_floor(quiet, most)
    quiet[QUIET_W] = quiet[QUIET_STEP] = np.radians(0.02) ** 2
    learn_floor(quiet, most)
    assert quiet[FLOOR_W] == pytest.approx(np.radians(0.008))


def test_chunks_learn_the_same_floor_to_the_bit() -> None:
    gyr, acc = on_table(0.015, 12.0)
    n = gyr.shape[0]
    ok = np.ones(n, dtype=np.bool_)
    ok[130:140] = False
    params = PairParams(filter=FilterParams(floor_most_dps=0.03))

    def block(a: int, b: int) -> PairBlock:
        return PairBlock(
            a, 0, RATE, gyr[a:b], acc[a:b], ok[a:b], gyr[a:b], acc[a:b], ok[a:b].copy()
        )

    whole, _ = step(params, start(params, RATE), block(0, n))
    parts = start(params, RATE)
    for a, b in zip((0, 1, 70, 135, 301, 302), (1, 70, 135, 301, 302, n), strict=True):
        parts, _ = step(params, parts, block(a, b))
    assert whole.x[0, FLOOR_W] > 1.5 * ASSUMED_RADS * np.sqrt(0.5 * RATE)
    assert np.array_equal(whole.x, parts.x)
    assert np.array_equal(whole.P, parts.P)
