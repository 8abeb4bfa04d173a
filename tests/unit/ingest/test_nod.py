"""Which of two sensors nodded."""

from dataclasses import replace

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
from ingest.nod import NodVerdict, NodWatch

SCALE = 2000 / 32768 * np.pi / 180
OFFSET = 3000
"""Counts of a gyroscope at rest, 183 deg/s: no sensor is that bad."""


def started(device: str, *, stream: str = "imu") -> StreamStarted:
    names = ("gyr_x", "gyr_y", "gyr_z") if stream == "gyr" else ("acc_x", "gyr_x", "gyr_y", "gyr_z")
    channels = tuple(Channel(n, "rad/s" if n[0] == "g" else "m/s^2", SCALE) for n in names)
    info = StreamInfo(stream, channels, "int16", 100.0, "device", "device")
    return StreamStarted(device, 1, 0, (info,), 0, SensorIdentity(device, "m", "v1"))


def moving(device: str, rate_dps: float, *, n: int = 100, stream: str = "imu") -> SensorPacket:
    counts = np.zeros((n, 3 if stream == "gyr" else 4), np.int16)
    counts[:, -2] = round(rate_dps * 32768 / 2000)
    counts[::2, -2] *= -1
    counts[:, -1] = OFFSET
    return SensorPacket(device, 1, stream, PacketKind.LIVE, 0, 0, 0, counts)


def test_the_nodding_sensor_is_named() -> None:
    watch = NodWatch()
    watch([started("a"), started("b", stream="gyr"), moving("b", 300.0, stream="gyr")])
    assert watch.verdict() == (NodVerdict.SILENT, ""), "one sensor alone proves nothing"
    watch.begin_watch()
    watch([moving("a", 80.0), moving("b", 4.0, stream="gyr")])
    assert watch.verdict() == (NodVerdict.CLEAR, "a")
    assert watch.unrest_dps()["a"] == pytest.approx(80.0, rel=0.01)


def test_halves_that_are_missing_do_not_count() -> None:
    watch = NodWatch()
    watch([started("a"), started("b"), moving("b", 1.0)])
    joined = moving("a", 50.0)
    samples = joined.samples.astype(np.float32)
    samples[::3] = np.nan
    watch([replace(joined, samples=samples), replace(joined, samples=samples[:1])])
    assert watch.verdict() == (NodVerdict.CLEAR, "a")


@pytest.mark.parametrize(
    ("head", "trunk", "verdict"), [(6.0, 1.0, "still"), (80.0, 60.0, "both"), (0.0, 0.0, "still")]
)
def test_no_clear_nod_names_nobody(head: float, trunk: float, verdict: str) -> None:
    watch = NodWatch()
    watch([started("a"), started("b"), moving("a", head), moving("b", trunk)])
    assert watch.verdict() == (NodVerdict(verdict), "")
