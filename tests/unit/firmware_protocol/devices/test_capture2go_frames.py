"""Framing: split, merged, overtaken, damaged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_protocol.devices.capture2go_frames import FrameStream, RawMessage, encode_message
from firmware_protocol.errors import FieldError

messages = st.builds(
    RawMessage,
    st.integers(0, 0xFFFF),
    st.binary(max_size=236),
    st.just(False),
)


def on_air(sent: list[RawMessage], sizes: list[int]) -> list[bytes]:
    stream = b"".join(encode_message(m.id, m.payload) for m in sent)
    notifications, at = [], 0
    for size in [*sizes, len(stream)]:
        notifications.append(b"\xff" + stream[at : at + size])
        at += size
    return notifications


@given(st.lists(messages, max_size=5), st.lists(st.integers(0, 243), max_size=12))
def test_frames_survive_any_cutting(sent: list[RawMessage], sizes: list[int]) -> None:
    stream = FrameStream()
    found = [m for n in on_air(sent, sizes) for m in stream.feed(n)]
    assert found == sent
    assert stream.counts == {}


@given(st.lists(messages, min_size=1, max_size=4), st.binary(min_size=1, max_size=40))
def test_after_noise_the_stream_is_found_again(sent: list[RawMessage], noise: bytes) -> None:
    stream = FrameStream()
    found = stream.feed(b"\xff" + noise)
    for m in sent:
        found += stream.feed(b"\xff" + encode_message(m.id, m.payload))
    # noise may look like the head of a frame, and then swallows at most 244 bytes until its
    # checksum fails
    for _ in range(32):
        found += stream.feed(b"\xff" + encode_message(0x1234, b"padding"))
    assert RawMessage(0x1234, b"padding") in found
    assert all(m in found for m in sent)


@given(st.lists(st.binary(max_size=244), max_size=10))
def test_any_bytes_are_bounded(notifications: list[bytes]) -> None:
    stream = FrameStream()
    for notification in notifications:
        stream.feed(notification)
    assert len(stream._buffer) < 244


def test_real_time_frames_overtake_the_stream() -> None:
    frame, urgent = encode_message(1, b"slow" * 40), encode_message(2, b"fast")
    stream = FrameStream()
    assert stream.feed(b"\xff" + frame[:50]) == []
    assert (
        stream.feed(b"\xfd" + urgent + urgent + frame[50:60])
        == [RawMessage(2, b"fast", real_time=True)] * 2
    )
    assert stream.feed(b"\xff" + frame[60:]) == [RawMessage(1, b"slow" * 40)]


def test_a_damaged_real_time_frame_is_counted() -> None:
    urgent = bytearray(encode_message(2, b"fast"))
    urgent[-1] ^= 1
    stream = FrameStream()
    assert stream.feed(b"\xfe" + bytes(urgent) + b"rest") == []
    assert stream.feed(b"\x00") == []
    assert stream.counts == {"real_time_malformed": 2}


def test_a_flipped_bit_costs_one_frame() -> None:
    damaged = bytearray(encode_message(7, b"a" * 20))
    damaged[12] ^= 0x10
    stream = FrameStream()
    found = stream.feed(b"\xff" + bytes(damaged) + encode_message(8, b"b" * 20))
    assert found == [RawMessage(8, b"b" * 20)]
    assert stream.counts["crc_errors"] == 1


def test_empty_notifications_and_clear() -> None:
    stream = FrameStream()
    assert stream.feed(b"") == []
    assert stream.counts == {"empty": 1}
    frame = encode_message(7, b"x" * 9)
    stream.feed(b"\xff" + frame[:10])
    stream.clear()
    assert stream.feed(b"\xff" + frame) == [RawMessage(7, b"x" * 9)]


def test_a_payload_too_long_is_refused() -> None:
    with pytest.raises(FieldError, match="236"):
        encode_message(1, bytes(237))
