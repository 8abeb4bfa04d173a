"""Control Point: requests, answers and what they carry."""

from dataclasses import dataclass
from typing import Self

from firmware_protocol.definition import (
    ANSWER_BIT,
    ANSWER_HEADER,
    REQUEST_HEADER,
    ControlStatus,
    FrameType,
    Op,
    RangeOperator,
    RateCode,
    TlvType,
)
from firmware_protocol.errors import FieldError, FormatError, LengthError, RequestRefusedError
from firmware_protocol.tlv import SampleRange, Tlv, TlvValue, encode_tlvs, split_tlvs


@dataclass(frozen=True, slots=True)
class Request:
    """A request to the sensor."""

    op: int
    """`definition.Op`, or a number that the sensor will refuse."""
    token: int
    """1..255, echoed; a repeated token is answered again without acting twice."""
    tlvs: tuple[Tlv, ...] = ()

    def __bytes__(self) -> bytes:
        if not 0 <= self.op < ANSWER_BIT:
            raise FieldError("request.op", self.op, "an integer from 0 to 127")
        if self.token == 0:
            raise FieldError("request.token", 0, "an integer from 1 to 255")
        return REQUEST_HEADER.pack(self.op, self.token) + b"".join(map(bytes, self.tlvs))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the decoded request.

        Raises
        ------
        LengthError
            Shorter than operation and token.
        FormatError
            Token 0, the answer bit is set, or a parameter runs beyond the end.
        """
        if len(data) < REQUEST_HEADER.size:
            raise LengthError("request", len(data), f"at least {REQUEST_HEADER.size}")
        op, token = REQUEST_HEADER.unpack(data[: REQUEST_HEADER.size])
        if op & ANSWER_BIT:
            raise FormatError("the answer bit is set in a request")
        if token == 0:
            raise FormatError("token 0 is not allowed; count from 1 to 255")
        return cls(op, token, split_tlvs(data[REQUEST_HEADER.size :]))


@dataclass(frozen=True, slots=True)
class Answer:
    """The sensor's answer to a request."""

    op: int
    """Operation of the request, without the answer bit."""
    token: int
    status: int
    """`definition.ControlStatus`, or a number that a later version adds."""
    tlvs: tuple[Tlv, ...] = ()

    def __bytes__(self) -> bytes:
        if not 0 <= self.op < ANSWER_BIT:
            raise FieldError("answer.op", self.op, "an integer from 0 to 127")
        head = ANSWER_HEADER.pack(ANSWER_BIT | self.op, self.token, self.status)
        return head + b"".join(map(bytes, self.tlvs))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the decoded answer.

        Raises
        ------
        LengthError
            Shorter than operation, token and status.
        FormatError
            The answer bit is missing or a parameter runs beyond the end.
        """
        if len(data) < ANSWER_HEADER.size:
            raise LengthError("answer", len(data), f"at least {ANSWER_HEADER.size}")
        op, token, status = ANSWER_HEADER.unpack(data[: ANSWER_HEADER.size])
        if not op & ANSWER_BIT:
            raise FormatError("the answer bit is missing in an answer")
        return cls(op ^ ANSWER_BIT, token, status, split_tlvs(data[ANSWER_HEADER.size :]))

    def raise_for_status(self) -> Self:
        """Return the answer itself if its status is ok.

        Raises
        ------
        RequestRefusedError
            Any other status.
        """
        if self.status != ControlStatus.OK:
            raise RequestRefusedError(_op_name(self.op), self.status, _reason(self.status))
        return self


def _op_name(op: int) -> str:
    return Op(op).name if op in set(Op) else f"operation 0x{op:02x}"


def _reason(status: int) -> str:
    return ControlStatus(status).note if status in set(ControlStatus) else "unknown reason"


def _request(op: Op, token: int, values: dict[TlvType, TlvValue | None]) -> Request:
    given = {kind: value for kind, value in values.items() if value is not None}
    return Request(op, token, encode_tlvs(given))


def get_config(token: int) -> Request:
    """Ask for rates, ranges, scales; the answer reads as `answers.DeviceConfig`."""
    return Request(Op.GET_CONFIG, token)


def set_config(
    token: int,
    *,
    rate: RateCode | None = None,
    acc_range_g: int | None = None,
    gyr_range_dps: int | None = None,
    n_per_frame: int | None = None,
) -> Request:
    """Change what is given; a small `n_per_frame` lowers latency, the largest saves battery."""
    return _request(
        Op.SET_CONFIG,
        token,
        {
            TlvType.RATE: rate,
            TlvType.ACC_RANGE: acc_range_g,
            TlvType.GYR_RANGE: gyr_range_dps,
            TlvType.N_PER_FRAME: n_per_frame,
        },
    )


def start_stream(
    token: int, *, frame_type: FrameType = FrameType.IMU6, rate: RateCode | None = None
) -> Request:
    """Start the live stream; the answer reads as `answers.StreamStarted`."""
    return _request(Op.START_STREAM, token, {TlvType.FRAME_TYPE: frame_type, TlvType.RATE: rate})


def stop_stream(token: int) -> Request:
    """End the live stream."""
    return Request(Op.STOP_STREAM, token)


def set_wall_time(token: int, *, utc_us: int) -> Request:
    """Tell the sensor the time of day, as metadata (µs since 1970)."""
    return _request(Op.SET_WALL_TIME, token, {TlvType.WALL_TIME: utc_us})


def record(token: int, *, on: bool) -> Request:
    """Switch recording to flash on or off."""
    return _request(Op.RECORD, token, {TlvType.RECORD: int(on)})


def identify(token: int, *, duration_s: int = 5) -> Request:
    """Let the sensor blink."""
    return _request(Op.IDENTIFY, token, {TlvType.DURATION: duration_s})


def report(token: int, sample_range: SampleRange) -> Request:
    """Ask for the stored frames of a range, on Backfill; the answer follows the last frame."""
    return _request(Op.REPORT, token, {TlvType.RANGE: sample_range})


def count(token: int, sample_range: SampleRange) -> Request:
    """Ask how much of a range is stored; the answer reads as `answers.RangeAnswer`."""
    return _request(Op.COUNT, token, {TlvType.RANGE: sample_range})


def abort(token: int) -> Request:
    """End a running REPORT."""
    return Request(Op.ABORT, token)


def delete(token: int, *, boot_counter: int, up_to: int) -> Request:
    """Let the sensor forget the samples of a boot up to an index that the host has sealed."""
    wanted = SampleRange(RangeOperator.UP_TO, boot_counter, 0, up_to)
    return _request(Op.DELETE, token, {TlvType.RANGE: wanted})
