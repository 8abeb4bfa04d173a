"""Packed little-endian layouts: one description, three codecs (struct, numpy, C).

A `Layout` is a row of the definition table. Everything that reads or writes its bytes is derived
from it, so an offset can be wrong in one place only.
"""

import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from firmware_protocol.errors import FieldError, LengthError


@dataclass(frozen=True, slots=True)
class Scalar:
    """A number type of the wire."""

    code: str
    """Format character of `struct`."""
    dtype: str
    """numpy type, little-endian."""
    c_type: str
    """Type of stdint.h."""
    size: int
    """Bytes."""
    low: int
    """Smallest value."""
    high: int
    """Largest value."""


SCALARS = {
    name: Scalar(
        code,
        f"<{name[0]}{size}",
        f"{'u' if name[0] == 'u' else ''}int{8 * size}_t",
        size,
        low,
        high,
    )
    for name, code, size, low, high in (
        ("u8", "B", 1, 0, 2**8 - 1),
        ("i8", "b", 1, -(2**7), 2**7 - 1),
        ("u16", "H", 2, 0, 2**16 - 1),
        ("i16", "h", 2, -(2**15), 2**15 - 1),
        ("u32", "I", 4, 0, 2**32 - 1),
        ("i32", "i", 4, -(2**31), 2**31 - 1),
        ("u64", "Q", 8, 0, 2**64 - 1),
        ("i64", "q", 8, -(2**63), 2**63 - 1),
    )
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a layout."""

    name: str
    type: str
    """Key of `SCALARS`."""
    unit: str
    """Unit with scale, or a dash for counts, codes and bits."""
    note: str
    """What the field means."""
    count: int = 1
    """Number of elements; more than one makes an array (``u8`` arrays are `bytes` in Python)."""

    @property
    def scalar(self) -> Scalar:
        """Return the element type."""
        return SCALARS[self.type]

    @property
    def size(self) -> int:
        """Return the size in bytes."""
        return self.scalar.size * self.count

    @property
    def is_bytes(self) -> bool:
        """Return whether Python sees the field as `bytes`."""
        return self.type == "u8" and self.count > 1


@dataclass(frozen=True, slots=True)
class Layout:
    """A packed structure of fixed size."""

    name: str
    note: str
    fields: tuple[Field, ...]
    codec: struct.Struct = field(init=False, repr=False, compare=False)
    """Codec of the whole structure; arrays are flat."""
    dtype: np.dtype[np.void] = field(init=False, repr=False, compare=False)
    """Structured dtype of one row, packed."""

    def __post_init__(self) -> None:
        codes = (
            f"{f.count}s" if f.is_bytes else f"{f.count if f.count > 1 else ''}{f.scalar.code}"
            for f in self.fields
        )
        object.__setattr__(self, "codec", struct.Struct("<" + "".join(codes)))
        names = [
            (f.name, f.scalar.dtype, (f.count,)) if f.count > 1 else (f.name, f.scalar.dtype)
            for f in self.fields
        ]
        object.__setattr__(self, "dtype", np.dtype(names))

    @property
    def size(self) -> int:
        """Return the size in bytes."""
        return self.codec.size

    def offsets(self) -> tuple[int, ...]:
        """Return the byte offset of each field."""
        at = 0
        found = []
        for f in self.fields:
            found.append(at)
            at += f.size
        return tuple(found)

    def pack(self, *values: Any) -> bytes:
        """Return the bytes of the fields, given in order (arrays as one sequence or bytes).

        Raises
        ------
        FieldError
            A value is not an integer, out of range, or an array has another length.
        """
        if len(values) != len(self.fields):
            raise FieldError(self.name, values, f"{len(self.fields)} values")
        flat: list[Any] = []
        for f, value in zip(self.fields, values, strict=True):
            where = f"{self.name}.{f.name}"
            if f.is_bytes:
                if not isinstance(value, bytes) or len(value) != f.count:
                    raise FieldError(where, value, f"{f.count} bytes")
                flat.append(value)
                continue
            items = value if f.count > 1 else (value,)
            if len(items) != f.count:
                raise FieldError(where, value, f"{f.count} integers")
            for item in items:
                if not isinstance(item, int | np.integer) or not (
                    f.scalar.low <= item <= f.scalar.high
                ):
                    raise FieldError(
                        where, item, f"an integer from {f.scalar.low} to {f.scalar.high}"
                    )
                flat.append(int(item))
        return self.codec.pack(*flat)

    def unpack(self, data: bytes | bytearray | memoryview) -> tuple[Any, ...]:
        """Return the fields of exactly `size` bytes, arrays as tuples.

        Raises
        ------
        LengthError
            `data` is shorter or longer.
        """
        if len(data) != self.size:
            raise LengthError(self.name, len(data), str(self.size))
        flat = iter(self.codec.unpack(data))
        return tuple(
            next(flat) if f.count == 1 or f.is_bytes else tuple(next(flat) for _ in range(f.count))
            for f in self.fields
        )
