"""Delta compression against a bit-by-bit oracle."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_protocol.devices.polar_samples import (
    as_float32,
    as_int32,
    compressed_samples,
    raw_samples,
)
from firmware_protocol.errors import FormatError


def packed(values: list[int], bits: int) -> bytes:
    """One bit after the other, least significant first."""
    stream = [value >> k & 1 for value in values for k in range(bits)]
    stream += [0] * (-len(stream) % 8)
    return bytes(
        sum(bit << k for k, bit in enumerate(stream[i : i + 8])) for i in range(0, len(stream), 8)
    )


@st.composite
def frames(draw: st.DrawFn) -> tuple[int, int, bytes, list[list[int]]]:
    channels, size = draw(st.integers(1, 4)), draw(st.sampled_from([2, 3, 4]))
    low, high = -(1 << 8 * size - 1), (1 << 8 * size - 1) - 1
    reference = draw(st.lists(st.integers(low, high), min_size=channels, max_size=channels))
    body = b"".join(v.to_bytes(size, "little", signed=True) for v in reference)
    rows = [reference]
    for _ in range(draw(st.integers(0, 3))):
        bits, count = draw(st.integers(1, 32)), draw(st.integers(1, 9))
        d = draw(
            st.lists(
                st.integers(-(1 << bits - 1), (1 << bits - 1) - 1),
                min_size=count * channels,
                max_size=count * channels,
            )
        )
        body += bytes((bits, count)) + packed(d, bits)
        for i in range(count):
            rows.append([a + b for a, b in zip(rows[-1], d[i * channels :], strict=False)])
    return channels, size, body, rows


@given(frames())
def test_what_was_packed_comes_out(frame: tuple[int, int, bytes, list[list[int]]]) -> None:
    channels, size, body, rows = frame
    assert compressed_samples(body, channels, size).tolist() == rows


@given(frames(), st.data())
def test_a_cut_frame_is_refused_or_ends_at_a_block(
    frame: tuple[int, int, bytes, list[list[int]]], data: st.DataObject
) -> None:
    channels, size, body, rows = frame
    cut = data.draw(st.integers(0, len(body)))
    try:
        found = compressed_samples(body[:cut], channels, size).tolist()
    except FormatError:
        return
    assert found == rows[: len(found)]


@given(st.integers(1, 4), st.integers(1, 4), st.data())
def test_raw_samples_are_signed(channels: int, size: int, data: st.DataObject) -> None:
    body = data.draw(st.binary(min_size=channels * size, max_size=channels * size))
    expected = [
        int.from_bytes(body[i : i + size], "little", signed=True) for i in range(0, len(body), size)
    ]
    assert raw_samples(body, channels, size).tolist() == [expected]


@pytest.mark.parametrize("body", [b"", b"1234567"])
def test_a_rest_is_refused(body: bytes) -> None:
    with pytest.raises(FormatError):
        raw_samples(body, 3, 2)


@pytest.mark.parametrize(
    "block", [b"\x08", b"\x00\x01", b"\x21\x01" + bytes(20), b"\x08\x00", b"\x08\x05\x00"]
)
def test_senseless_blocks_are_refused(block: bytes) -> None:
    with pytest.raises(FormatError):
        compressed_samples(bytes(6) + block, 3, 2)


def test_sums_beyond_32_bits() -> None:
    with pytest.raises(FormatError):
        as_int32(np.array([[2**31]]))
    bits = np.array([[0x3F800000 + 2**32, 0x40000000 - 2**32]])
    assert as_float32(bits).tolist() == [[1.0, 2.0]]
