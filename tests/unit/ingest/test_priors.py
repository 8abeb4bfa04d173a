"""A unit's own calibration overrules its model; what nobody knows stays unknown."""

import pytest

from firmware_protocol.devices.descriptions import DESCRIPTIONS
from ingest.drivers.catalogue import SUPPORTED
from ingest.priors import SensorPriors, priors_of


def test_the_model_tells_what_the_unit_does_not() -> None:
    dot = priors_of("dot-d422cd001122", "Movella DOT", 60.0, {})
    assert dot.gyr_noise_dps == pytest.approx(0.007 * 30**0.5)
    assert dot.acc_noise_ms2 == pytest.approx(120e-6 * 9.80665 * 30**0.5)
    assert dot.gyr_delay_us is None
    measured = priors_of("dot-d422cd001122", "Movella DOT", 60.0, {"gyro_noise_dps": 0.09})
    assert measured.gyr_noise_dps == 0.09
    assert measured.acc_noise_ms2 == dot.acc_noise_ms2


def test_models_of_one_driver_are_told_apart() -> None:
    assert not priors_of("polar-1", "Polar H10", 100.0, {}).has_gyr
    assert priors_of("polar-1", "Polar Sense", 52.0, {}).has_gyr
    assert priors_of("capture2go-a", "Capture2Go", 100.0, {}).removes_gyr_bias


def test_of_a_stranger_only_its_calibration_is_known() -> None:
    assert priors_of("imported-7", "", 100.0, {}) == SensorPriors()
    known = priors_of("imported-7", "", 100.0, {"gyro_noise_dps": 0.05})
    assert known == SensorPriors(gyr_noise_dps=0.05)


def test_every_description_belongs_to_a_driver() -> None:
    assert {d.driver for d in DESCRIPTIONS.values()} == {e.name for e in SUPPORTED.entries}
