"""Going out into the cold: the sensor's temperature, and who is scored how often."""

import numpy as np
import pytest

from api.validation.means import print_means
from api.validation.simulated import on_grid
from api.validation.temperature import (
    COLDER_K,
    KNOWN,
    SKIN_DEGC,
    TABLE,
    TRIPS_S,
    _outdoors,
    _read,
    _temperature,
    validate_temperature,
)
from processing.grid import GridParams
from processing.synthesis import PatientSpec, simulate

pytestmark = pytest.mark.slow


def test_every_case_is_scored_and_printed() -> None:
    found = validate_temperature(1, seconds=400.0)
    assert len(found) == 2 * len(KNOWN) * 2
    lines: list[str] = []
    print_means(TABLE, found, lines.append)
    assert len(lines) == 2 + len(found)
    assert all(0.0 < row["rotation"] < 20.0 for row in found)


def test_a_sensor_cools_outdoors_and_its_line_takes_most_of_it_out() -> None:
    recording = simulate(PatientSpec(calibration=False), 1, 3700.0, truth=False)
    pair = on_grid(recording, GridParams())
    degc = _temperature(pair)
    out, back = (round(t * pair.rate_hz) for t in TRIPS_S[0])
    before = out - 100
    assert degc[:before].min() == SKIN_DEGC
    assert SKIN_DEGC - COLDER_K < degc[back] < SKIN_DEGC - 0.8 * COLDER_K
    assert degc[-1] > degc[back]
    known = _read(degc, pair.rate_hz)
    assert np.abs(known - degc).max() < 1.2
    moved = _outdoors(pair, "B", KNOWN[1], 5).head_gyr - pair.head_gyr
    left = _outdoors(pair, "B", KNOWN[2], 5).head_gyr - pair.head_gyr
    assert np.abs(moved[:before]).max() == 0.0
    assert np.sqrt(np.mean(left[out:] ** 2)) < 0.3 * np.sqrt(np.mean(moved[out:] ** 2))
