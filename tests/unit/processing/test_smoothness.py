"""SPARC and dimensionless jerk against the published numbers."""

import numpy as np
import pytest

from processing.errors import InputError
from processing.smoothness import dimensionless_jerk, log_dimensionless_jerk, sparc
from processing.types import FloatArray


def bell() -> FloatArray:
    """exp(-5 t²), t = -1 .. 1 s, 100 Hz, 200 samples: the published example."""
    return np.exp(-5.0 * np.arange(-1.0, 1.0, 0.01) ** 2)


def test_published_numbers() -> None:
    assert bell().shape == (200,)
    assert sparc(bell(), 100.0) == pytest.approx(-1.41403, abs=5e-6)
    assert dimensionless_jerk(bell(), 100.0) == pytest.approx(-335.74684, abs=5e-6)
    assert log_dimensionless_jerk(bell(), 100.0) == pytest.approx(-5.81636, abs=5e-6)


def test_neither_speed_unit_nor_size_matters_and_tremor_is_rough() -> None:
    t = np.arange(200) * 0.01
    assert sparc(40.0 * bell(), 100.0) == pytest.approx(sparc(bell(), 100.0), abs=1e-12)
    shaky = bell() * (1.0 + 0.3 * np.sin(2 * np.pi * 5.0 * t))
    assert sparc(shaky, 100.0) < sparc(bell(), 100.0) - 0.1
    assert log_dimensionless_jerk(shaky, 100.0) < log_dimensionless_jerk(bell(), 100.0) - 1.0


@pytest.mark.parametrize(
    ("speed", "words"),
    [
        (np.zeros(50), "no movement"),
        (np.array([1.0]), "needs"),
        (np.array([1.0, np.nan, 2.0, 1.0]), "missing samples"),
    ],
)
def test_what_is_no_movement_is_refused(speed: FloatArray, words: str) -> None:
    with pytest.raises(InputError, match=words):
        sparc(speed, 100.0)
    with pytest.raises(InputError, match=words):
        dimensionless_jerk(speed, 100.0)
