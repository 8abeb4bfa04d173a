"""Turns the notifications of protocol v1 into events, a batch of frames in one vectorised go."""

from collections.abc import Sequence

from firmware_protocol.definition import FrameFlag, StatusFlag, TimeSyncOp
from firmware_protocol.errors import ProtocolError
from firmware_protocol.frames import INDEX_MODULUS, SEQ_MODULUS, Frames, decode_frames
from firmware_protocol.status import Status
from firmware_protocol.timesync import TimeSync
from ingest.drivers.driver import (
    PacketKind,
    SensorEvent,
    SensorPacket,
    StatusReport,
    TimeSyncReport,
)
from ingest.drivers.inbox import Notification

LIVE, STORED, STATUS, SYNC = range(4)
"""Channels of the inbox: Sensor Stream, Backfill, Status, Time Sync."""

# as plain numbers: an enumeration's & costs a microsecond, four times a frame
_STORED = int(FrameFlag.STORED)
_CLIP = int(FrameFlag.CLIP)
_CLOCK_STEPPED = int(FrameFlag.CLOCK_STEPPED)
_OVERRUN = int(FrameFlag.OVERRUN)
_HALF_INDEX = INDEX_MODULUS // 2


class V1Decoder:
    """Decoding state of one connection: sequence counters and index wraps."""

    def __init__(self, device_id: str, boot: int) -> None:
        self.device_id = device_id
        self.boot = boot
        """Boot of the live samples; constant, because a reset ends the connection."""
        self.report_boot = boot
        """Boot that the running REPORT asked for; stored frames do not carry it."""
        self.columns = 6
        """Columns per sample: 9 where START asked for the magnetometer."""
        self.battery_percent: int | None = None
        """Latest battery level, repeated in every status."""
        self._next_seq: dict[int, int] = {}
        self._last_index: dict[tuple[int, int], int] = {}
        self.counts = dict.fromkeys(
            ("frames", "malformed", "unknown", "missing_by_sequence", "out_of_sequence"), 0
        )

    def begin_report(self, boot: int) -> None:
        """Expect stored frames of a boot, from any index."""
        self.report_boot = boot
        self._last_index.pop((STORED, boot), None)

    def decode(self, notifications: Sequence[Notification]) -> list[SensorEvent]:
        """Turn notifications into events, in order of arrival; frames in one vectorised go."""
        frames = [item for item in notifications if item.channel in {LIVE, STORED}]
        batch = decode_frames([item.data for item in frames])
        self.counts["frames"] += int(batch.imu.source.size)
        self.counts["malformed"] += sum(batch.discarded.values())
        self.counts["unknown"] += len(batch.unknown)
        events: list[SensorEvent] = list(self._packets(frames, batch.imu))
        for item in notifications:
            if item.channel == STATUS:
                events.extend(self._status(item))
            elif item.channel == SYNC:
                events.extend(self._round_trip(item))
        return events

    def _packets(self, items: Sequence[Notification], frames: Frames) -> list[SensorPacket]:
        """Return one packet per frame; all of one START have the same columns."""
        samples = frames.samples[:, : self.columns]
        samples.flags.writeable = False
        packets = []
        begin = 0
        for source, header in zip(frames.source.tolist(), frames.headers.tolist(), strict=True):
            _, flags, seq, index0, device_us, n, _ = header
            item = items[source]
            channel = item.channel
            stored = bool(flags & _STORED) or channel == STORED
            boot = self.report_boot if stored else self.boot
            if self._next_seq.get(channel) == seq:
                self._next_seq[channel] = (seq + 1) % SEQ_MODULUS
            else:
                self._note_sequence(channel, seq)
            index = last = self._last_index.get((channel, boot), index0)
            # the index nearest to the last one: the counter wraps after 497 days at 100 Hz
            index += (index0 - last + _HALF_INDEX) % INDEX_MODULUS - _HALF_INDEX
            self._last_index[channel, boot] = index
            packets.append(
                SensorPacket(
                    device_id=self.device_id,
                    boot=boot,
                    stream="imu",
                    kind=PacketKind.BACKFILL if stored else PacketKind.LIVE,
                    first_index=index,
                    device_us=device_us,
                    host_mono_ns=item.host_mono_ns,
                    samples=samples[begin : begin + n],
                    sequence=seq,
                    clip=bool(flags & _CLIP),
                    clock_stepped=bool(flags & _CLOCK_STEPPED),
                    lost_before=bool(flags & _OVERRUN),
                )
            )
            begin += n
        return packets

    def _note_sequence(self, channel: int, seq: int) -> None:
        """Count a frame that is not the next one of its channel."""
        due = self._next_seq.get(channel, seq)
        missing = (seq - due) % SEQ_MODULUS
        if missing >= SEQ_MODULUS // 2 - 1:
            self.counts["out_of_sequence"] += 1
            return
        self.counts["missing_by_sequence"] += missing
        self._next_seq[channel] = (seq + 1) % SEQ_MODULUS

    def _status(self, item: Notification) -> list[StatusReport]:
        try:
            status = Status.from_bytes(item.data)
        except ProtocolError:
            self.counts["malformed"] += 1
            return []
        return [
            StatusReport(
                device_id=self.device_id,
                boot=status.boot_counter,
                host_mono_ns=item.host_mono_ns,
                battery_percent=self.battery_percent,
                battery_mv=status.battery_mv,
                charging=bool(status.flags & StatusFlag.CHARGING),
                low_battery=bool(status.flags & StatusFlag.LOW_BATTERY),
                temperature_degc=status.temperature_degc,
                flash_free_fraction=status.free_flash_permille / 1000,
                connection_interval_ms=status.connection_interval_ms,
                mtu=status.att_mtu,
                frames_dropped=status.frames_dropped,
                state=str(status.state),
                raw=item.data,
            )
        ]

    def _round_trip(self, item: Notification) -> list[TimeSyncReport]:
        try:
            reply = TimeSync.from_bytes(item.data)
        except ProtocolError:
            self.counts["malformed"] += 1
            return []
        t4_us = item.host_mono_ns // 1000
        if reply.op is not TimeSyncOp.REPLY or not reply.t1_us <= t4_us:
            return []
        return [
            TimeSyncReport(
                device_id=self.device_id,
                boot=self.boot,
                host_mono_ns=item.host_mono_ns,
                t1_us=reply.t1_us,
                t2_us=reply.t2_us,
                t3_us=reply.t3_us,
                t4_us=t4_us,
            )
        ]
