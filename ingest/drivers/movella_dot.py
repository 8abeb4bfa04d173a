"""Driver of Movella (Xsens) DOT sensors: acceleration and angular rate, one sample at a time.

Quirks: 60 Hz at most, no sample number, a 32-bit microsecond clock that wraps after 71.6 minutes,
and no identity that could be read by a documented layout, so the address stands in for it.
"""

from collections.abc import Sequence

import numpy as np

from firmware_protocol.devices import movella_dot as dot
from firmware_protocol.devices.samples import DEG, SampleBlock, axes
from ingest.drivers.battery import BATTERY, battery_report
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
_MODE = dot.Mode.RATE_QUANTITIES
_RATE_HZ = 60.0


class DotDriver(UnnumberedDriver):
    """One DOT, measuring at its standard rate of 60 Hz."""

    def __init__(self, connection: Connection, inbox: Inbox, monotonic_ns: MonotonicNs) -> None:
        super().__init__(connection, monotonic_ns)
        self._inbox = inbox
        self._decoder = dot.DotDecoder(_MODE)

    @property
    def packet_period_s(self) -> float:
        """Time between two samples, each a notification of its own."""
        return 1.0 / _RATE_HZ

    @property
    def counters(self) -> dict[str, int]:
        """What the decoder discarded, gaps by time."""
        return {"malformed": 0, **self._decoder.counts, **self._numbering.counts}

    async def identify(self) -> SensorIdentity:
        """Look for the measurement service and read the battery."""
        if not self._connection.has_characteristic(dot.CONTROL_UUID):
            raise UnknownSensorError("The device is named like a DOT but cannot measure.")
        battery = None
        if self._connection.has_characteristic(dot.BATTERY_UUID):
            value = await self._connection.read(dot.BATTERY_UUID)
            battery = value[0] if value and value[0] <= 100 else None
        identity = SensorIdentity(
            device_id=f"dot-{self._connection.address.replace(':', '').lower()}",
            model="Movella DOT",
            driver=DOT.name,
            boot=connection_boot(),
            battery_percent=battery,
        )
        return self._become(identity, clock_modulus_ns=dot.CLOCK_MODULUS_NS)

    async def start(self, rate_hz: float) -> StreamStarted:
        """Start measuring at the rate the sensor is set to; 60 Hz unless somebody changed it."""
        del rate_hz
        # a measurement that an earlier program left running refuses another mode
        await self._connection.write(dot.CONTROL_UUID, dot.stop(_MODE), response=True)
        if self._connection.has_characteristic(dot.BATTERY_UUID):
            await self._connection.subscribe(
                dot.BATTERY_UUID, self._inbox.callback(BATTERY, is_data=False)
            )
        await self._connection.subscribe(dot.characteristic_of(_MODE), self._inbox.callback(_DATA))
        self._numbering.begin("imu", _RATE_HZ)
        await self._connection.write(dot.CONTROL_UUID, dot.start(_MODE), response=True)
        self._running = True
        columns = (*axes("acc", 1.0), *axes("gyr", DEG))
        empty = SampleBlock("imu", columns, np.zeros((0, 6), np.float32))
        return self._one_stream(empty, _RATE_HZ, stamped=True)

    async def stop(self) -> None:
        """Stop measuring."""
        if self._running:
            self._running = False
            await self._connection.write(dot.CONTROL_UUID, dot.stop(_MODE), response=True)

    async def tend(self) -> None:
        """Do nothing: the sensor notifies its battery by itself."""

    def decode(self, notifications: Sequence[Notification]) -> list[SensorEvent]:
        """Turn notifications into packets."""
        identity = self._known()
        events: list[SensorEvent] = []
        for item in notifications:
            if item.channel == BATTERY:
                if item.data and item.data[0] <= 100:
                    events.append(battery_report(identity, item))
                continue
            for message in self._decoder.feed(item.data):
                if isinstance(message, SampleBlock):
                    packet = self._numbering.packet(message, item)
                    if packet is not None:
                        events.append(packet)
        return events


DOT = DriverEntry(
    name="dot",
    model="Movella DOT",
    service_uuids=frozenset({dot.CONFIGURATION_SERVICE_UUID}),
    make=DotDriver,
    name_prefixes=dot.NAME_PREFIXES,
)
"""How a collector recognises a DOT."""
