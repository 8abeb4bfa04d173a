"""A radio whose every answer a test has scripted, and a driver that sends numbered packets."""

# ruff: noqa: ARG002 - the arguments are those of the protocols

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from ingest.drivers import (
    Channel,
    Inbox,
    Notification,
    PacketKind,
    SensorEvent,
    SensorIdentity,
    SensorPacket,
    StreamInfo,
    StreamStarted,
)
from ingest.drivers.driver import BackfillOutcome
from ingest.drivers.registry import DriverEntry, Registry
from ingest.transport import (
    AdapterState,
    AdapterStatus,
    Advertisement,
    DisconnectCallback,
    NotifyCallback,
)

SERVICE = "0000feed-0000-1000-8000-00805f9b34fb"
PERIOD_S = 0.2
READY = AdapterStatus(AdapterState.READY, "ready")


@dataclass
class Sensor:
    """One scripted sensor; tests change it while links run."""

    address: str
    device_id: str
    rssi: int = -60
    visible: bool = True
    silent: bool = False
    connect_errors: list[Exception] = field(default_factory=list)
    identify_error: Exception | None = None
    start_error: Exception | None = None
    tend_error: Exception | None = None
    hang_in: str = ""
    stored: dict[int, range] = field(default_factory=dict)
    drops: set[int] = field(default_factory=set)
    """First indices of stored packets that get lost on their way, once each."""
    boot: int = 1
    has_backfill: bool = False
    index: int = 0
    connects: int = 0
    stops: int = 0
    earlier: tuple[int, ...] | None = None
    released: list[int] = field(default_factory=list)
    asked: list[tuple[int, int, int | None]] = field(default_factory=list)
    callback: NotifyCallback | None = None
    on_disconnect: DisconnectCallback | None = None

    def advertisement(self) -> Advertisement:
        return Advertisement(
            self.address, self.device_id, self.rssi, frozenset({SERVICE}), handle=self
        )

    def lose_link(self) -> None:
        self.callback = None
        if self.on_disconnect is not None:
            self.on_disconnect()

    def send(self, first: int, *, boot: int, stored: bool) -> None:
        if self.callback is not None:
            self.callback(f"{boot}:{first}:{int(stored)}".encode())


class ScriptedConnection:
    """Only what the scripted driver needs."""

    def __init__(self, sensor: Sensor, log: list[str]) -> None:
        self.sensor = sensor
        self.address = sensor.address
        self.name: str | None = sensor.device_id
        self.service_uuids = frozenset({SERVICE})
        self._log = log

    def has_characteristic(self, uuid: str) -> bool:
        return uuid == SERVICE

    def max_write_size(self, uuid: str) -> int:
        return 244

    async def read(self, uuid: str) -> bytes:
        return b""

    async def write(self, uuid: str, data: bytes, *, response: bool) -> None:
        pass

    async def subscribe(self, uuid: str, callback: NotifyCallback) -> None:
        self.sensor.callback = callback

    async def unsubscribe(self, uuid: str) -> None:
        self.sensor.callback = None

    async def battery_percent(self) -> int | None:
        return 50

    async def disconnect(self) -> None:
        self._log.append(f"disconnect {self.address}")
        self.sensor.callback = None
        self.sensor.on_disconnect = None


class ScriptedTransport:
    """A radio; fails the test when scans and connections overlap."""

    def __init__(self, *sensors: Sensor) -> None:
        self.sensors = list(sensors)
        self.status = READY
        self.log: list[str] = []
        self.scan_error: Exception | None = None
        self._busy = False

    def _enter(self, what: str) -> None:
        assert not self._busy, f"{what} while the radio is busy"
        self._busy = True
        self.log.append(what)

    async def adapter_state(self) -> AdapterStatus:
        return self.status

    async def scan(
        self,
        service_uuids: Collection[str],
        *,
        duration_s: float,
        until: Callable[[Advertisement], bool] | None = None,
    ) -> list[Advertisement]:
        self._enter("scan")
        try:
            if self.scan_error is not None:
                raise self.scan_error
            end = asyncio.get_running_loop().time() + duration_s
            while True:
                await asyncio.sleep(0.1)
                heard = [s.advertisement() for s in self.sensors if s.visible]
                if until is not None and any(until(a) for a in heard):
                    return heard
                if asyncio.get_running_loop().time() >= end:
                    return heard
        finally:
            self._busy = False

    async def connect(
        self,
        advertisement: Advertisement,
        *,
        timeout_s: float,
        on_disconnect: DisconnectCallback,
        pair: bool = False,
    ) -> ScriptedConnection:
        sensor = advertisement.handle
        assert isinstance(sensor, Sensor)
        self._enter(f"connect {sensor.address}")
        try:
            await asyncio.sleep(0.5)
            sensor.connects += 1
            if sensor.connect_errors:
                raise sensor.connect_errors.pop(0)
        finally:
            self._busy = False
        sensor.on_disconnect = on_disconnect
        return ScriptedConnection(sensor, self.log)

    async def disconnect_stale(self, addresses: Collection[str]) -> list[str]:
        self.log.append(f"stale {','.join(sorted(addresses))}")
        return []

    async def forget(self, address: str) -> None:
        self.log.append(f"forget {address}")

    async def reset_adapter(self) -> bool:
        self.log.append("reset")
        return True


