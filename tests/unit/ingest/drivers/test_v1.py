"""The v1 driver against the protocol's virtual sensor, without radio, on virtual time."""

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from firmware_protocol.control import stop_stream
from firmware_protocol.definition import Feature, RateCode
from firmware_protocol.device import SensorModel, SensorSettings, VirtualSensor
from firmware_protocol.gatt import (
    BACKFILL_UUID,
    CHARACTERISTIC_BY_UUID,
    CONTROL_UUID,
    INFO_UUID,
    MODEL_UUID,
    STREAM_UUID,
)
from ingest.drivers import Inbox, PacketKind, SensorPacket, StatusReport, TimeSyncReport
from ingest.drivers.v1 import V1Driver
from ingest.errors import (
    CommandRefusedError,
    CommandTimeoutError,
    MalformedAnswerError,
    MtuTooSmallError,
    ProtocolVersionError,
    UnknownSensorError,
)
from ingest.record_rows import record_stream
from ingest.transport import NotifyCallback
from tests.support.virtual_time import run_virtual, virtual_ns


class DirectConnection:
    """A link without radio: writes act at once, what is due is delivered by `pump`."""

    address, name = "A", "necktrace"

    def __init__(self, sensor: VirtualSensor, *, mtu: int = 247) -> None:
        self.sensor = sensor
        self.callbacks: dict[str, NotifyCallback] = {}
        self.order: list[str] = []
        self.lose_answers = 0
        self.info: bytes | None = None
        self.missing: set[str] = set()
        sensor.connect(att_mtu=mtu)
        self._pushed = 0

    @property
    def service_uuids(self) -> frozenset[str]:
        return frozenset()

    def has_characteristic(self, uuid: str) -> bool:
        return (uuid in CHARACTERISTIC_BY_UUID or uuid == MODEL_UUID) and uuid not in self.missing

    def max_write_size(self, uuid: str) -> int:
        del uuid
        return 244

    async def read(self, uuid: str) -> bytes:
        if uuid == MODEL_UUID:
            return b"Model X\0"
        if uuid == INFO_UUID and self.info is not None:
            return self.info
        return self.sensor.read(uuid, self.now_us())

    async def write(self, uuid: str, data: bytes, *, response: bool) -> None:
        assert response is (uuid == CONTROL_UUID)
        self.deliver(self.sensor.write(uuid, data, self.now_us()))

    async def subscribe(self, uuid: str, callback: NotifyCallback) -> None:
        self.order.append(uuid)
        self.callbacks[uuid] = callback
        self.deliver(self.sensor.set_subscribed(uuid, on=True, now_us=self.now_us()))

    async def unsubscribe(self, uuid: str) -> None:
        del self.callbacks[uuid]

    async def battery_percent(self) -> int | None:
        return 42

    async def disconnect(self) -> None:
        self.sensor.disconnect()

    def now_us(self) -> int:
        return virtual_ns() // 1000 - 900_000_000

    def deliver(self, outgoing: Any) -> None:
        for each in outgoing:
            if each.uuid == CONTROL_UUID and self.lose_answers > 0:
                self.lose_answers -= 1
                continue
            if each.uuid in self.callbacks:
                self.callbacks[each.uuid](each.data)

    async def pump(self) -> None:
        """Sample and send until cancelled."""
        while True:
            await asyncio.sleep(0.05)
            n = 5
            index = np.arange(self._pushed, self._pushed + n)
            counts = np.repeat(index[:, None] % 30000, self.sensor.model.columns, axis=1)
            times = self.now_us() - 10_000 * np.arange(n)[::-1]
            self.sensor.push_samples(counts.astype(np.int16), times.astype(np.uint64))
            self._pushed += n
            self.deliver(self.sensor.due(self.now_us()))


