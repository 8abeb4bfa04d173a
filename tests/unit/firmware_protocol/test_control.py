"""Requests, answers and TLVs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_protocol import control
from firmware_protocol.control import Answer, Request
from firmware_protocol.definition import ControlStatus, FrameType, Op, RateCode, TlvType
from firmware_protocol.errors import (
    FieldError,
    FormatError,
    LengthError,
    ProtocolError,
    RequestRefusedError,
)
from firmware_protocol.tlv import SampleRange, Tlv, decode_tlvs
from firmware_protocol.vectors import VECTORS

GOLDEN = {v.name: v.data for v in VECTORS}

tlvs = st.lists(st.builds(Tlv, st.integers(0, 255), st.binary(max_size=255)), max_size=6).map(tuple)


@given(st.builds(Request, st.integers(0, 127), st.integers(1, 255), tlvs))
def test_requests_round_trip(request_: Request) -> None:
    assert Request.from_bytes(bytes(request_)) == request_


@given(st.builds(Answer, st.integers(0, 127), st.integers(0, 255), st.integers(0, 255), tlvs))
def test_answers_round_trip(answer: Answer) -> None:
    assert Answer.from_bytes(bytes(answer)) == answer


@given(st.binary(max_size=64))
def test_arbitrary_bytes_raise_only_typed_errors(data: bytes) -> None:
    for kind in (Request, Answer):
        try:
            decoded = kind.from_bytes(data)
            decode_tlvs(decoded.tlvs)
        except ProtocolError:
            continue
        assert bytes(decoded) == data


def test_the_golden_requests() -> None:
    start = control.start_stream(9, frame_type=FrameType.IMU6, rate=RateCode.HZ_104)
    assert bytes(start) == GOLDEN["request_start"]
    wanted = SampleRange.between(41, 1000, 2999)
    assert bytes(control.report(255, wanted)) == GOLDEN["request_report"]


@pytest.mark.parametrize(
    ("request_", "op", "values"),
    [
        (control.get_config(1), Op.GET_CONFIG, {}),
        (
            control.set_config(2, rate=RateCode.HZ_52, acc_range_g=8, gyr_range_dps=1000),
            Op.SET_CONFIG,
            {TlvType.RATE: 6, TlvType.ACC_RANGE: 8, TlvType.GYR_RANGE: 1000},
        ),
        (control.set_config(2, n_per_frame=10), Op.SET_CONFIG, {TlvType.N_PER_FRAME: 10}),
        (control.stop_stream(3), Op.STOP_STREAM, {}),
        (
            control.set_wall_time(4, utc_us=-5),
            Op.SET_WALL_TIME,
            {TlvType.WALL_TIME: -5},
        ),
        (control.record(5, on=True), Op.RECORD, {TlvType.RECORD: 1}),
        (control.identify(6), Op.IDENTIFY, {TlvType.DURATION: 5}),
        (
            control.count(7, SampleRange.all_of(3)),
            Op.COUNT,
            {TlvType.RANGE: SampleRange(1, 3, 0, 0)},
        ),
        (control.abort(8), Op.ABORT, {}),
        (
            control.delete(9, boot_counter=3, up_to=99),
            Op.DELETE,
            {TlvType.RANGE: SampleRange(2, 3, 0, 99)},
        ),
    ],
)
def test_requests_carry_their_parameters(request_: Request, op: Op, values: object) -> None:
    decoded = Request.from_bytes(bytes(request_))
    assert decoded.op == op
    assert decode_tlvs(decoded.tlvs) == values


def test_token_zero_is_refused() -> None:
    with pytest.raises(FieldError, match="token"):
        bytes(Request(Op.ABORT, 0))
    with pytest.raises(FormatError, match="token"):
        Request.from_bytes(b"\x12\x00")


def test_direction_is_checked() -> None:
    with pytest.raises(FormatError, match="answer bit"):
        Request.from_bytes(b"\x92\x01")
    with pytest.raises(FormatError, match="answer bit"):
        Answer.from_bytes(b"\x12\x01\x01")
    for op in (0x80, -1):
        with pytest.raises(FieldError):
            bytes(Request(op, 1))
        with pytest.raises(FieldError):
            bytes(Answer(op, 1, 1))


def test_short_messages_are_refused() -> None:
    with pytest.raises(LengthError):
        Request.from_bytes(b"\x12")
    with pytest.raises(LengthError):
        Answer.from_bytes(b"\x92\x01")


def test_a_refusal_says_what_and_why() -> None:
    refused = Answer.from_bytes(GOLDEN["answer_refused"])
    with pytest.raises(RequestRefusedError, match=r"START_STREAM.*MTU") as error:
        refused.raise_for_status()
    assert error.value.status == ControlStatus.MTU_TOO_SMALL
    with pytest.raises(RequestRefusedError, match=r"operation 0x7f.*unknown reason"):
        Answer(0x7F, 1, 0x7E).raise_for_status()
