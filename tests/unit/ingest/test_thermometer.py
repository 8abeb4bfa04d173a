"""A unit's temperature: which reports count, and how they are smoothed."""

import numpy as np
import pytest

from ingest.thermometer import READ_EVERY_NS, SMOOTHED_NS, Thermometer


def test_a_thermometer_takes_one_report_in_thirty_seconds_and_smooths_it() -> None:
    thermometer = Thermometer()
    assert thermometer.of(1) is None
    thermometer.read(1, 10, 30.0)
    thermometer.read(1, 10 + READ_EVERY_NS - 1, 99.0)
    assert thermometer.of(1) == 30.0
    thermometer.read(1, 10 + READ_EVERY_NS, 31.0)
    keep = np.exp(-READ_EVERY_NS / SMOOTHED_NS)
    assert thermometer.of(1) == pytest.approx(30.0 * keep + 31.0 * (1.0 - keep))
    assert thermometer.of(2) is None
    thermometer.read(2, 20 + READ_EVERY_NS, 25.0)
    assert thermometer.of(2) == 25.0
