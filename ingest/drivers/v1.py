"""Driver of our own sensor: protocol v1 on a `Connection`."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from firmware_protocol import control
from firmware_protocol.answers import DeviceConfig
from firmware_protocol.answers import StreamStarted as StartAnswer
from firmware_protocol.control import Answer, Request
from firmware_protocol.definition import (
    MAJOR,
    RATE_HZ,
    ControlStatus,
    Feature,
    FrameType,
    RangeOperator,
    RateCode,
    TimeSyncOp,
)
from firmware_protocol.errors import ProtocolError, VersionError
from firmware_protocol.frames import SEQ_MODULUS
from firmware_protocol.gatt import (
    BACKFILL_UUID,
    FIRMWARE_UUID,
    HARDWARE_UUID,
    INFO_UUID,
    MANUFACTURER_UUID,
    MODEL_UUID,
    SERIAL_UUID,
    SERVICE_UUID,
    STATUS_UUID,
    STREAM_UUID,
    TIME_SYNC_UUID,
    max_value_size,
    samples_per_frame,
)
from firmware_protocol.info import ProtocolInfo
from firmware_protocol.status import Status
from firmware_protocol.timesync import TimeSync
from firmware_protocol.tlv import SampleRange
from ingest.drivers.driver import (
    BackfillOutcome,
    Channel,
    SensorEvent,
    SensorIdentity,
    StreamInfo,
    StreamStarted,
)
from ingest.drivers.inbox import Inbox, MonotonicNs, Notification
from ingest.drivers.registry import DriverEntry
from ingest.drivers.sync_times import sync_interval_s
from ingest.drivers.v1_control import ControlLimits, ControlPoint
from ingest.drivers.v1_decode import LIVE, STATUS, STORED, SYNC, V1Decoder
from ingest.errors import (
    CommandRefusedError,
    MalformedAnswerError,
    MtuTooSmallError,
    ProtocolVersionError,
    UnknownSensorError,
)
from ingest.transport import Connection

_MTU_SENTENCE = "The connection's packets are too small to carry one sample of this sensor."
_Value = TypeVar("_Value", ProtocolInfo, Status)
_Content = TypeVar("_Content", DeviceConfig, StartAnswer)
_log = logging.getLogger("ingest.link")
_INFORMATION = {
    "manufacturer": MANUFACTURER_UUID,
    "model": MODEL_UUID,
    "serial": SERIAL_UUID,
    "firmware": FIRMWARE_UUID,
    "hardware": HARDWARE_UUID,
}


@dataclass(frozen=True, slots=True)
class V1Schedule:
    """How often the driver asks for what."""

    status_silence_s: float = 30.0
    """The sensor notifies Status every 10 s; after this long it is asked again."""
    battery_s: float = 60.0


class V1Driver:
    """One sensor that speaks protocol v1."""

    def __init__(
        self,
        connection: Connection,
        inbox: Inbox,
        monotonic_ns: MonotonicNs,
        *,
        schedule: V1Schedule | None = None,
        control_limits: ControlLimits | None = None,
    ) -> None:
        self._connection = connection
        self._inbox = inbox
        self._now = monotonic_ns
        self._schedule = schedule or V1Schedule()
        self._control = ControlPoint(connection, control_limits)
        self._identity: SensorIdentity | None = None
        self._features = Feature(0)
        self._att_mtu = 0
        self._decoder = V1Decoder("", 0)
        self._reporting = False
        self._period_s = 0.0
        self._started_ns: int | None = None
        self._synced_ns = 0
        self._sync_seq = 0
        self._battery_ns = 0

    @property
    def packet_period_s(self) -> float:
        """Time between two live frames."""
        return self._period_s

    @property
    def counters(self) -> dict[str, int]:
        """Frames, bytes that were no frames, and losses by frame sequence."""
        return {
            **self._decoder.counts,
            "control_repeated": self._control.repeated,
            "control_strays": self._control.strays,
        }

    async def identify(self) -> SensorIdentity:
        """Read Protocol Info, the device information, and Status (which needs encryption)."""
        if not self._connection.has_characteristic(INFO_UUID):
            raise UnknownSensorError(
                "The device advertises our service but has no Protocol Info characteristic."
            )
        info = _decoded(ProtocolInfo, await self._connection.read(INFO_UUID))
        details = {
            key: (await self._connection.read(uuid)).decode(errors="replace").rstrip("\0 ")
            for key, uuid in _INFORMATION.items()
            if self._connection.has_characteristic(uuid)
        }
        status = _decoded(Status, await self._connection.read(STATUS_UUID))
        battery_percent = await self._connection.battery_percent()
        self._features = Feature(info.features)
        self._att_mtu = status.att_mtu
        identity = SensorIdentity(
            device_id=f"v1-{info.device_id_hex}",
            model=details.get("model", "") or "necktrace sensor",
            driver=V1.name,
            serial=details.get("serial", ""),
            firmware=details.get("firmware", ""),
            hardware=details.get("hardware", ""),
            protocol=f"{info.major}.{info.minor}",
            boot=status.boot_counter,
            battery_percent=battery_percent,
            has_backfill=Feature.BACKFILL in self._features,
            details={
                "manufacturer": details.get("manufacturer", ""),
                "features": info.features,
                "max_payload": info.max_payload,
                "att_mtu": status.att_mtu,
                "connection_interval_ms": status.connection_interval_ms,
            },
        )
        self._identity = identity
        self._decoder = V1Decoder(identity.device_id, identity.boot)
        self._decoder.battery_percent = battery_percent
        return identity

    async def start(self, rate_hz: float) -> StreamStarted:
        """Subscribe, read the configuration, time one round trip, start recording and streaming."""
        identity = self._known()
        if samples_per_frame(max_value_size(self._att_mtu)) == 0:
            raise MtuTooSmallError(_MTU_SENTENCE, mtu=self._att_mtu)
        await self._control.subscribe()
        for uuid, channel in (
            (STATUS_UUID, STATUS),
            (TIME_SYNC_UUID, SYNC),
            (BACKFILL_UUID, STORED),
            (STREAM_UUID, LIVE),
        ):
            if self._connection.has_characteristic(uuid):
                callback = self._inbox.callback(channel, is_data=channel == LIVE)
                await self._connection.subscribe(uuid, callback)
        config = _content(DeviceConfig, await self._control.ask(control.get_config))
        if config.n_per_frame == 0:
            raise MtuTooSmallError(_MTU_SENTENCE, mtu=self._att_mtu)
        await self._send_time_sync()
        if identity.has_backfill:
            await self._keep_recording()
        rate = _nearest_rate(config.rate_codes or (config.rate_code,), rate_hz)
        with_mag = Feature.MAG in self._features and config.mag_range_ut is not None
        begun = await self._start_stream(rate, with_mag=with_mag)
        if declared := _declared(config):
            identity = replace(identity, details={**identity.details, "declared": declared})
        self._decoder.columns = 9 if with_mag else 6
        nominal_hz = RATE_HZ[rate]
        self._period_s = begun.n_per_frame / nominal_hz
        self._started_ns = self._now()
        return StreamStarted(
            device_id=identity.device_id,
            boot=begun.boot_counter,
            next_index=begun.next_index,
            streams=(_stream_info(config, nominal_hz, with_mag=with_mag),),
            host_mono_ns=self._now(),
            identity=identity,
        )

    async def stop(self) -> None:
        """End the live stream and read Status a last time; recording goes on."""
        if self._started_ns is None:
            return
        self._started_ns = None
        if self._reporting:
            await self._abort()
        await self._control.ask(control.stop_stream, accept=frozenset({ControlStatus.WRONG_STATE}))

    async def tend(self) -> None:
        """Send the time sync that is due, and look at the battery."""
        if self._started_ns is None:
            return
        now, schedule = self._now(), self._schedule
        interval_s = sync_interval_s((now - self._started_ns) / 1e9)
        if (now - self._synced_ns) / 1e9 >= interval_s:
            await self._send_time_sync()
        if (now - self._battery_ns) / 1e9 >= schedule.battery_s:
            self._battery_ns = now
            self._decoder.battery_percent = await self._connection.battery_percent()

    async def backfill(
        self, boot: int, first_index: int, last_index: int | None
    ) -> BackfillOutcome:
        """Ask for a range; its frames come through the inbox before this returns."""
        if last_index is None:
            wanted = SampleRange(RangeOperator.FROM, boot, first_index)
        else:
            wanted = SampleRange.between(boot, first_index, last_index)
        self._decoder.begin_report(boot)
        if self._reporting:
            await self._abort()
        self._reporting = True
        answer = await self._control.ask(
            lambda token: control.report(token, wanted),
            progress=lambda: self._inbox.received_on(STORED),
            accept=frozenset(ControlStatus),
        )
        self._reporting = False
        if answer.status == ControlStatus.OK:
            return "complete"
        if answer.status == ControlStatus.NO_RECORDS:
            return "gone"
        if answer.status in {ControlStatus.NOT_COMPLETED, ControlStatus.BUSY}:
            return "interrupted"
        return "refused"

    async def release(self, boot: int) -> None:
        """Do nothing: its ring overwrites what is oldest by itself."""
        del boot

    def decode(self, notifications: Sequence[Notification]) -> list[SensorEvent]:
        """Turn notifications into events, in order of arrival."""
        return self._decoder.decode(notifications)

    def flush(self) -> list[SensorEvent]:
        """Return nothing: frames are complete when they come."""
        return []

    async def _send_time_sync(self) -> None:
        if Feature.TIME_SYNC not in self._features:
            return
        self._synced_ns = self._now()
        self._sync_seq = (self._sync_seq + 1) % SEQ_MODULUS
        request = TimeSync(TimeSyncOp.REQUEST, self._sync_seq, self._now() // 1000)
        await self._connection.write(TIME_SYNC_UUID, bytes(request), response=False)

    async def _keep_recording(self) -> None:
        """Let the sensor store what it samples, so that a lost link loses nothing."""
        try:
            await self._control.ask(lambda token: control.record(token, on=True))
        except CommandRefusedError as error:
            _log.warning("the sensor does not record: %s", error, extra={"event": "record_refused"})

    async def _start_stream(self, rate: RateCode, *, with_mag: bool) -> StartAnswer:
        """Start; a stream that an earlier program left running is stopped first."""
        frame_type = FrameType.IMU9 if with_mag else FrameType.IMU6

        def request(token: int) -> Request:
            return control.start_stream(token, frame_type=frame_type, rate=rate)

        answer = await self._control.ask(request, accept=frozenset({ControlStatus.WRONG_STATE}))
        if answer.status == ControlStatus.WRONG_STATE:
            await self._control.ask(control.stop_stream)
            answer = await self._control.ask(request)
        return _content(StartAnswer, answer)

    async def _abort(self) -> None:
        """End a REPORT whose answer was not waited for."""
        await self._control.ask(control.abort, accept=frozenset(ControlStatus))
        self._reporting = False

    def _known(self) -> SensorIdentity:
        if self._identity is None:
            raise RuntimeError("identify() comes before everything else")
        return self._identity


def _decoded(kind: type[_Value], data: bytes) -> _Value:
    try:
        return kind.from_bytes(data)
    except VersionError as error:
        raise ProtocolVersionError(sensor_major=error.got, program_major=MAJOR) from error
    except ProtocolError as error:
        raise MalformedAnswerError(f"{kind.__name__} is unreadable: {error}") from error


def _content(kind: type[_Content], answer: Answer) -> _Content:
    try:
        return kind.from_answer(answer)
    except ProtocolError as error:
        raise MalformedAnswerError(f"The answer is unreadable: {error}") from error


def _declared(config: DeviceConfig) -> dict[str, float]:
    """Return what a sensor says of its own gyroscope, as far as it does."""
    said = {
        "gyr_noise_dps_rthz": config.gyr_noise_dps_rthz,
        "gyr_delay_us": config.sample_delay_us,
    }
    return {name: value for name, value in said.items() if value is not None}


def _nearest_rate(codes: Sequence[int], rate_hz: float) -> RateCode:
    known = [RateCode(code) for code in codes if code in RATE_HZ]
    if not known:
        raise MalformedAnswerError("The sensor offers no sample rate that this program knows.")
    return min(known, key=lambda code: abs(RATE_HZ[code] - rate_hz))


def _stream_info(config: DeviceConfig, rate_hz: float, *, with_mag: bool) -> StreamInfo:
    channels = [Channel(f"acc_{axis}", "m/s^2", config.acc_scale_ms2) for axis in "xyz"]
    channels += [Channel(f"gyr_{axis}", "rad/s", config.gyr_scale_rads) for axis in "xyz"]
    if with_mag and config.mag_scale_ut is not None:
        channels += [Channel(f"mag_{axis}", "uT", config.mag_scale_ut) for axis in "xyz"]
    return StreamInfo("imu", tuple(channels), "int16", rate_hz, "device", "device")


V1 = DriverEntry(
    name="v1",
    model="necktrace sensor",
    service_uuids=frozenset({SERVICE_UUID}),
    make=V1Driver,
    may_pair=True,
)
"""How a collector recognises our own sensor."""
