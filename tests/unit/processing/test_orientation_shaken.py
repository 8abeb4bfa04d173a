"""What acceleration does to the gyroscope and to the timing of the two sensors."""

import numpy as np
import pytest

from processing import quaternion
from processing.orientation import FilterParams, SensorParams
from processing.orientation.layout import LEAD, POWER, POWER_UP, TH
from processing.orientation.params import constants, initial_state, initial_variances
from processing.orientation.recording import Recording
from processing.orientation.window import run
from processing.types import FloatArray
from tests.unit.processing.test_orientation_pair import turned

RATE = 200.0
SHARED = FilterParams(window_s=0.25)


def filtered(
    gyr: FloatArray, acc: FloatArray, sensor: SensorParams, shared: FilterParams = SHARED
) -> tuple[FloatArray, FloatArray]:
    """Return the running state and the covariance after the last sample."""
    n = gyr.shape[0]
    x, P = initial_state(sensor, RATE)[None], np.diag(initial_variances(sensor, shared))
    run(
        (gyr,),
        (acc,),
        (np.empty((0, 3)),),
        (np.ones(n, dtype=np.bool_),),
        0,
        n,
        0,
        x,
        P,
        np.empty(0),
        constants(sensor, shared)[None],
        1.0 / RATE,
        round(shared.window_s * RATE),
        np.empty((1, n, 4)),
        np.empty(0),
        *Recording.of(0, 1).arrays,
    )
    return x[0], P


def still(seconds: float) -> tuple[FloatArray, FloatArray]:
    n = round(seconds * RATE)
    return np.zeros((n, 3)), np.tile([0.0, 0.0, 9.81], (n, 1))


@pytest.mark.parametrize("delay_s", [0.0, 0.003])
def test_delay_of_the_gyroscope_is_learnt_from_either_side(delay_s: float) -> None:
    t = np.arange(round(60.0 * RATE)) / RATE

    def rate(at: FloatArray) -> FloatArray:
        turning: FloatArray = 3.0 * np.sin(np.outer(4.1 * at, [0.0, 0.0, 1.0]))
        return turning

    q = turned(quaternion.IDENTITY, rate(t - 0.5 / RATE), RATE)
    # pushed in step with the turns, now with them, now against: no tilt looks like that
    side = np.where(t % 20.0 < 10.0, 8.0, -8.0) * np.sin(4.1 * t)
    force = np.column_stack((side, np.zeros_like(t), np.full_like(t, 9.81)))
    acc = quaternion.rotate(quaternion.conjugate(q), force)
    # the row's attitude is that at the end of its interval, and so is its specific force
    lead_s, start_s = np.array([delay_s, 0.0015]) + 0.5 / RATE
    sensor = SensorParams(acc_lead_s=start_s, acc_lead_sigma_s=0.001, offset_sigma_ms2=0.02)
    x, _ = filtered(rate(t - 0.5 / RATE - delay_s), acc, sensor)
    # a minute of this says little, but says it in the right direction
    assert (x[LEAD] - start_s) / (lead_s - start_s) > 0.05


def test_a_blow_makes_the_attitude_less_certain() -> None:
    gyr, acc = still(4.0)
    hit = acc.copy()
    hit[-20] += [0.0, 0.0, 0.6 * RATE]  # velocity changes by 0.6 m/s within one sample
    sensor = SensorParams()
    _, calm = filtered(gyr, acc, sensor)
    _, struck = filtered(gyr, hit, sensor)
    doubt = np.degrees(np.sqrt(struck[TH + 2, TH + 2] - calm[TH + 2, TH + 2]))
    # second differences of one sample are 1, -2, 1 times its height; shaking adds a little
    assert doubt == pytest.approx(0.6 * np.sqrt(6.0) * SHARED.blow_deg, rel=0.1)


def test_vertical_and_horizontal_motion_are_told_apart() -> None:
    gyr, acc = still(10.0)
    t = np.arange(acc.shape[0]) / RATE
    acc[:, 2] += 3.0 * np.sin(2.0 * np.pi * 1.9 * t)
    x, bobbing = filtered(gyr, acc, SensorParams())
    assert x[POWER_UP] > 100.0 * x[POWER]
    acc[:, 0] += 3.0 * np.sin(2.0 * np.pi * 1.9 * t)
    _, swinging = filtered(gyr, acc, SensorParams())
    assert np.trace(bobbing[TH : TH + 2, TH : TH + 2]) < 0.7 * np.trace(
        swinging[TH : TH + 2, TH : TH + 2]
    )