def play(
    scenario: Callable[[DirectConnection, V1Driver, Inbox], Any],
    *,
    mtu: int = 247,
    features: Feature = Feature.BACKFILL | Feature.TIME_SYNC,
    declared: tuple[float | None, int | None] = (None, None),
) -> Any:
    async def run() -> Any:
        noise, delay_us = declared
        model = SensorModel(
            bytes(range(8)),
            features=features,
            gyr_noise_dps_rthz=noise,
            sample_delay_us=delay_us,
        )
        sensor = VirtualSensor(model, boot_counter=5, settings=SensorSettings(rate=RateCode.HZ_100))
        connection = DirectConnection(sensor, mtu=mtu)
        inbox = Inbox(monotonic_ns=virtual_ns)
        driver = V1Driver(connection, inbox, virtual_ns)
        pumping = asyncio.create_task(connection.pump())
        try:
            return await scenario(connection, driver, inbox)
        finally:
            pumping.cancel()

    return run_virtual(run())


def test_identify_start_stream_stop() -> None:
    async def scenario(connection: DirectConnection, driver: V1Driver, inbox: Inbox) -> None:
        identity = await driver.identify()
        assert identity.device_id == "v1-0001020304050607"
        assert (identity.model, identity.boot, identity.battery_percent) == ("Model X", 5, 42)
        assert identity.has_backfill
        started = await driver.start(99.0)
        # the control point first, the stream last: nothing is sent before it can be heard
        assert connection.order[0] == CONTROL_UUID
        assert connection.order[-1] == STREAM_UUID
        assert connection.sensor.recording
        (info,) = started.streams
        assert info.rate_hz == 100.0
        assert info.channels[0].scale == pytest.approx(16 * 9.80665 / 32768)
        assert info.channels[3].scale == pytest.approx(2000 * np.pi / 180 / 32768)
        assert driver.packet_period_s == pytest.approx(0.18)
        await asyncio.sleep(2)
        await driver.tend()
        events = driver.decode(inbox.drain())
        packets = [e for e in events if isinstance(e, SensorPacket)]
        assert {each.n for p in packets for each in p.notifications()} == {18}
        assert packets[0].first_index == started.next_index
        np.testing.assert_array_equal(
            packets[0].samples[:, 0], packets[0].first_index + np.arange(packets[0].n)
        )
        assert not packets[0].samples.flags.writeable
        trips = [e for e in events if isinstance(e, TimeSyncReport)]
        assert len(trips) == 1
        assert trips[0].offset_us == pytest.approx(-900_000_000)
        assert any(isinstance(e, StatusReport) and e.battery_percent == 42 for e in events)
        await driver.stop()
        await driver.stop()
        assert connection.sensor.live is None
        assert connection.sensor.recording

    play(scenario)


@pytest.mark.parametrize(
    ("declared", "kept"),
    [
        ((0.004, 1500), {"gyr_noise_dps_rthz": 0.004, "gyr_delay_us": 1500}),
        ((None, 0), {"gyr_delay_us": 0}),
        ((None, None), None),
    ],
)
def test_what_the_sensor_says_of_its_gyroscope_goes_with_its_stream(
    declared: tuple[float | None, int | None], kept: dict[str, float] | None
) -> None:
    async def scenario(_connection: DirectConnection, driver: V1Driver, _inbox: Inbox) -> None:
        await driver.identify()
        started = await driver.start(100.0)
        info = record_stream("p1", "head", started.streams[0], started, {})
        assert info.metadata.get("declared") == kept

    play(scenario, declared=declared)


def test_magnetometer_makes_nine_columns() -> None:
    async def scenario(connection: DirectConnection, driver: V1Driver, inbox: Inbox) -> None:
        await driver.identify()
        started = await driver.start(100.0)
        assert [c.name for c in started.streams[0].channels][6:] == ["mag_x", "mag_y", "mag_z"]
        await asyncio.sleep(1)
        packets = [e for e in driver.decode(inbox.drain()) if isinstance(e, SensorPacket)]
        assert next(packets[0].notifications()).samples.shape == (12, 9)
        assert BACKFILL_UUID in connection.order

    play(scenario, features=Feature.MAG | Feature.TIME_SYNC)


