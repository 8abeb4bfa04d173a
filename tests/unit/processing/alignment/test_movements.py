"""The axis of a repeated movement and its sign."""

import numpy as np
import pytest

from processing.alignment.movements import motion_deg, movement_axis
from processing.types import FloatArray

RATE_HZ = 100.0
AXIS = np.array([0.6, 0.0, -0.8])


def swings(*angles_deg: float, length_s: float = 1.0, pause_s: float = 0.4) -> FloatArray:
    """Return rates about `AXIS` of consecutive minimum-jerk moves by these angles, (n, 3)."""
    u = np.arange(round(length_s * RATE_HZ)) / (length_s * RATE_HZ)
    shape = 30.0 * u**2 * (1.0 - u) ** 2 / length_s
    still = np.zeros(round(pause_s * RATE_HZ))
    parts = [still]
    for angle in angles_deg:
        parts += [np.radians(angle) * shape, still]
    return np.outer(np.concatenate(parts), AXIS)


def test_the_first_movement_is_negative_about_the_axis_however_large_the_second() -> None:
    for first in (1.0, -1.0):
        gyr = swings(*(first * a for a in (12, -45, 33, 12, -45, 33, 12, -45, 33)))
        found = movement_axis(gyr, RATE_HZ)
        assert found is not None
        np.testing.assert_allclose(found.axis, -first * AXIS, atol=1e-9)
        assert found.repetitions == 3
        assert found.range_deg == pytest.approx(45.0, abs=0.5)
        assert found.explained == pytest.approx(1.0)
        assert found.scatter_deg < 1e-6


def test_a_wobble_before_the_start_does_not_give_the_sign() -> None:
    wobble = swings(-3.0, length_s=0.6)
    gyr = np.concatenate((wobble, swings(25, -25, 25, -25, 25, -25)))
    found = movement_axis(gyr, RATE_HZ)
    assert found is not None
    np.testing.assert_allclose(found.axis, -AXIS, atol=1e-9)


def test_tremor_faster_than_the_movement_does_not_turn_the_axis() -> None:
    gyr = swings(20, -40, 20, 20, -40, 20, 20, -40, 20)
    t = np.arange(gyr.shape[0]) / RATE_HZ
    # 4 Hz, 3° peak to peak: 38 °/s, as fast as the nod
    tremor = np.radians(1.5) * 2 * np.pi * 4.2 * np.cos(2 * np.pi * 4.2 * t)
    gyr += np.outer(tremor, [0.0, 1.0, 0.0])
    found = movement_axis(gyr, RATE_HZ)
    assert found is not None
    assert np.degrees(np.arccos(abs(found.axis @ AXIS))) < 2.0
    assert found.explained > 0.95
    assert found.repetitions == 3


def test_scatter_grows_with_uneven_axes_and_falls_with_repetitions() -> None:
    def uneven(repetitions: int) -> float:
        parts = []
        for i in range(repetitions):
            one = swings(20, -40, 20)
            one += np.outer(one @ AXIS, [0.0, 0.1 * (-1) ** i, 0.0])
            parts.append(one)
        found = movement_axis(np.concatenate(parts), RATE_HZ)
        assert found is not None
        return found.scatter_deg

    # 0.1 rad to either side
    assert uneven(4) == pytest.approx(5.7 / 2.0, abs=0.1)
    assert uneven(16) == pytest.approx(5.7 / 4.0, abs=0.1)


def test_stillness_has_no_axis() -> None:
    assert movement_axis(np.zeros((500, 3)), RATE_HZ) is None
    assert movement_axis(np.zeros((0, 3)), RATE_HZ) is None
    assert motion_deg(np.zeros((500, 3)), RATE_HZ) == 0.0


def test_motion_is_the_path_not_the_displacement() -> None:
    assert motion_deg(swings(20, -20, 20, -20), RATE_HZ) == pytest.approx(80.0, abs=2.0)
