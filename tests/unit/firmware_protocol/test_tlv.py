"""Parameters: typed values, unknown types, malformed bytes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_protocol.definition import TLV_FORMATS, TlvType
from firmware_protocol.errors import FieldError, FormatError, LengthError
from firmware_protocol.layout import SCALARS
from firmware_protocol.tlv import (
    SampleRange,
    Tlv,
    decode_tlvs,
    encode_tlv,
    encode_tlvs,
    split_tlvs,
)

u32 = st.integers(0, 2**32 - 1)


def value_of(kind: TlvType) -> st.SearchStrategy[Any]:
    form = TLV_FORMATS[kind]
    if form.type == "text":
        return st.text(max_size=60)
    if form.type == "range":
        return st.builds(SampleRange, st.integers(0, 255), u32, u32, u32)
    scalar = SCALARS[form.type]
    number = st.integers(scalar.low, scalar.high)
    return st.lists(number, min_size=1, max_size=30).map(tuple) if form.many else number


def test_every_type_has_a_format() -> None:
    assert set(TLV_FORMATS) == set(TlvType)


@given(st.lists(st.sampled_from(list(TlvType)), unique=True), st.data())
def test_values_round_trip(kinds: list[TlvType], data: st.DataObject) -> None:
    values = {kind: data.draw(value_of(kind)) for kind in kinds}
    raw = b"".join(map(bytes, encode_tlvs(values)))
    assert decode_tlvs(split_tlvs(raw)) == values


def test_unknown_types_are_ignored_and_kept_raw() -> None:
    raw = bytes((0xFE, 2, 7, 8)) + bytes(encode_tlv(TlvType.RATE, 3))
    parts = split_tlvs(raw)
    assert parts[0] == Tlv(0xFE, b"\x07\x08")
    assert decode_tlvs(parts) == {TlvType.RATE: 3}


def test_the_first_of_two_stands() -> None:
    twice = (encode_tlv(TlvType.RATE, 3), encode_tlv(TlvType.RATE, 4))
    assert decode_tlvs(twice) == {TlvType.RATE: 3}


@pytest.mark.parametrize("raw", [b"\x01", b"\x01\x02\x00", b"\x02\x01\x03\x01"])
def test_a_length_beyond_the_end_is_refused(raw: bytes) -> None:
    with pytest.raises(FormatError, match="beyond the end"):
        split_tlvs(raw)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (TlvType.RATE, b""),
        (TlvType.RATE, b"\x01\x02"),
        (TlvType.ACC_RANGES, b"\x01\x02\x03"),
        (TlvType.MODEL, b"\xff\xfe"),
    ],
)
def test_malformed_values_are_refused(kind: TlvType, value: bytes) -> None:
    with pytest.raises(FormatError, match=kind.name):
        decode_tlvs([Tlv(kind, value)])


def test_a_range_of_wrong_length_is_refused() -> None:
    with pytest.raises(LengthError):
        decode_tlvs([Tlv(TlvType.RANGE, bytes(12))])


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (TlvType.RATE, 256),
        (TlvType.RATE, (1,)),
        (TlvType.RATES, ()),
        (TlvType.RATES, 3),
        (TlvType.MODEL, 3),
        (TlvType.RANGE, 3),
        (TlvType.WALL_TIME, 2**63),
    ],
)
def test_values_of_another_kind_are_refused(kind: TlvType, value: Any) -> None:
    with pytest.raises(FieldError, match=kind.name):
        encode_tlv(kind, value)


def test_a_value_too_long_is_refused() -> None:
    with pytest.raises(FieldError, match="255"):
        bytes(encode_tlv(TlvType.MODEL, "x" * 256))
    with pytest.raises(FieldError, match="type"):
        bytes(Tlv(256, b""))
