"""Driver of Capture2Go sensors: packed counts at 100 Hz, clock round trips, status.

Where it can record, its samples come from its own file (`ingest.drivers.capture2go_memory`), which
goes on while the link is lost; else they are streamed, and what happens out of range is gone.

Quirks: messages are cut at notification ends and overtaken by real-time ones (the decoder's
matter), samples that the sensor's queue lost are flagged but not counted, and a sensor that was
left streaming must be stopped and cleared first.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from firmware_protocol.devices import capture2go as c2g
from firmware_protocol.devices import capture2go_layouts as wire
from firmware_protocol.devices.capture2go_files import FileBytes
from firmware_protocol.devices.samples import SampleBlock, axes
from ingest.drivers.capture2go_memory import Capture2GoMemory
from ingest.drivers.driver import (
    BackfillOutcome,
    SensorEvent,
    SensorIdentity,
    StatusReport,
    StreamStarted,
    TimeSyncReport,
)
from ingest.drivers.exchange import Exchange
from ingest.drivers.inbox import Inbox, MonotonicNs, Notification
from ingest.drivers.numbering import connection_boot, stream_of
from ingest.drivers.registry import DriverEntry
from ingest.drivers.sync_times import sync_interval_s
from ingest.drivers.unnumbered import UnnumberedDriver
from ingest.errors import CommandRefusedError, UnknownSensorError
from ingest.transport import Connection

_DATA, _FILE, _STORED = 0, 1, 2
_STREAMING, _RECORDING = 2, 3
_STATUS_S = 10.0
_EMPTY = SampleBlock(
    "imu",
    (*axes("acc", wire.ACC_SCALE_MS2), *axes("gyr", wire.GYR_SCALE_RADS)),
    np.zeros((0, 6), np.int16),
)
"""What the samples look like."""
GROWTH_S = 3.0
"""How long a file may be seen not to grow. Shorter takes a sensor that writes whole flash pages for
one that has stopped (4 kB are 2.7 s at 100 Hz), longer loses as much when its memory is full."""
_STATES = {0: "off", 1: "idle", 2: "streaming", 3: "recording"}


class Capture2GoDriver(UnnumberedDriver):
    """One Capture2Go sensor."""

    def __init__(
        self,
        connection: Connection,
        inbox: Inbox,
        monotonic_ns: MonotonicNs,
        *,
        answer_s: float = 3.0,
    ) -> None:
        super().__init__(connection, monotonic_ns)
        self._append = inbox.callback(_DATA)
        self._append_answer = inbox.callback(_DATA, is_data=False)
        self._pieces = (inbox.callback(_FILE), inbox.callback(_STORED, is_data=False))
        self._memory: Capture2GoMemory | None = None
        self._status: c2g.C2gStatus | None = None
        self._asked_ns = 0
        self._answers = c2g.Capture2GoDecoder()
        self._decoder = c2g.Capture2GoDecoder()
        self._exchange: Exchange[c2g.Message] = Exchange(answer_s=answer_s)
        self._asking = False
        self._period_s = 0.0
        self._started_ns = 0
        self._synced_ns = 0

    @property
    def packet_period_s(self) -> float:
        """Time between two packets of eight samples, or between two looks at a growing file."""
        return self._period_s if self._memory is None else GROWTH_S

    @property
    def counters(self) -> dict[str, int]:
        """What the decoder discarded, gaps, repeated commands."""
        return {
            "malformed": 0,
            **self._decoder.counts,
            **self._numbering.counts,
            **(self._memory.counts if self._memory is not None else {}),
            "commands_repeated": self._exchange.repeated,
        }

    async def identify(self) -> SensorIdentity:
        """Stop what may be running and ask for the device information."""
        if not self._connection.has_characteristic(c2g.NOTIFY_UUID):
            raise UnknownSensorError("The device is named like a Capture2Go but lacks its service.")
        await self._connection.subscribe(c2g.NOTIFY_UUID, self._on_notification)
        status = await self._ask(
            "GET_STATUS", c2g.get_status(), lambda m: isinstance(m, c2g.C2gStatus)
        )
        assert isinstance(status, c2g.C2gStatus)
        self._status = status
        if status.state == _STREAMING:
            await self._acknowledged(
                "STOP", c2g.stop_streaming_and_clear(), wire.ID_STOPPED_AND_CLEARED
            )
        info = await self._ask(
            "GET_INFO", c2g.get_device_info(), lambda m: isinstance(m, c2g.DeviceInfo)
        )
        assert isinstance(info, c2g.DeviceInfo)
        identity = SensorIdentity(
            device_id=f"capture2go-{info.serial}",
            model="Capture2Go",
            driver=CAPTURE2GO.name,
            serial=info.serial,
            firmware=f"{info.firmware_revision} {info.firmware}".strip(),
            hardware=info.hardware,
            protocol=str(info.protocol),
            boot=connection_boot(),
            battery_percent=status.battery_percent,
        )
        return self._become(identity)

    async def start(self, rate_hz: float) -> StreamStarted:
        """Choose packed counts without magnetometer at the nearest rate; record, or stream."""
        rate = min(wire.RATES_HZ, key=lambda each: abs(each - rate_hz))
        self._period_s = wire.PACKED_N / rate
        recorded = await self._start_from_memory(rate)
        if recorded is not None:
            return recorded
        mode = c2g.set_measurement_mode(full_packed_hz=rate, status_s=10, with_mag=False)
        await self._write(mode)
        self._numbering.begin("imu", rate)
        await self._acknowledged("START", c2g.start_streaming(), wire.ID_STARTED)
        self._running = True
        self._started_ns = self._now()
        return self._one_stream(_EMPTY, rate, stamped=True)

    async def _start_from_memory(self, rate_hz: float) -> StreamStarted | None:
        """Follow the sensor's own recording; None where it does not record."""
        identity = self._known()
        memory = Capture2GoMemory(identity.device_id, self._ask, self._write, self._pieces)
        # a file of nothing but samples: whatever else stood between them would move them
        mode = c2g.set_measurement_mode(full_packed_hz=rate_hz, status_s=0, with_mag=False)
        recording = self._status is not None and self._status.state == _RECORDING
        self._memory = memory
        following = await memory.begin(mode, rate_hz, recording=recording)
        if following is None:
            self._memory = None
            return None
        self._running = True
        self._started_ns = self._now()
        self._identity = replace(identity, boot=following.boot, has_backfill=True)
        await self._write(c2g.clock_round_trip(self._now()))
        self._synced_ns = self._now()
        memory.follow(following)
        return StreamStarted(
            device_id=identity.device_id,
            boot=following.boot,
            next_index=following.next_index,
            streams=(
                replace(stream_of(_EMPTY, rate_hz=rate_hz, stamped=True), index_source="device"),
            ),
            host_mono_ns=self._now(),
            identity=self._identity,
            earlier=following.earlier,
        )

    async def backfill(
        self, boot: int, first_index: int, last_index: int | None
    ) -> BackfillOutcome:
        """Read a part of a recording; its samples come through the inbox before this returns."""
        if self._memory is None:
            return "refused"
        return await self._memory.backfill(boot, first_index, last_index)

    async def release(self, boot: int) -> None:
        """Delete an ended recording."""
        if self._memory is not None:
            await self._memory.release(boot)

    async def stop(self) -> None:
        """Stop streaming; a recording goes on, so that another program can go on from it."""
        if not self._running:
            return
        self._running = False
        if self._memory is not None:
            await self._memory.end()
        else:
            await self._acknowledged("STOP", c2g.stop_streaming(), wire.ID_STOPPED)

    async def tend(self) -> None:
        """Begin the clock round trip that is due."""
        if not self._running:
            return
        now = self._now()
        interval_s = sync_interval_s((now - self._started_ns) / 1e9)
        if (now - self._synced_ns) / 1e9 >= interval_s:
            self._synced_ns = now
            await self._write(c2g.clock_round_trip(now))
        if self._memory is not None and (now - self._asked_ns) / 1e9 >= _STATUS_S:
            self._asked_ns = now
            await self._write(c2g.get_status())

    def decode(self, notifications: Sequence[Notification]) -> list[SensorEvent]:
        """Turn notifications into packets, statuses and round trips."""
        identity = self._known()
        events: list[SensorEvent] = []
        for item in notifications:
            if item.channel != _DATA:
                assert self._memory is not None
                events += self._memory.packets(item.data, item.host_mono_ns)
                continue
            for message in self._decoder.feed(item.data):
                event = self._event(identity, message, item)
                if event is not None:
                    events.append(event)
        return events

    def _event(
        self, identity: SensorIdentity, message: c2g.Message, item: Notification
    ) -> SensorEvent | None:
        if isinstance(message, SampleBlock):
            return self._numbering.packet(message, item)
        if isinstance(message, c2g.C2gStatus):
            return StatusReport(
                device_id=identity.device_id,
                boot=identity.boot,
                host_mono_ns=item.host_mono_ns,
                battery_percent=message.battery_percent,
                charging=message.charging,
                flash_free_fraction=message.free_percent / 100,
                state=_STATES.get(message.state, str(message.state)),
            )
        if isinstance(message, c2g.ClockRoundTrip):
            return TimeSyncReport(
                device_id=identity.device_id,
                boot=identity.boot,
                host_mono_ns=item.host_mono_ns,
                t1_us=message.host_send_ns // 1000,
                t2_us=message.sensor_receive_ns // 1000,
                t3_us=message.sensor_send_ns // 1000,
                t4_us=item.host_mono_ns // 1000,
            )
        return None

    def _on_notification(self, data: bytes) -> None:
        # answers and pieces of files must be seen at once; decoding waits for the batch
        if self._asking or self._memory is not None:
            for message in self._answers.feed(data):
                if isinstance(message, FileBytes) and self._memory is not None:
                    self._memory.receive(message)
                else:
                    self._exchange.offer(message)
        if self._memory is not None:
            # a sensor that only answers is as good as silent: its recording has ended
            self._append_answer(data)
        elif self._identity is not None:
            self._append(data)

    async def _ask(
        self, name: str, command: bytes, matches: Callable[[c2g.Message], bool]
    ) -> c2g.Message:
        self._asking = True
        try:
            answer = await self._exchange.ask(
                name,
                lambda: self._write(command),
                lambda m: matches(m) or isinstance(m, c2g.Refused),
            )
        finally:
            self._asking = False
        if isinstance(answer, c2g.Refused):
            raise CommandRefusedError(
                f"The sensor refused {name} with error {answer.code}.",
                command=name,
                status=answer.code,
            )
        return answer

    async def _acknowledged(self, name: str, command: bytes, wanted: int) -> None:
        await self._ask(name, command, lambda m: isinstance(m, c2g.Acknowledged) and m.id == wanted)

    async def _write(self, command: bytes) -> None:
        await self._connection.write(c2g.WRITE_UUID, command, response=True)


CAPTURE2GO = DriverEntry(
    name="capture2go",
    model="Capture2Go",
    service_uuids=frozenset({c2g.SERVICE_UUID}),
    make=Capture2GoDriver,
    name_prefixes=(c2g.NAME_PREFIX,),
)
"""How a collector recognises a Capture2Go."""