class ScriptedDriver:
    """Sends a packet of ten samples every 0.2 s."""

    packet_period_s = PERIOD_S

    def __init__(
        self, connection: ScriptedConnection, inbox: Inbox, monotonic_ns: Callable[[], int]
    ) -> None:
        self._connection = connection
        self._sensor = connection.sensor
        self._inbox = inbox
        self._now = monotonic_ns
        self._sending: asyncio.Task[None] | None = None
        self.counters: dict[str, int] = {"malformed": 0}

    async def _maybe_hang(self, where: str) -> None:
        if self._sensor.hang_in == where:
            await asyncio.sleep(1e6)

    async def identify(self) -> SensorIdentity:
        await self._maybe_hang("identify")
        if self._sensor.identify_error is not None:
            raise self._sensor.identify_error
        return SensorIdentity(
            self._sensor.device_id,
            "scripted",
            "scripted",
            boot=self._sensor.boot,
            has_backfill=self._sensor.has_backfill,
        )

    async def start(self, rate_hz: float) -> StreamStarted:
        await self._maybe_hang("start")
        if self._sensor.start_error is not None:
            raise self._sensor.start_error
        await self._connection.subscribe(SERVICE, self._inbox.callback(0))
        self._sending = asyncio.create_task(self._send())
        channels = (Channel("acc_x", "m/s^2", 1.0),)
        info = StreamInfo("imu", channels, "int16", 50.0, "device", "device")
        return StreamStarted(
            self._sensor.device_id,
            self._sensor.boot,
            self._sensor.index,
            (info,),
            self._now(),
            await self.identify(),
            self._sensor.earlier,
        )

    async def _send(self) -> None:
        while True:
            await asyncio.sleep(PERIOD_S)
            sensor = self._sensor
            if not sensor.silent:
                sensor.send(sensor.index, boot=sensor.boot, stored=False)
            sensor.index += 10

    async def stop(self) -> None:
        await self._maybe_hang("stop")
        self._sensor.stops += 1
        if self._sending is not None:
            self._sending.cancel()

    async def tend(self) -> None:
        await self._maybe_hang("tend")
        if self._sensor.tend_error is not None:
            raise self._sensor.tend_error

    def decode(self, notifications: Sequence[Notification]) -> list[SensorEvent]:
        events: list[SensorEvent] = []
        for item in notifications:
            boot, first, stored = (int(x) for x in item.data.split(b":"))
            events.append(
                SensorPacket(
                    self._sensor.device_id,
                    boot,
                    "imu",
                    PacketKind.BACKFILL if stored else PacketKind.LIVE,
                    first,
                    first * 20_000,
                    item.host_mono_ns,
                    np.zeros((10, 1), np.int16),
                )
            )
        return events

    def flush(self) -> list[SensorEvent]:
        return []

    async def release(self, boot: int) -> None:
        self._sensor.released.append(boot)

    async def backfill(
        self, boot: int, first_index: int, last_index: int | None
    ) -> BackfillOutcome:
        self._sensor.asked.append((boot, first_index, last_index))
        await asyncio.sleep(0.1)
        held = self._sensor.stored.get(boot, range(0))
        last = held.stop - 1 if last_index is None else last_index
        firsts = [i for i in range(first_index, last + 1, 10) if i in held]
        for first in firsts:
            if first in self._sensor.drops:
                self._sensor.drops.remove(first)
            else:
                self._sensor.send(first, boot=boot, stored=True)
        return "complete" if firsts else "gone"


REGISTRY = Registry(
    (
        DriverEntry(
            "scripted",
            "Scripted",
            frozenset({SERVICE}),
            ScriptedDriver,  # type: ignore[arg-type]  # it takes the scripted connection only
        ),
    )
)
