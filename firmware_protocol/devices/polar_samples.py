"""Polar PMD data frames: raw and delta-compressed samples.

A compressed frame is a reference sample followed by blocks of differences, each block with its own
bit width; the differences stand least significant bit first and every block ends on a whole byte.
"""

import numpy as np
from numpy.typing import NDArray

from firmware_protocol.errors import FormatError

MAX_BITS = 32
_I32_LOW, _I32_HIGH = -(2**31), 2**31 - 1


def raw_samples(body: bytes, channels: int, size: int) -> NDArray[np.int32]:
    """Return (n, channels) little-endian signed integers of `size` bytes.

    Raises
    ------
    FormatError
        There is no whole sample, or a rest.
    """
    n, rest = divmod(len(body), channels * size)
    if rest or n == 0:
        raise FormatError(f"{len(body)} bytes are not whole samples of {channels} x {size} bytes")
    return _signed(np.frombuffer(body, np.uint8).reshape(n * channels, size)).reshape(n, channels)


def compressed_samples(body: bytes, channels: int, size: int) -> NDArray[np.int64]:
    """Return (n, channels) int64: the reference sample and the running sum of differences.

    Parameters
    ----------
    body
        Reference sample, then blocks of u8 bits, u8 count, packed differences.
    channels, size
        Channels and bytes per channel of the reference sample.

    Raises
    ------
    FormatError
        A block is cut, empty, or wider than 32 bits.
    """
    head = channels * size
    if len(body) < head:
        raise FormatError("the reference sample is cut")
    reference = _signed(np.frombuffer(body[:head], np.uint8).reshape(channels, size))
    blocks = [reference.astype(np.int64)[None, :]]
    at = head
    while at < len(body):
        if at + 2 > len(body):
            raise FormatError("a block header is cut")
        bits, count = body[at], body[at + 1]
        length = -(-bits * count * channels // 8)
        if not 1 <= bits <= MAX_BITS or count == 0 or at + 2 + length > len(body):
            raise FormatError(f"a block of {count} differences of {bits} bits does not fit")
        blocks.append(_differences(body[at + 2 : at + 2 + length], bits, count, channels))
        at += 2 + length
    return np.cumsum(np.concatenate(blocks), axis=0)


def as_int32(values: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return the values as int32; a sum that left its range raises `FormatError`."""
    if values.min() < _I32_LOW or values.max() > _I32_HIGH:
        raise FormatError("the sum of differences leaves 32 bits")
    return values.astype(np.int32)


def as_float32(values: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return IEEE-754 patterns, whose sums wrap modulo 2^32, as float32."""
    return (values & 0xFFFFFFFF).astype(np.uint32).view(np.float32)


def _signed(raw: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Return (m,) int32 of (m, size) little-endian bytes, two's complement."""
    size = raw.shape[1]
    padded = np.zeros((raw.shape[0], 4), dtype=np.uint8)
    padded[:, 4 - size :] = raw
    shifted = padded.view("<i4").reshape(-1) >> (8 * (4 - size))
    return np.asarray(shifted, dtype=np.int32)


def _differences(packed: bytes, bits: int, count: int, channels: int) -> NDArray[np.int64]:
    stream = np.unpackbits(np.frombuffer(packed, np.uint8), bitorder="little")
    digits = stream[: bits * count * channels].reshape(count * channels, bits).astype(np.int64)
    weights = np.int64(1) << np.arange(bits, dtype=np.int64)
    weights[-1] = -weights[-1]  # two's complement: the highest bit counts negative
    return np.asarray((digits @ weights).reshape(count, channels), dtype=np.int64)
