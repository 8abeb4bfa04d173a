"""Line protocol for InfluxDB, written by one compiled kernel.

Tag values are percent-encoded to ``A-Z a-z 0-9 _ . : -``, so that neither line protocol nor
InfluxQL needs any further escaping, whatever a name contains.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote, unquote

import numpy as np
from numpy.typing import NDArray

from processing._jit import kernel
from processing.types import FloatArray
from storage.errors import ResultStoreError

Bytes = NDArray[np.uint8]

_SAFE = ":"
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_LARGEST = 9.0e14
"""Beyond it three decimals do not fit an int64."""
MAX_BODY_BYTES = 1 << 20
"""InfluxDB's advice is 5000 to 10 000 lines per request; 1 MB is about 3000 full ones."""
_NUMBER_BYTES = 20
_TIME_BYTES = 22


def tag_value(text: str) -> str:
    """Return a tag value that needs no escaping anywhere."""
    if not text:
        raise ResultStoreError("an empty name cannot be a tag; give the patient an id")
    return quote(text, safe=_SAFE).replace("~", "%7E")


def tag_text(value: str) -> str:
    """Return the text that `tag_value` encoded."""
    return unquote(value)


def prefix(measurement: str, tags: Mapping[str, str]) -> bytes:
    """Return ``measurement,tag=value,...`` with tags sorted and values encoded."""
    pairs = "".join(f",{key}={tag_value(value)}" for key, value in sorted(tags.items()))
    return f"{measurement}{pairs}".encode("ascii")


def columns_to_bodies(
    head: bytes,
    fields: Sequence[str],
    values: FloatArray,
    t_ns: NDArray[np.int64],
    *,
    max_bytes: int = MAX_BODY_BYTES,
) -> Iterator[tuple[bytes, int]]:
    """Yield (body, rows taken): one line per row with three decimals, cut at whole lines.

    Parameters
    ----------
    head : bytes
        From `prefix`.
    fields : sequence of str
        Names of the columns.
    values : (n, f) float64
        NaN and infinities are left out; a row of nothing else gives no line.
    t_ns : (n,) int64
        UTC nanoseconds.
    max_bytes : int
        Upper limit of a body.

    Raises
    ------
    ResultStoreError
        A field name is no identifier, or a value is beyond 9e14.
    """
    names = [f"{name}=".encode("ascii") for name in fields if _IDENTIFIER.match(name)]
    if len(names) != len(fields):
        raise ResultStoreError(f"field names must be plain identifiers: {', '.join(fields)}")
    rows = np.ascontiguousarray(values, dtype=np.float64)
    times = np.ascontiguousarray(t_ns, dtype=np.int64)
    width = len(head) + 2 + sum(len(n) + _NUMBER_BYTES for n in names) + _TIME_BYTES
    # Reused for every body: it stays in the processor's cache.
    out = np.empty(max(max_bytes, width), dtype=np.uint8)
    offsets = np.cumsum([0, *(len(n) for n in names)]).astype(np.int64)
    head_bytes = np.frombuffer(head, dtype=np.uint8)
    name_bytes = np.frombuffer(b"".join(names), dtype=np.uint8)
    at = 0
    while at < len(rows):
        taken, size = _write_lines(
            head_bytes, name_bytes, offsets, rows[at:], times[at:], _TRIPLETS, width, out
        )
        if taken < 0:
            raise ResultStoreError("a value beyond 9e14 cannot be written with three decimals")
        at += taken
        if size:
            yield out[:size].tobytes(), taken


def columns_to_lines(
    head: bytes, fields: Sequence[str], values: FloatArray, t_ns: NDArray[np.int64]
) -> bytes:
    """Return all lines of `columns_to_bodies` as one body."""
    return b"".join(body for body, _ in columns_to_bodies(head, fields, values, t_ns))


def row_to_line(head: bytes, values: Mapping[str, float | None], t_ns: int) -> bytes:
    """Return one line with full precision; None and non-finite values are left out."""
    parts = [
        f"{name}={float(value)!r}"
        for name, value in values.items()
        if value is not None and np.isfinite(value)
    ]
    for name in values:
        if not _IDENTIFIER.match(name):
            raise ResultStoreError(f"field name {name!r} must be a plain identifier")
    if not parts:
        return b""
    return b"%s %s %d\n" % (head, ",".join(parts).encode("ascii"), t_ns)


def _triplets() -> Bytes:
    """Return "000", "001", ... "999" as (1000, 3)."""
    text = "".join(f"{k:03d}" for k in range(1000)).encode("ascii")
    return np.frombuffer(text, dtype=np.uint8).reshape(1000, 3).copy()


_TRIPLETS = _triplets()


@kernel(inline=True)
def _put_whole(
    out: Bytes, at: int, number: np.uint64, triplets: Bytes, stack: NDArray[np.int64]
) -> int:
    """Write a non-negative integer and return the next place."""
    rest = number
    thousand = np.uint64(1000)
    depth = 0
    while rest >= thousand:
        higher = rest // thousand
        stack[depth] = np.int64(rest - higher * thousand)
        depth += 1
        rest = higher
    lead = np.int64(rest)
    if lead >= 100:
        out[at] = triplets[lead, 0]
        at += 1
    if lead >= 10:
        out[at] = triplets[lead, 1]
        at += 1
    out[at] = triplets[lead, 2]
    at += 1
    for k in range(depth):
        three = stack[depth - 1 - k]
        out[at] = triplets[three, 0]
        out[at + 1] = triplets[three, 1]
        out[at + 2] = triplets[three, 2]
        at += 3
    return at


@kernel()
def _write_lines(
    head: Bytes,
    names: Bytes,
    offsets: NDArray[np.int64],
    values: FloatArray,
    t_ns: NDArray[np.int64],
    triplets: Bytes,
    width: int,
    out: Bytes,
) -> tuple[int, int]:
    """Write rows while a line of `width` bytes fits; return (rows taken, bytes written).

    Rows taken is -1 where a value is too large.
    """
    at = 0
    stack = np.empty(8, dtype=np.int64)
    head_size = head.shape[0]
    for row in range(values.shape[0]):
        if at + width > out.shape[0]:
            return row, at
        begin = at
        out[at : at + head_size] = head
        at += head_size
        separator = np.uint8(32)
        for column in range(values.shape[1]):
            value = values[row, column]
            size = abs(value)
            if not size <= _LARGEST:
                if size < np.inf:
                    return -1, 0
                continue
            out[at] = separator
            separator = np.uint8(44)
            at += 1
            for k in range(offsets[column], offsets[column + 1]):
                out[at] = names[k]
                at += 1
            scaled = np.uint64(size * 1000.0 + 0.5)
            whole = scaled // np.uint64(1000)
            part = np.int64(scaled - whole * np.uint64(1000))
            if value < 0.0 and scaled > 0:
                out[at] = np.uint8(45)
                at += 1
            at = _put_whole(out, at, whole, triplets, stack)
            out[at] = np.uint8(46)
            out[at + 1] = triplets[part, 0]
            out[at + 2] = triplets[part, 1]
            out[at + 3] = triplets[part, 2]
            at += 4
        if separator == np.uint8(32):
            at = begin
            continue
        out[at] = np.uint8(32)
        at += 1
        t = t_ns[row]
        if t < 0:
            out[at] = np.uint8(45)
            at += 1
            t = -t
        at = _put_whole(out, at, np.uint64(t), triplets, stack)
        out[at] = np.uint8(10)
        at += 1
    return values.shape[0], at
