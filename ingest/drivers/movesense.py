"""Driver of Movesense sensors with the GATT SensorData Protocol of the default firmware.

Quirks: answers may never come, errors may be big-endian, a sensor forgets every subscription with
the link, and only the first sample of a packet is stamped, in whole milliseconds.
"""

from collections.abc import Sequence

import numpy as np

from firmware_protocol.devices import movesense as gsp
from firmware_protocol.devices.samples import DEG, SampleBlock, axes
from ingest.drivers.battery import BATTERY, BatteryWatch, battery_report
from ingest.drivers.driver import (
    SensorEvent,
    SensorIdentity,
    StreamStarted,
)
from ingest.drivers.exchange import Exchange
from ingest.drivers.inbox import Inbox, MonotonicNs, Notification
from ingest.drivers.numbering import connection_boot
from ingest.drivers.registry import DriverEntry
from ingest.drivers.unnumbered import UnnumberedDriver
from ingest.errors import CommandRefusedError, MalformedAnswerError, UnknownSensorError
from ingest.transport import Connection

_DATA, _HELLO, _IMU = 0, 1, 2
_RESPONSE = 1


class MovesenseDriver(UnnumberedDriver):
    """One Movesense sensor: acceleration and angular rate in one subscription."""

    def __init__(
        self,
        connection: Connection,
        inbox: Inbox,
        monotonic_ns: MonotonicNs,
        *,
        answer_s: float = 3.0,
    ) -> None:
        super().__init__(connection, monotonic_ns)
        self._inbox = inbox
        self._append = inbox.callback(_DATA)
        self._exchange: Exchange[gsp.Response] = Exchange(answer_s=answer_s)
        self._decoder = gsp.MovesenseDecoder()
        self._period_s = 0.0
        self._battery = BatteryWatch(connection, inbox, monotonic_ns)

    @property
    def packet_period_s(self) -> float:
        """Time between two packets: four samples up to 52 Hz, eight above."""
        return self._period_s

    @property
    def counters(self) -> dict[str, int]:
        """What the decoder discarded, gaps by time, repeated commands."""
        return {
            "malformed": 0,
            **self._decoder.counts,
            **self._numbering.counts,
            "commands_repeated": self._exchange.repeated,
        }

    async def identify(self) -> SensorIdentity:
        """Switch notifications on and say HELLO."""
        if not self._connection.has_characteristic(gsp.NOTIFY_UUID):
            raise UnknownSensorError(
                "This Movesense has no SensorData service: its firmware is not the default one."
            )
        await self._connection.subscribe(gsp.NOTIFY_UUID, self._on_notification)
        answer = await self._ask("HELLO", gsp.hello(_HELLO), _HELLO)
        hello = answer.hello
        if hello is None:
            raise MalformedAnswerError("The sensor's answer to HELLO is unreadable.")
        identity = SensorIdentity(
            device_id=f"movesense-{hello.serial}",
            model=f"Movesense {hello.product.removeprefix('Movesense').strip()}".strip(),
            driver=MOVESENSE.name,
            serial=hello.serial,
            firmware=f"{hello.app_name} {hello.app_version}".strip(),
            protocol=f"GSP {hello.protocol}",
            boot=connection_boot(),
            battery_percent=await self._connection.battery_percent(),
        )
        return self._become(identity, clock_modulus_ns=gsp.CLOCK_MODULUS_NS)

    async def start(self, rate_hz: float) -> StreamStarted:
        """Subscribe acceleration and angular rate at the nearest rate."""
        rate = min(gsp.RATES_HZ, key=lambda each: abs(each - rate_hz))
        self._decoder.expect(gsp.imu6_path(rate), _IMU)
        self._numbering.begin("imu", rate)
        answer = await self._ask("SUBSCRIBE", gsp.subscribe(gsp.imu6_path(rate), _IMU), _IMU)
        if not answer.ok:
            error = CommandRefusedError(
                f"The sensor refused the subscription with status {answer.status}.",
                command="SUBSCRIBE",
                status=answer.status or 0,
            )
            error.remedy = "End its connection to a phone, or restart the sensor."
            raise error
        self._running = True
        self._period_s = (4 if rate <= 52 else 8) / rate
        empty = SampleBlock(
            "imu", (*axes("acc", 1.0), *axes("gyr", DEG)), np.zeros((0, 6), np.float32)
        )
        return self._one_stream(empty, rate, stamped=True)

    async def stop(self) -> None:
        """End the subscription."""
        if self._running:
            self._running = False
            await self._ask("UNSUBSCRIBE", gsp.unsubscribe(_IMU), _IMU)

    async def tend(self) -> None:
        """Look at the battery once a minute."""
        await self._battery.look()

    def decode(self, notifications: Sequence[Notification]) -> list[SensorEvent]:
        """Turn notifications into packets."""
        identity = self._known()
        events: list[SensorEvent] = []
        for item in notifications:
            if item.channel == BATTERY:
                events.append(battery_report(identity, item))
                continue
            for message in self._decoder.feed(item.data):
                if isinstance(message, SampleBlock):
                    packet = self._numbering.packet(message, item)
                    if packet is not None:
                        events.append(packet)
        return events

    def _on_notification(self, data: bytes) -> None:
        if data[:1] == bytes((_RESPONSE,)):
            self._exchange.offer(gsp.Response(data[1] if len(data) > 1 else 0, data[2:]))
        else:
            self._append(data)

    async def _ask(self, name: str, command: bytes, reference: int) -> gsp.Response:
        async def send() -> None:
            await self._connection.write(gsp.WRITE_UUID, command, response=True)

        return await self._exchange.ask(name, send, lambda answer: answer.reference == reference)


MOVESENSE = DriverEntry(
    name="movesense",
    model="Movesense",
    service_uuids=frozenset({gsp.SERVICE_UUID, gsp.ADVERTISED_UUID}),
    make=MovesenseDriver,
    name_prefixes=(gsp.NAME_PREFIX,),
)
"""How a collector recognises a Movesense."""
