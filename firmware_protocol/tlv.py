"""Parameters of the Control Point: u8 type, u8 length, value."""

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

from firmware_protocol.definition import RANGE, TLV_FORMATS, RangeOperator, TlvType
from firmware_protocol.errors import FieldError, FormatError
from firmware_protocol.layout import SCALARS

_MAX_LENGTH = 255


@dataclass(frozen=True, slots=True)
class SampleRange:
    """A range of stored samples of one boot."""

    operator: int
    """`definition.RangeOperator`, or a number that the sensor does not know."""
    boot_counter: int
    """The index restarts at every boot, so a range belongs to one."""
    first: int = 0
    last: int = 0
    """Last index, included."""

    @classmethod
    def between(cls, boot_counter: int, first: int, last: int) -> Self:
        """Return the range first <= index <= last."""
        return cls(RangeOperator.BETWEEN, boot_counter, first, last)

    @classmethod
    def all_of(cls, boot_counter: int) -> Self:
        """Return the range of everything stored of a boot."""
        return cls(RangeOperator.ALL, boot_counter)

    def __bytes__(self) -> bytes:
        return RANGE.pack(self.operator, self.boot_counter, self.first, self.last)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the decoded range; another length than 13 raises `LengthError`."""
        return cls(*RANGE.unpack(data))


TlvValue: TypeAlias = int | tuple[int, ...] | str | SampleRange
"""What a TLV holds, by its row in `definition.TLV_FORMATS`."""


@dataclass(frozen=True, slots=True)
class Tlv:
    """One parameter as it stands on the wire; the type may be unknown."""

    type: int
    value: bytes

    def __bytes__(self) -> bytes:
        if not 0 <= self.type <= _MAX_LENGTH:
            raise FieldError("tlv.type", self.type, "an integer from 0 to 255")
        if len(self.value) > _MAX_LENGTH:
            raise FieldError("tlv.value", f"{len(self.value)} bytes", "at most 255 bytes long")
        return bytes((self.type, len(self.value))) + self.value


def encode_tlv(kind: TlvType, value: TlvValue) -> Tlv:
    """Return the parameter `kind` with `value` as its format in the table wants it.

    Raises
    ------
    FieldError
        The value has another kind, is out of range, or is too long.
    """
    form = TLV_FORMATS[kind]
    where = f"tlv {kind.name}"
    if form.type == "text":
        if not isinstance(value, str):
            raise FieldError(where, value, "text")
        return Tlv(kind, value.encode())
    if form.type == "range":
        if not isinstance(value, SampleRange):
            raise FieldError(where, value, "a SampleRange")
        return Tlv(kind, bytes(value))
    items = value if form.many else (value,)
    if not isinstance(items, tuple) or not items:
        raise FieldError(where, value, "a tuple with at least one integer")
    scalar = SCALARS[form.type]
    for item in items:
        if not isinstance(item, int) or not scalar.low <= item <= scalar.high:
            raise FieldError(where, item, f"an integer from {scalar.low} to {scalar.high}")
    return Tlv(kind, struct.pack(f"<{len(items)}{scalar.code}", *items))


def encode_tlvs(values: Mapping[TlvType, TlvValue]) -> tuple[Tlv, ...]:
    """Return the parameters of a mapping, in its order."""
    return tuple(encode_tlv(kind, value) for kind, value in values.items())


def split_tlvs(data: bytes) -> tuple[Tlv, ...]:
    """Return the parameters in `data`, unknown types included.

    Raises
    ------
    FormatError
        A length points beyond the end.
    """
    found: list[Tlv] = []
    at = 0
    while at < len(data):
        if at + 2 > len(data) or at + 2 + data[at + 1] > len(data):
            raise FormatError(f"the parameter at byte {at} runs beyond the end of the message")
        end = at + 2 + data[at + 1]
        found.append(Tlv(data[at], bytes(data[at + 2 : end])))
        at = end
    return tuple(found)


def decode_tlvs(tlvs: Iterable[Tlv]) -> dict[TlvType, Any]:
    """Return the known parameters by type (`TlvValue`); unknown types are left out.

    Of a type that comes twice the first stands.

    Raises
    ------
    FormatError
        A known type has a value of a wrong length or text that is not UTF-8.
    """
    known = {int(kind): kind for kind in TlvType}
    values: dict[TlvType, Any] = {}
    for tlv in tlvs:
        kind = known.get(tlv.type)
        if kind is not None and kind not in values:
            values[kind] = _decode_value(kind, tlv.value)
    return values


def _decode_value(kind: TlvType, data: bytes) -> TlvValue:
    form = TLV_FORMATS[kind]
    if form.type == "text":
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise FormatError(f"parameter {kind.name} is not UTF-8 text") from error
    if form.type == "range":
        return SampleRange.from_bytes(data)
    scalar = SCALARS[form.type]
    count, rest = divmod(len(data), scalar.size)
    if rest or count == 0 or (count > 1 and not form.many):
        raise FormatError(f"parameter {kind.name} has {len(data)} bytes of {form.type}")
    numbers: Sequence[int] = struct.unpack(f"<{count}{scalar.code}", data)
    return tuple(numbers) if form.many else numbers[0]