def test_backfill_brings_the_asked_range_of_an_earlier_boot() -> None:
    async def scenario(connection: DirectConnection, driver: V1Driver, inbox: Inbox) -> None:
        connection.sensor.recording = True
        await asyncio.sleep(10)
        connection.sensor.reboot()
        connection.sensor.connect()
        await driver.identify()
        await driver.start(100.0)
        assert await driver.backfill(5, 200, 399) == "complete"
        events = driver.decode(inbox.drain())
        stored = [
            e for e in events if isinstance(e, SensorPacket) and e.kind is PacketKind.BACKFILL
        ]
        assert {p.boot for p in stored} == {5}
        assert [i for p in stored for i in range(p.first_index, p.first_index + p.n)] == list(
            range(200, 400)
        )
        assert await driver.backfill(4, 0, None) == "gone"
        await asyncio.sleep(1)
        live = [e for e in driver.decode(inbox.drain()) if isinstance(e, SensorPacket)]
        assert {p.boot for p in live} == {6}

    play(scenario)


def test_lost_answers_are_repeated_and_acted_on_once() -> None:
    async def scenario(connection: DirectConnection, driver: V1Driver, inbox: Inbox) -> None:
        del inbox
        await driver.identify()
        connection.lose_answers = 2
        await driver.start(100.0)
        assert driver.counters["control_repeated"] == 2
        connection.lose_answers = 100
        with pytest.raises(CommandTimeoutError, match="STOP_STREAM within 20 s"):
            await driver.stop()

    play(scenario)


def test_answers_to_nobody_are_counted() -> None:
    async def scenario(connection: DirectConnection, driver: V1Driver, inbox: Inbox) -> None:
        del inbox
        await driver.identify()
        await driver.start(100.0)
        for stray in (b"", b"\x81", bytes(stop_stream(77)), b"\x84\x4d\x01"):
            connection.callbacks[CONTROL_UUID](stray)
        assert driver.counters["control_strays"] == 4

    play(scenario)


@pytest.mark.parametrize(
    ("info", "error"),
    [(b"\x02" + bytes(15), ProtocolVersionError), (b"\x01\x00", MalformedAnswerError)],
)
def test_what_identify_refuses(info: bytes, error: type[Exception]) -> None:
    async def scenario(connection: DirectConnection, driver: V1Driver, inbox: Inbox) -> None:
        del inbox
        connection.info = info
        with pytest.raises(error):
            await driver.identify()
        connection.missing = {INFO_UUID}
        with pytest.raises(UnknownSensorError):
            await driver.identify()

    play(scenario)


def test_small_mtu_and_broken_sensor_are_told_apart() -> None:
    async def too_small(connection: DirectConnection, driver: V1Driver, inbox: Inbox) -> None:
        del connection, inbox
        await driver.identify()
        with pytest.raises(MtuTooSmallError):
            await driver.start(100.0)

    async def broken(connection: DirectConnection, driver: V1Driver, inbox: Inbox) -> None:
        del inbox
        connection.sensor.fault = True
        await driver.identify()
        with pytest.raises(CommandRefusedError, match="motion sensor failed"):
            await driver.start(100.0)

    play(too_small, mtu=23)
    play(broken)


def test_garbage_is_counted_not_raised() -> None:
    async def scenario(connection: DirectConnection, driver: V1Driver, inbox: Inbox) -> None:
        await driver.identify()
        await driver.start(100.0)
        for uuid, callback in connection.callbacks.items():
            if uuid != CONTROL_UUID:
                for data in (b"", b"\xff", bytes(700), b"\x2f" * 40):
                    callback(data)
        events = driver.decode(inbox.drain())
        assert not [e for e in events if isinstance(e, SensorPacket)]
        assert driver.counters["malformed"] >= 12

    play(scenario)


def test_a_stream_left_running_is_restarted() -> None:
    async def scenario(connection: DirectConnection, driver: V1Driver, inbox: Inbox) -> None:
        del inbox
        await driver.identify()
        await driver.start(100.0)
        again = V1Driver(connection, Inbox(monotonic_ns=virtual_ns), virtual_ns)
        await again.identify()
        started = await again.start(50.0)
        assert started.streams[0].rate_hz == 50.0

    play(scenario)
