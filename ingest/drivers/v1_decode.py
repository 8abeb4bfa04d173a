"""Turns the notifications of protocol v1 into events, a batch of frames in one vectorised go."""

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise

from firmware_protocol.definition import FRAME_HEADER, FrameFlag, StatusFlag, TimeSyncOp
from firmware_protocol.errors import ProtocolError
from firmware_protocol.frames import INDEX_MODULUS, SEQ_MODULUS, Frames, decode_frames
from firmware_protocol.status import Status
from firmware_protocol.timesync import TimeSync
from ingest.drivers.driver import (
    Further,
    PacketKind,
    SensorEvent,
    SensorPacket,
    StatusReport,
    TimeSyncReport,
)
from ingest.drivers.inbox import Notification

LIVE, STORED, STATUS, SYNC = range(4)
"""Channels of the inbox: Sensor Stream, Backfill, Status, Time Sync."""
_FRAMES = frozenset({LIVE, STORED})

# as plain numbers: an enumeration's & costs a microsecond, four times a frame
_STORED = int(FrameFlag.STORED)
_CLIP = int(FrameFlag.CLIP)
_CLOCK_STEPPED = int(FrameFlag.CLOCK_STEPPED)
_OVERRUN = int(FrameFlag.OVERRUN)
_BEGINS = _CLOCK_STEPPED | _OVERRUN
"""A frame with one of these flags begins a packet."""
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
        at = [i for i, item in enumerate(notifications) if item.channel in _FRAMES]
        batch = decode_frames([notifications[i].data for i in at])
        self.counts["frames"] += int(batch.imu.source.size)
        self.counts["malformed"] += sum(batch.discarded.values())
        self.counts["unknown"] += len(batch.unknown)
        events: list[SensorEvent] = list(self._packets(notifications, at, batch.imu))
        if len(at) < len(notifications):
            for item in notifications:
                if item.channel == STATUS:
                    events.extend(self._status(item))
                elif item.channel == SYNC:
                    events.extend(self._round_trip(item))
        return events

    def _packets(
        self, items: Sequence[Notification], at: Sequence[int], frames: Frames
    ) -> Iterator[SensorPacket]:
        """Yield packets; all of one START have the same columns.

        Frames that came one right after the other make one packet while they go on without a gap
        and with the same flags. A round trip or a status between two parts them: what came before
        it acts on the clock before it.
        """
        if not frames.source.size:
            return
        samples = frames.samples[:, : self.columns]
        samples.flags.writeable = False
        rows = FRAME_HEADER.codec.iter_unpack(frames.headers.tobytes())
        _, flags, sequences, indices, device_us, counts, _ = zip(*rows, strict=True)
        places = [at[source] for source in frames.source.tolist()]
        channels = [items[place].channel for place in places]
        hosts = [items[place].host_mono_ns for place in places]
        starts = [0, *accumulate(counts)]
        for a, b in pairwise(_parted(places, channels, flags, indices, counts)):
            self._note_sequences(channels[a], sequences[a:b])
            further = None
            if b - a > 1:
                further = Further(
                    tuple([row - starts[a] for row in starts[a + 1 : b]]),
                    device_us[a + 1 : b],
                    tuple(hosts[a + 1 : b]),
                    sequences[a + 1 : b],
                )
            stored = bool(flags[a] & _STORED) or channels[a] == STORED
            boot = self.report_boot if stored else self.boot
            n = starts[b] - starts[a]
            yield SensorPacket(
                device_id=self.device_id,
                boot=boot,
                stream="imu",
                kind=PacketKind.BACKFILL if stored else PacketKind.LIVE,
                first_index=self._unwrapped((channels[a], boot), indices[a], n - counts[b - 1]),
                device_us=device_us[a],
                host_mono_ns=hosts[a],
                samples=samples[starts[a] : starts[b]],
                sequence=sequences[a],
                clip=bool(flags[a] & _CLIP),
                clock_stepped=bool(flags[a] & _CLOCK_STEPPED),
                lost_before=bool(flags[a] & _OVERRUN),
                further=further,
            )

    def _unwrapped(self, key: tuple[int, int], index: int, ahead: int) -> int:
        """Return the index nearest to the last one: the counter wraps after 497 days at 100 Hz.

        The last one is then that of the last frame, `ahead` of this one.
        """
        last = self._last_index.get(key, index)
        found = last + (index - last + _HALF_INDEX) % INDEX_MODULUS - _HALF_INDEX
        self._last_index[key] = found + ahead
        return found

    def _note_sequences(self, channel: int, sequences: tuple[int, ...]) -> None:
        """Count frames that are not the next one of their channel."""
        for seq in sequences:
            if self._next_seq.get(channel) == seq:
                self._next_seq[channel] = (seq + 1) % SEQ_MODULUS
            else:
                self._note_sequence(channel, seq)

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


def _parted(
    places: Sequence[int],
    channels: Sequence[int],
    flags: Sequence[int],
    indices: Sequence[int],
    counts: Sequence[int],
) -> list[int]:
    """Return where packets begin among frames, and the number of frames."""
    borders = [0]
    for k in range(1, len(places)):
        goes_on = (
            places[k] == places[k - 1] + 1
            and channels[k] == channels[k - 1]
            and flags[k] == flags[k - 1] & ~_BEGINS
            and indices[k] == (indices[k - 1] + counts[k - 1]) % INDEX_MODULUS
        )
        if not goes_on:
            borders.append(k)
    borders.append(len(places))
    return borders
