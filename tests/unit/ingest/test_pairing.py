"""Which of two sensors nodded."""

import numpy as np
import pytest

from ingest.drivers import (
    Channel,
    PacketKind,
    SensorIdentity,
    SensorPacket,
    StreamInfo,
    StreamStarted,
)
from ingest.pairing import NodWatch, PairedSensor

SCALE = 2000 / 32768 * np.pi / 180


def started(device: str, *, stream: str = "imu") -> StreamStarted:
    names = ("gyr_x", "gyr_y", "gyr_z") if stream == "gyr" else ("acc_x", "gyr_x", "gyr_y", "gyr_z")
    channels = tuple(Channel(n, "rad/s" if n[0] == "g" else "m/s^2", SCALE) for n in names)
    info = StreamInfo(stream, channels, "int16", 100.0, "device", "device")
    return StreamStarted(device, 1, 0, (info,), 0, SensorIdentity(device, "m", "v1"))


def moving(device: str, rate_dps: float, *, n: int = 100, stream: str = "imu") -> SensorPacket:
    counts = np.zeros((n, 3 if stream == "gyr" else 4), np.int16)
    counts[:, -2] = round(rate_dps * 32768 / 2000)
    return SensorPacket(device, 1, stream, PacketKind.LIVE, 0, 0, 0, counts)


def test_the_nodding_sensor_is_named() -> None:
    watch = NodWatch()
    watch([started("a"), started("b", stream="gyr"), moving("b", 300.0, stream="gyr")])
    assert watch.nodded() is None, "one sensor alone proves nothing"
    watch.begin_watch()
    watch([moving("a", 80.0), moving("b", 4.0, stream="gyr")])
    assert watch.nodded() == "a"
    assert watch.mean_rates_dps()["a"] == pytest.approx(80.0, rel=0.01)


@pytest.mark.parametrize(("head", "trunk"), [(10.0, 1.0), (80.0, 60.0), (0.0, 0.0)])
def test_no_clear_nod_names_nobody(head: float, trunk: float) -> None:
    watch = NodWatch()
    watch([started("a"), started("b"), moving("a", head), moving("b", trunk)])
    assert watch.nodded() is None


def test_a_paired_sensor_is_wished_for_exactly() -> None:
    sensor = PairedSensor(SensorIdentity("v1-00", "m", "v1"), "A", "necktrace 00")
    wish = sensor.wish(104.0)
    assert (wish.device_id, wish.address, wish.name, wish.driver, wish.rate_hz) == (
        "v1-00",
        "A",
        "necktrace 00",
        "v1",
        104.0,
    )
