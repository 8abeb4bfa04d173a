"""Driver of WitMotion BLE 5.0 sensors.

Quirks: they stream as soon as notifications are on and cannot be stopped, tell neither time nor
sample number, and have no serial number, so the address stands in for it. Timing is that of the
arrival, approximate, and lost samples stay unnoticed.
"""

from collections.abc import Sequence

import numpy as np

from firmware_protocol.devices import witmotion
from firmware_protocol.devices.samples import (
    DEG,
    STANDARD_GRAVITY_MS2,
    SampleBlock,
    axes,
)
from ingest.drivers.battery import BATTERY, BatteryWatch, battery_report
from ingest.drivers.driver import (
    SensorEvent,
    SensorIdentity,
    StreamStarted,
)
from ingest.drivers.inbox import Inbox, MonotonicNs, Notification
from ingest.drivers.numbering import connection_boot
from ingest.drivers.registry import DriverEntry
from ingest.drivers.unnumbered import UnnumberedDriver
from ingest.errors import UnknownSensorError
from ingest.transport import Connection

_DATA = 0
_COLUMNS = (
    *axes("acc", 16.0 * STANDARD_GRAVITY_MS2 / 32768.0),
    *axes("gyr", 2000.0 * DEG / 32768.0),
)


class WitMotionDriver(UnnumberedDriver):
    """One WitMotion sensor."""

    def __init__(self, connection: Connection, inbox: Inbox, monotonic_ns: MonotonicNs) -> None:
        super().__init__(connection, monotonic_ns)
        self._inbox = inbox
        self._decoder = witmotion.WitMotionDecoder()
        self._battery = BatteryWatch(connection, inbox, monotonic_ns)
        self._period_s = 0.0

    @property
    def packet_period_s(self) -> float:
        """Time between two samples; several may share a notification."""
        return self._period_s

    @property
    def counters(self) -> dict[str, int]:
        """Bytes that belonged to no frame."""
        noise = self._decoder.counts["noise_bytes"]
        return {"malformed": noise, **self._numbering.counts}

    async def identify(self) -> SensorIdentity:
        """Look for the service; there is nothing that could be read before streaming."""
        if not self._connection.has_characteristic(witmotion.NOTIFY_UUID):
            raise UnknownSensorError("The device is named like a WitMotion but lacks its service.")
        identity = SensorIdentity(
            device_id=f"witmotion-{self._connection.address.replace(':', '').lower()}",
            model=f"WitMotion {self._connection.name or ''}".strip(),
            driver=WITMOTION.name,
            boot=connection_boot(),
            battery_percent=await self._connection.battery_percent(),
        )
        return self._become(identity)

    async def start(self, rate_hz: float) -> StreamStarted:
        """Set the nearest rate (until power-off) and switch notifications on."""
        rate = min(witmotion.RATE_NUMBERS, key=lambda each: abs(each - rate_hz))
        for command in (witmotion.unlock(), witmotion.set_rate(rate)):
            await self._connection.write(witmotion.WRITE_UUID, command, response=False)
        self._numbering.begin("imu", rate)
        self._period_s = 1.0 / rate
        await self._connection.subscribe(witmotion.NOTIFY_UUID, self._inbox.callback(_DATA))
        self._running = True
        empty = SampleBlock("imu", _COLUMNS, np.zeros((0, 6), np.int16))
        return self._one_stream(empty, rate, stamped=False)

    async def stop(self) -> None:
        """Switch notifications off; the sensor has no stop command."""
        if self._running:
            self._running = False
            await self._connection.unsubscribe(witmotion.NOTIFY_UUID)

    async def tend(self) -> None:
        """Look at the battery."""
        await self._battery.look()

    def decode(self, notifications: Sequence[Notification]) -> list[SensorEvent]:
        """Turn notifications into packets; the angles of the sensor's own filter are left out."""
        identity = self._known()
        events: list[SensorEvent] = []
        for item in notifications:
            if item.channel == BATTERY:
                events.append(battery_report(identity, item))
                continue
            for message in self._decoder.feed(item.data):
                if isinstance(message, SampleBlock) and message.stream == "imu":
                    packet = self._numbering.packet(message, item)
                    if packet is not None:
                        events.append(packet)
        return events


WITMOTION = DriverEntry(
    name="witmotion",
    model="WitMotion BLE 5.0",
    service_uuids=frozenset({witmotion.SERVICE_UUID}),
    make=WitMotionDriver,
    name_prefixes=(witmotion.NAME_PREFIX,),
)
"""How a collector recognises a WitMotion."""
