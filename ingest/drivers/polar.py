"""Driver of Polar sensors with the Measurement Data service: Verity Sense, OH1, H10.

Quirks: acceleration and angular rate are separate streams with stamps of their LAST sample (they
are joined here, `ingest.drivers.joining`), the
scale stands partly in the answer to START and partly in the first packet, the device stops streams
by itself (put in the charger), and an H10 has no gyroscope.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from firmware_protocol.devices import polar as pmd
from firmware_protocol.devices.samples import SampleBlock
from firmware_protocol.errors import ProtocolError
from firmware_protocol.gatt import FIRMWARE_UUID, HARDWARE_UUID, SERIAL_UUID
from ingest.drivers.battery import BATTERY, BatteryWatch, battery_report
from ingest.drivers.driver import (
    Channel,
    SensorEvent,
    SensorIdentity,
    StreamStarted,
)
from ingest.drivers.driver import StreamInfo as DriverStream
from ingest.drivers.exchange import Exchange
from ingest.drivers.inbox import Inbox, MonotonicNs, Notification
from ingest.drivers.joining import PairJoiner
from ingest.drivers.numbering import channels_of, connection_boot, stream_of
from ingest.drivers.registry import DriverEntry
from ingest.drivers.unnumbered import UnnumberedDriver
from ingest.errors import (
    CommandRefusedError,
    CommandTimeoutError,
    MalformedAnswerError,
    UnknownSensorError,
)
from ingest.transport import Connection

_DATA = 0
_STREAMS = {pmd.Measurement.ACC: "acc", pmd.Measurement.GYRO: "gyr"}
_GET_SETTINGS, _START, _STOP = 1, 2, 3
_ALREADY = 6
_FIRST_PACKET_S = 8.0
_RANGES = {pmd.Measurement.ACC: 8, pmd.Measurement.GYRO: 2000}
_RESOLUTION_BITS = 16


class PolarDriver(UnnumberedDriver):
    """One Polar sensor."""

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
        self._exchange: Exchange[pmd.ControlAnswer] = Exchange(answer_s=answer_s)
        self._decoder = pmd.PolarDecoder()
        self._peek = pmd.PolarDecoder()
        self._begun: set[str] = set()
        self._battery = BatteryWatch(connection, inbox, monotonic_ns)
        self._offered: tuple[pmd.Measurement, ...] = ()
        self._settings: dict[pmd.Measurement, dict[pmd.Setting, int]] = {}
        self._channels: dict[str, tuple[Channel, ...]] = {}
        self._first: dict[str, asyncio.Future[SampleBlock]] = {}
        self._stopped: set[pmd.Measurement] = set()
        self._rescaled = 0
        self._joiner: PairJoiner | None = None

    @property
    def packet_period_s(self) -> float:
        """Time between two packets; Polar fills notifications, about 1.4 s of samples at most."""
        return 1.0

    @property
    def counters(self) -> dict[str, int]:
        """What the decoder discarded, gaps by time, repeated commands."""
        return {
            "malformed": 0,
            **self._decoder.counts,
            **self._numbering.counts,
            "rescaled": self._rescaled,
            "joined_late": 0 if self._joiner is None else self._joiner.late,
            "commands_repeated": self._exchange.repeated,
        }

    async def identify(self) -> SensorIdentity:
        """Read what the device offers and who it is."""
        if not self._connection.has_characteristic(pmd.CONTROL_UUID):
            raise UnknownSensorError(
                "This Polar device has no measurement service: it cannot send motion."
            )
        try:
            features = pmd.Features.from_bytes(await self._connection.read(pmd.CONTROL_UUID))
        except ProtocolError as error:
            raise MalformedAnswerError(f"The device's features are unreadable: {error}") from error
        self._offered = tuple(kind for kind in _STREAMS if kind in features.measurements)
        if pmd.Measurement.ACC not in self._offered:
            raise UnknownSensorError("This Polar device offers no acceleration.")
        name = self._connection.name or "Polar"
        serial = await self._text(SERIAL_UUID) or name.rsplit(" ", 1)[-1]
        identity = SensorIdentity(
            device_id=f"polar-{serial}",
            model=name.rsplit(" ", 1)[0],
            driver=POLAR.name,
            serial=serial,
            firmware=await self._text(FIRMWARE_UUID),
            hardware=await self._text(HARDWARE_UUID),
            boot=connection_boot(),
            battery_percent=await self._connection.battery_percent(),
            details={"has_gyroscope": pmd.Measurement.GYRO in self._offered},
        )
        return self._become(identity)

    async def start(self, rate_hz: float) -> StreamStarted:
        """Start every motion measurement; the first packet of each tells its scale."""
        await self._connection.subscribe(pmd.CONTROL_UUID, self._on_control)
        loop = asyncio.get_running_loop()
        self._first = {_STREAMS[kind]: loop.create_future() for kind in self._offered}
        await self._connection.subscribe(pmd.DATA_UUID, self._on_data)
        rates: dict[str, float] = {}
        for kind in self._offered:
            settings = await self._choose(kind, rate_hz)
            rates[_STREAMS[kind]] = float(settings[pmd.Setting.RATE])
            self._numbering.begin(_STREAMS[kind], rates[_STREAMS[kind]])
            self._settings[kind] = settings
            await self._begin(kind)
        self._running = True
        done, _ = await asyncio.wait(self._first.values(), timeout=_FIRST_PACKET_S)
        if len(done) < len(self._first):
            raise CommandTimeoutError(
                f"The device started but sent nothing within {_FIRST_PACKET_S:.0f} s.",
                command="START",
            )
        streams: list[DriverStream] = []
        for stream, first in self._first.items():
            self._channels[stream] = channels_of(first.result().columns)
            streams.append(stream_of(first.result(), rate_hz=rates[stream], stamped=True))
        if len(streams) > 1 and len(set(rates.values())) == 1:
            self._joiner = PairJoiner(streams[0].rate_hz)
            streams = [_joined(streams)]
        return self._started(*streams)

    async def stop(self) -> None:
        """Stop every measurement."""
        if not self._running:
            return
        self._running = False
        for kind in self._offered:
            await self._ask(_STOP, kind, pmd.stop(kind))

    async def tend(self) -> None:
        """Start again what the device stopped by itself, and look at the battery."""
        while self._stopped and self._running:
            await self._begin(next(iter(self._stopped)))
        await self._battery.look()

    def decode(self, notifications: Sequence[Notification]) -> list[SensorEvent]:
        """Turn notifications into packets."""
        identity = self._known()
        events: list[SensorEvent] = []
        for item in notifications:
            if item.channel == BATTERY:
                events.append(battery_report(identity, item))
                continue
            for block in self._decoder.feed(item.data):
                if channels_of(block.columns) != self._channels.get(block.stream):
                    # a scale that differs from the record's would be silently wrong
                    self._rescaled += 1
                    continue
                packet = self._numbering.packet(block, item)
                if packet is None:
                    continue
                events.extend([packet] if self._joiner is None else self._joiner.add(packet))
        return events

    def flush(self) -> list[SensorEvent]:
        """Return what waited for its other half."""
        return [] if self._joiner is None else list(self._joiner.flush())

    async def _choose(self, kind: pmd.Measurement, rate_hz: float) -> dict[pmd.Setting, int]:
        """Return one offered value of every setting: nearest rate, 16 bit, 8 g, 2000 deg/s."""
        answer = await self._ask(_GET_SETTINGS, kind, pmd.get_settings(kind))
        chosen = {
            setting: _nearest(setting, values, kind, rate_hz)
            for setting, values in answer.settings.items()
            if values
        }
        if pmd.Setting.RATE not in chosen:
            raise MalformedAnswerError(f"The device offers no rate for {_STREAMS[kind]}.")
        return chosen

    async def _begin(self, kind: pmd.Measurement) -> None:
        command = pmd.start(kind, self._settings[kind])
        answer = await self._ask(_START, kind, command, accept=frozenset({_ALREADY}))
        if answer.status == _ALREADY:
            # left over from an earlier program, with settings that nobody told us
            await self._ask(_STOP, kind, pmd.stop(kind))
            answer = await self._ask(_START, kind, command)
        self._decoder.configure(answer)
        self._peek.configure(answer)
        self._begun.add(_STREAMS[kind])
        self._stopped.discard(kind)

    async def _ask(
        self,
        op: int,
        kind: pmd.Measurement,
        command: bytes,
        *,
        accept: frozenset[int] = frozenset(),
    ) -> pmd.ControlAnswer:
        async def send() -> None:
            await self._connection.write(pmd.CONTROL_UUID, command, response=True)

        name = {_GET_SETTINGS: "GET_SETTINGS", _START: "START", _STOP: "STOP"}[op]
        answer = await self._exchange.ask(
            name, send, lambda each: each.op == op and each.kind == kind
        )
        if answer.status and answer.status not in accept:
            reason = pmd.STATUS_TEXT.get(answer.status, f"status {answer.status}")
            raise CommandRefusedError(
                f"The device refused {name} of {_STREAMS[kind]}: {reason}.",
                command=name,
                status=answer.status,
            )
        return answer

    def _on_control(self, data: bytes) -> None:
        for number in pmd.stopped_by_device(data):
            if number in set(_STREAMS):
                self._stopped.add(pmd.Measurement(number))
        try:
            self._exchange.offer(pmd.ControlAnswer.from_bytes(data))
        except ProtocolError:
            return

    def _on_data(self, data: bytes) -> None:
        self._append(data)
        if all(first.done() for first in self._first.values()):
            return
        for block in self._peek.feed(data):
            first = self._first.get(block.stream)
            # before the answer to START the factor is unknown
            if first is not None and not first.done() and block.stream in self._begun:
                first.set_result(block)

    async def _text(self, uuid: str) -> str:
        if not self._connection.has_characteristic(uuid):
            return ""
        return (await self._connection.read(uuid)).decode(errors="replace").rstrip("\0 ")


def _joined(apart: Sequence[DriverStream]) -> DriverStream:
    """Return the one stream that acceleration and angular rate become."""
    channels = tuple(channel for stream in apart for channel in stream.channels)
    return replace(apart[0], stream="imu", channels=channels, dtype="float32")


def _nearest(
    setting: pmd.Setting, values: Sequence[int], kind: pmd.Measurement, rate_hz: float
) -> int:
    """Return the offered value nearest to what is wanted; the smallest where nothing is."""
    wanted = {
        pmd.Setting.RATE: rate_hz,
        pmd.Setting.RESOLUTION: float(_RESOLUTION_BITS),
        pmd.Setting.RANGE: float(_RANGES[kind]),
    }.get(setting, 0.0)
    return min(values, key=lambda value: abs(value - wanted))


POLAR = DriverEntry(
    name="polar",
    model="Polar",
    service_uuids=frozenset({pmd.SERVICE_UUID}),
    make=PolarDriver,
    name_prefixes=(pmd.NAME_PREFIX,),
)
"""How a collector recognises a Polar sensor."""
