"""A sensor of protocol v1 as a state machine: every rule of the protocol, no radio and no clock.

All times are device time, µs since the sensor's boot; the caller owns the clock and starts it again
at zero after `VirtualSensor.reboot`.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from firmware_protocol.definition import (
    EVENT,
    MAJOR,
    STATUS_PERIOD_US,
    DeviceState,
    EventCode,
    Feature,
    FrameFlag,
    FrameType,
    Property,
    StatusFlag,
    TimeSyncOp,
)
from firmware_protocol.device import control_point
from firmware_protocol.device.flash import Flash
from firmware_protocol.device.live import LiveStream
from firmware_protocol.device.model import Outgoing, SensorModel, SensorSettings
from firmware_protocol.device.reports import Report
from firmware_protocol.errors import AttRejectedError, FieldError, ProtocolError
from firmware_protocol.frames import INDEX_MODULUS, encode_frame
from firmware_protocol.gatt import (
    BACKFILL_UUID,
    CHARACTERISTIC_BY_UUID,
    CONTROL_UUID,
    INFO_UUID,
    STATUS_UUID,
    STREAM_UUID,
    TIME_SYNC_UUID,
    max_value_size,
    samples_per_frame,
)
from firmware_protocol.info import ProtocolInfo
from firmware_protocol.status import Status
from firmware_protocol.timesync import TimeSync

_NO_LINK_MTU = 23
_SAMPLE_FLAGS = FrameFlag.CLOCK_STEPPED | FrameFlag.OVERRUN
_BUTTON_HOLDS_US = 30_000_000
_FRAME_COST = 1_000_000
"""Credit for one stored frame: microseconds times frames per second."""


class VirtualSensor:
    """One sensor, from production to its last reboot.

    Parameters
    ----------
    model
        What it is.
    boot_counter
        Number of this boot; rises by one with every `reboot`.
    settings
        Rate and ranges; GET_CONFIG tells them, SET_CONFIG changes them.
    recording
        Whether it records to flash from the start.
    """

    def __init__(
        self,
        model: SensorModel,
        *,
        boot_counter: int = 1,
        settings: SensorSettings | None = None,
        recording: bool = False,
    ) -> None:
        self.model = model
        self.boot_counter = boot_counter
        self.settings = settings or SensorSettings()
        self.recording = recording
        self.flash = Flash(model.flash_samples, model.columns)
        self.next_index = 0
        """Index of the next sample of this boot."""
        self.battery_mv = 3900
        self.temperature_half_degc = 60
        self.flags = StatusFlag(0)
        """Charging, low battery, pairing window; flash wrapped is added by itself."""
        self.fault = False
        """Whether the motion sensor failed: START is refused, the state says so."""
        self.wall_time: tuple[int, int] | None = None
        """Device time and UTC, both µs, of the last SET_WALL_TIME."""
        self.identify_until_us = 0
        """The LED blinks until then."""
        self.button_us: int | None = None
        """When the button was pressed last."""
        self.live: LiveStream | None = None
        self.report: Report | None = None
        self.measured_rate_mhz: int | None = None
        """Rate against the device clock, mHz; None until enough samples were taken."""
        self._clear_link()
        self.frames_dropped_before = 0
        self._rate_start: tuple[int, int] | None = None

    def _clear_link(self) -> None:
        self.att_mtu: int | None = None
        """ATT MTU of the connection; None while nobody is connected."""
        self.interval_1250us = 0
        self.subscribed: set[str] = set()
        """Characteristics whose CCCD is on."""
        self.live_seq = 0
        """Sequence of the next live frame of this connection."""
        self.backfill_seq = 0
        self.last_exchange: tuple[bytes, bytes] | None = None
        """The last request and its answer, to answer a repetition without acting."""
        self.parting: list[bytes] = []
        """Frames of an ended stream that are still to be sent."""
        self._status_due_us = 0
        self._status_told: bytes | None = None
        self._backfill_credit = 0
        self._backfill_us: int | None = None

    # --- link -----------------------------------------------------------------------------

    def connect(self, *, att_mtu: int = 247, interval_1250us: int = 12) -> None:
        """Begin a connection: no subscriptions, sequences from zero.

        Raises
        ------
        FieldError
            The ATT MTU is below 23 or above 517.
        """
        if not _NO_LINK_MTU <= att_mtu <= 517:
            raise FieldError("att_mtu", att_mtu, "an integer from 23 to 517")
        self.disconnect()
        self.att_mtu = att_mtu
        self.interval_1250us = interval_1250us

    def disconnect(self) -> None:
        """End the connection: the stream stops, subscriptions go, recording continues."""
        self._end_stream()
        self.report = None
        self._clear_link()

    def reboot(self) -> None:
        """Reset: the next boot counter, index 0; flash and settings stay."""
        self.disconnect()
        self.boot_counter += 1
        self.next_index = 0
        self.frames_dropped_before = 0
        self.wall_time = None
        self.button_us = None
        self.identify_until_us = 0
        self.measured_rate_mhz = None
        self._rate_start = None

    @property
    def connected(self) -> bool:
        """Return whether somebody is connected."""
        return self.att_mtu is not None

    def set_subscribed(self, uuid: str, *, on: bool, now_us: int) -> list[Outgoing]:
        """Write a CCCD; ending Sensor Stream's ends the stream.

        Raises
        ------
        AttRejectedError
            The characteristic can neither notify nor indicate, or nobody is connected.
        """
        can_send = Property.NOTIFY | Property.INDICATE
        if not self.connected or not CHARACTERISTIC_BY_UUID[uuid].properties & can_send:
            raise AttRejectedError(AttRejectedError.NOT_PERMITTED, "subscribing")
        if on:
            self.subscribed.add(uuid)
            if uuid == STATUS_UUID:
                # the host has just read Status, so the first notification is a period away
                self._status_due_us = now_us + STATUS_PERIOD_US
                self._status_told = self._reportable()
            return []
        self.subscribed.discard(uuid)
        if uuid == STREAM_UUID:
            self._end_stream()
        if uuid in {BACKFILL_UUID, CONTROL_UUID}:
            self.report = None
        return []

    def read(self, uuid: str, now_us: int) -> bytes:
        """Read Protocol Info or Status.

        Raises
        ------
        AttRejectedError
            The characteristic cannot be read.
        """
        del now_us
        if uuid == INFO_UUID:
            info = ProtocolInfo(
                self.model.device_id, int(self.model.features), self.model.max_payload
            )
            return bytes(info)
        if uuid == STATUS_UUID:
            return bytes(self.status())
        raise AttRejectedError(AttRejectedError.READ_NOT_PERMITTED, "reading")

    def write(self, uuid: str, data: bytes, now_us: int) -> list[Outgoing]:
        """Write Control Point or Time Sync; return what the sensor sends at once.

        Raises
        ------
        AttRejectedError
            The characteristic cannot be written, answers could not be indicated, or the request is
            shorter than a request can be.
        """
        if uuid == CONTROL_UUID:
            if uuid not in self.subscribed:
                raise AttRejectedError(AttRejectedError.CCCD_IMPROPER, "a request")
            return self._control(data, now_us)
        if uuid == TIME_SYNC_UUID:
            return self._time_sync(data, now_us)
        raise AttRejectedError(AttRejectedError.WRITE_NOT_PERMITTED, "writing")

    def _control(self, data: bytes, now_us: int) -> list[Outgoing]:
        if self.last_exchange is not None and data == self.last_exchange[0]:
            return [Outgoing(CONTROL_UUID, self.last_exchange[1])]
        answers = control_point.handle(self, data, now_us)
        return self._take_live() + [Outgoing(CONTROL_UUID, answer) for answer in answers]

    def _time_sync(self, data: bytes, now_us: int) -> list[Outgoing]:
        offered = Feature.TIME_SYNC in self.model.features
        if not offered or TIME_SYNC_UUID not in self.subscribed:
            return []
        try:
            request = TimeSync.from_bytes(data)
        except ProtocolError:
            return []
        if request.op is not TimeSyncOp.REQUEST:
            return []
        return [Outgoing(TIME_SYNC_UUID, bytes(request.reply(now_us, now_us)))]

    # --- samples --------------------------------------------------------------------------

    def push_samples(
        self, counts: NDArray[np.int16], device_us: NDArray[np.uint64], *, flags: int = 0
    ) -> None:
        """Take the next samples of the motion sensor.

        Parameters
        ----------
        counts
            (n, 6) int16, or (n, 9) with a magnetometer, in the ranges of `settings`.
        device_us
            (n,) uint64, device time of each sample, strictly increasing.
        flags
            CLOCK_STEPPED or OVERRUN of the first sample.

        Raises
        ------
        FieldError
            Shape or type do not fit, or another flag is given.
        """
        n, columns = counts.shape[0], self.model.columns
        if counts.ndim != 2 or counts.shape[1] != columns or counts.dtype != np.int16:
            raise FieldError(
                "counts", f"{counts.dtype} {counts.shape}", f"int16 of shape (n, {columns})"
            )
        if device_us.shape != (n,):
            raise FieldError("device_us", device_us.shape, f"of shape ({n},)")
        if flags & ~_SAMPLE_FLAGS:
            raise FieldError("flags", flags, "CLOCK_STEPPED, OVERRUN, or both")
        if n == 0:
            return
        times = device_us.astype(np.uint64, copy=False)
        self._measure_rate(times, stepped=bool(flags))
        if self.recording:
            self.flash.append(
                self.boot_counter,
                self.next_index,
                times,
                counts,
                rate_code=self.settings.rate,
                flags=flags,
            )
        if self.live is not None:
            self.live.push(self.next_index, times, counts, flags)
        self.next_index = (self.next_index + n) % INDEX_MODULUS

    def push_event(self, code: EventCode, now_us: int, *, value: int = 0, detail: int = 0) -> None:
        """Send an event frame if the sensor is streaming."""
        if self.live is None:
            return
        row = EVENT.pack(code, detail, value, self.next_index, now_us)
        self.live.flush()
        self.live.queue(
            encode_frame(
                row,
                frame_type=FrameType.EVENT,
                seq=self.live.seq,
                index0=self.next_index,
                device_us=now_us,
                rate_code=self.settings.rate,
            )
        )

    def press_button(self, now_us: int) -> None:
        """Press the button: opens the window in which FACTORY_RESET is accepted."""
        self.button_us = now_us
        self.push_event(EventCode.BUTTON, now_us)

    def button_pressed_lately(self, now_us: int) -> bool:
        """Return whether the button was pressed in the last 30 s."""
        return self.button_us is not None and now_us - self.button_us <= _BUTTON_HOLDS_US

    def _measure_rate(self, times: NDArray[np.uint64], *, stepped: bool) -> None:
        if self._rate_start is None or stepped:
            self._rate_start = (self.next_index, int(times[0]))
            self.measured_rate_mhz = None
        index0, start_us = self._rate_start
        taken = self.next_index + times.size - 1 - index0
        elapsed_us = int(times[-1]) - start_us
        if elapsed_us >= 1_000_000 and taken > 0:
            self.measured_rate_mhz = (taken * 1_000_000_000 + elapsed_us // 2) // elapsed_us

    def restart_rate_measurement(self) -> None:
        """Forget the measured rate: the rate was changed."""
        self._rate_start = None
        self.measured_rate_mhz = None

    # --- what is due ----------------------------------------------------------------------

    def due(self, now_us: int) -> list[Outgoing]:
        """Return what the sensor sends now: live frames, Status, then stored frames."""
        if not self.connected:
            return []
        return [*self._take_live(), *self._take_status(now_us), *self._take_report(now_us)]

    def _take_live(self) -> list[Outgoing]:
        if self.live is not None:
            self.parting += self.live.take()
        frames, self.parting = self.parting, []
        return [Outgoing(STREAM_UUID, frame) for frame in frames]

    def _take_status(self, now_us: int) -> list[Outgoing]:
        if STATUS_UUID not in self.subscribed:
            return []
        if now_us < self._status_due_us and self._status_told == self._reportable():
            return []
        self._status_due_us = now_us + STATUS_PERIOD_US
        self._status_told = self._reportable()
        return [Outgoing(STATUS_UUID, bytes(self.status()))]

    def _take_report(self, now_us: int) -> list[Outgoing]:
        report = self.report
        if report is None:
            self._backfill_us = None
            return []
        rate = self.model.backfill_frames_per_s
        elapsed_us = 0 if self._backfill_us is None else max(0, now_us - self._backfill_us)
        self._backfill_us = now_us
        # at most a second's worth at once, so that a late caller does not get a flood
        earned = self._backfill_credit + elapsed_us * rate
        self._backfill_credit = min(rate * _FRAME_COST, earned)
        sent: list[Outgoing] = []
        while self._backfill_credit >= _FRAME_COST and (frame := report.next_frame()) is not None:
            sent.append(Outgoing(BACKFILL_UUID, frame))
            self._backfill_credit -= _FRAME_COST
        self.backfill_seq = report.seq
        if report.finished:
            self._backfill_credit = 0
            answer = control_point.finish_report(self, report)
            sent.append(Outgoing(CONTROL_UUID, answer))
        return sent

    # --- state ----------------------------------------------------------------------------

    @property
    def state(self) -> DeviceState:
        """Return the state byte of Status."""
        if self.fault:
            return DeviceState.FAULT
        if self.live is not None:
            return DeviceState.BOTH if self.recording else DeviceState.STREAMING
        return DeviceState.RECORDING if self.recording else DeviceState.IDLE

    @property
    def frames_dropped(self) -> int:
        """Return the frames dropped in the queue since boot."""
        return self.frames_dropped_before + (self.live.dropped if self.live else 0)

    def status(self) -> Status:
        """Return the present Status."""
        wrapped = StatusFlag.FLASH_WRAPPED if self.flash.wrapped else StatusFlag(0)
        return Status(
            state=self.state,
            flags=self.flags | wrapped,
            temperature_half_degc=self.temperature_half_degc,
            battery_mv=self.battery_mv,
            free_flash_permille=self.flash.free_permille,
            interval_1250us=self.interval_1250us,
            att_mtu=self.att_mtu or _NO_LINK_MTU,
            frames_dropped=self.frames_dropped % 2**32,
            boot_counter=self.boot_counter,
            version=MAJOR,
        )

    def _reportable(self) -> bytes:
        """Return the part of Status whose change is told at once; counters wait for the period."""
        quiet = replace(
            self.status(),
            battery_mv=0,
            temperature_half_degc=0,
            free_flash_permille=0,
            frames_dropped=0,
        )
        return bytes(quiet)

    def value_size(self) -> int:
        """Return the longest value of this connection, bytes."""
        mtu = self.att_mtu or _NO_LINK_MTU
        return min(max_value_size(mtu), self.model.max_payload)

    def n_per_frame(self, frame_type: FrameType) -> int:
        """Return the samples per live frame with the present MTU; 0: not even one fits."""
        room = samples_per_frame(self.value_size(), frame_type)
        return min(room, self.settings.n_per_frame or room)

    def begin_stream(self, frame_type: FrameType) -> None:
        """Stream from the next sample on."""
        self.live = LiveStream(
            frame_type=frame_type,
            rate_code=self.settings.rate,
            n_per_frame=self.n_per_frame(frame_type),
            queue_limit=self.model.live_queue_frames,
            seq=self.live_seq,
        )

    def end_stream(self) -> None:
        """Stop streaming; the samples that still wait are sent, the last frame short."""
        if self.live is not None:
            self.live.flush()
            self.parting += self.live.take()
            self._end_stream()

    def _end_stream(self) -> None:
        if self.live is not None:
            self.live_seq = self.live.seq
            self.frames_dropped_before += self.live.dropped
            self.live = None
