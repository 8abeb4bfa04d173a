"""Time Sync: round trips that tie the device clock to the host's monotonic clock."""

from dataclasses import dataclass
from typing import Self

from firmware_protocol.definition import MAJOR, TIME_SYNC, TimeSyncOp
from firmware_protocol.errors import FormatError, VersionError


@dataclass(frozen=True, slots=True)
class TimeSync:
    """Value of the Time Sync characteristic."""

    op: TimeSyncOp
    seq: int
    """Repeated in the reply; wraps at 2^16."""
    t1_us: int
    """Host monotonic clock when the request was sent, µs."""
    t2_us: int = 0
    """Device time when the request arrived, µs."""
    t3_us: int = 0
    """Device time when the reply was sent, µs."""
    version: int = MAJOR

    def __bytes__(self) -> bytes:
        return TIME_SYNC.pack(self.version, self.op, self.seq, self.t1_us, self.t2_us, self.t3_us)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the decoded value.

        Raises
        ------
        VersionError
            Another major version; checked before the length.
        LengthError
            `data` is not 28 bytes long.
        FormatError
            `data` is empty or its operation is unknown.
        """
        if not data:
            raise FormatError("Time Sync value is empty")
        if data[0] != MAJOR:
            raise VersionError(data[0], MAJOR)
        version, op, seq, t1, t2, t3 = TIME_SYNC.unpack(data)
        if op not in (TimeSyncOp.REQUEST, TimeSyncOp.REPLY):
            raise FormatError(f"Time Sync operation {op} is unknown; ignore this value")
        return cls(TimeSyncOp(op), seq, t1, t2, t3, version)

    def reply(self, t2_us: int, t3_us: int) -> "TimeSync":
        """Return the sensor's reply to this request."""
        return TimeSync(TimeSyncOp.REPLY, self.seq, self.t1_us, t2_us, t3_us)


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """One finished exchange."""

    host_us: float
    """Host monotonic time of the middle of the exchange, µs."""
    offset_us: float
    """Device clock minus host clock, µs; wrong by at most half of `rtt_us`."""
    rtt_us: int
    """Time on air and in queues, both ways, µs."""


def round_trip(reply: TimeSync, t4_us: int) -> RoundTrip:
    """Return offset and round-trip time of a reply that arrived at host time `t4_us`.

    Raises
    ------
    FormatError
        The time stamps contradict each other (reply before request, or negative round trip).
    """
    rtt_us = (t4_us - reply.t1_us) - (reply.t3_us - reply.t2_us)
    if reply.t3_us < reply.t2_us or t4_us < reply.t1_us or rtt_us < 0:
        raise FormatError("the time stamps of a time-sync reply contradict each other; drop it")
    return RoundTrip(
        host_us=(reply.t1_us + t4_us) / 2,
        offset_us=((reply.t2_us - reply.t1_us) + (reply.t3_us - t4_us)) / 2,
        rtt_us=rtt_us,
    )
