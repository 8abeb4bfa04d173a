"""Descriptions agree with the decoders and with themselves."""

import numpy as np
import pytest

from firmware_protocol.devices import witmotion
from firmware_protocol.devices.capture2go_layouts import ACC_SCALE_MS2, GYR_SCALE_RADS
from firmware_protocol.devices.descriptions import (
    CAPTURE2GO,
    DESCRIPTIONS,
    MOVELLA_DOT,
    POLAR_H10,
    WITMOTION,
    DeviceDescription,
    TimeQuality,
    describe,
    describe_advertised,
)
from firmware_protocol.devices.samples import SampleBlock


@pytest.mark.parametrize("model", DESCRIPTIONS.values(), ids=lambda d: d.key)
def test_every_description_is_complete(model: DeviceDescription) -> None:
    assert model.default_rate_hz in model.rates_hz
    for ascending in (model.rates_hz, model.acc_ranges_g, model.gyr_ranges_dps):
        assert list(ascending) == sorted(ascending)
    assert model.limits
    assert (model.gyr_noise_dps_rthz is None) == (model.noise_source == "")
    if not model.has_gyr:
        assert model.gyr_ranges_dps == ()
        assert model.gyr_noise_dps_rthz is None


def test_full_scale_is_the_range_of_the_description() -> None:
    assert pytest.approx(CAPTURE2GO.acc_ranges_g[-1]) == ACC_SCALE_MS2 * 32768 / 9.81
    assert np.rad2deg(GYR_SCALE_RADS * 32768) == pytest.approx(CAPTURE2GO.gyr_ranges_dps[-1])
    full = b"\x55\x61" + b"\xff\x7f" * 9
    imu = witmotion.WitMotionDecoder().feed(full)[0]
    assert isinstance(imu, SampleBlock)
    physical = imu.physical()[0]
    assert physical[0] / 9.80665 == pytest.approx(WITMOTION.acc_ranges_g[-1], rel=1e-4)
    assert np.rad2deg(physical[3]) == pytest.approx(WITMOTION.gyr_ranges_dps[-1], rel=1e-4)


def test_the_nearest_rate() -> None:
    assert MOVELLA_DOT.nearest_rate_hz(104.0) == 60.0
    assert CAPTURE2GO.nearest_rate_hz(75.0) == 100.0
    assert CAPTURE2GO.nearest_rate_hz(0.0) == 1.0


def test_noise_at_a_rate() -> None:
    # white noise of density n over the band up to half the rate
    assert MOVELLA_DOT.gyr_noise_dps(60.0) == pytest.approx(0.007 * np.sqrt(30.0))
    assert WITMOTION.gyr_noise_dps(100.0) is None


def test_only_arrival_has_no_device_time() -> None:
    without = {q for q in TimeQuality if not q.has_device_time}
    assert without == {WITMOTION.time_quality}


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("IMU_ab1234", "capture2go"),
        ("Movesense 204730000081", "movesense"),
        ("Polar H10 12345678", "polar_h10"),
        ("Polar Sense 12345678", "polar_verity_sense"),
        ("WT901BLE68", "witmotion"),
        ("Xsens DOT", "movella_dot"),
        ("Movella DOT", "movella_dot"),
        ("Polar OH1 1", None),
        ("", None),
    ],
)
def test_models_are_told_by_their_advertised_name(name: str, key: str | None) -> None:
    found = describe_advertised(name)
    assert (found.key if found else None) == key


def test_a_sensor_without_gyroscope_says_so() -> None:
    assert not POLAR_H10.has_gyr
    assert "gyroscope" in POLAR_H10.limits[0]


@pytest.mark.parametrize("model", DESCRIPTIONS.values(), ids=lambda d: d.key)
def test_what_is_unknown_has_a_consequence(model: DeviceDescription) -> None:
    for name, consequence in model.unknown.items():
        assert not getattr(model, name)
        assert consequence.endswith(".")
    assert ("gyr_delay_us" in model.unknown) == (model.has_gyr and model.gyr_delay_us is None)


def test_units_are_told_by_identity_and_model() -> None:
    assert describe("movesense-1740", "Movesense") == DESCRIPTIONS["movesense"]
    assert describe("polar-0A1B", "Polar H10") is POLAR_H10
    assert describe("polar-0A1B", "Polar OH1") is None
    assert describe("dot-1") is MOVELLA_DOT
    assert describe("v1-00", "Polar H10") == DESCRIPTIONS["v1"]
    assert describe("") is None
