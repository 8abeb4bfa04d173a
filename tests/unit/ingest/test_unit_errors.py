"""What a unit's calibration says of its errors, and its samples without them."""

import numpy as np

from ingest.unit_errors import UnitCalibration, corrected
from processing.types import ImuBlock


def block() -> ImuBlock:
    acc, gyr = np.array([[1.0, 2.0, 3.0]]), np.array([[0.1, 0.2, 0.3]])
    return ImuBlock.checked(np.arange(1), acc, gyr, rate_hz=100.0)


def test_true_is_matrix_times_measured_less_offset() -> None:
    unit = UnitCalibration.from_record(
        {
            "acc_matrix": [[2, 0, 0], [0, 0, 1], [0, 1, 0]],
            "acc_offset_ms2": [0.5, 0, 0],
            "gyr_offset_rads": [0.1, 0.1, 0.1],
        }
    )
    found = corrected(block(), unit)
    assert np.allclose(found.acc, [[1.0, 3.0, 2.0]])
    assert np.allclose(found.gyr, [[0.0, 0.1, 0.2]])


def test_bias_follows_temperature_where_that_was_learnt_and_the_temperature_is_known() -> None:
    unit = UnitCalibration.from_record(
        {"temperature": {"slope_rads_k": [0.01, 0.0, -0.01], "at_degc": 25.0}}
    )
    assert np.allclose(corrected(block(), unit, 35.0).gyr, [[0.0, 0.2, 0.4]])
    assert np.allclose(corrected(block(), unit).gyr, block().gyr)


def test_of_a_unit_never_calibrated_nothing_is_taken_out() -> None:
    assert UnitCalibration.from_record({}) is None
    given = block()
    assert corrected(given, None, 30.0) is given
