"""Movesense GSP: vectors, two-part packets, doubtful byte orders."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_protocol.devices import movesense as ms
from firmware_protocol.devices.samples import SampleBlock
from firmware_protocol.errors import FieldError


def packet(path: str, stamp_ms: int, blocks: np.ndarray, reference: int = 0x63) -> list[bytes]:
    """Notifications as the sensor sends them: (quantities, n, 3) float32."""
    body = struct.pack("<I", stamp_ms) + blocks.astype("<f4").tobytes()
    if len(body) <= 150:
        return [bytes((2, reference)) + body]
    return [bytes((2, reference)) + body[:150], bytes((3, reference)) + body[150:]]


def decoder(path: str = "/Meas/IMU6/52", reference: int = 0x63) -> ms.MovesenseDecoder:
    made = ms.MovesenseDecoder()
    made.expect(path, reference)
    return made


def test_the_published_commands() -> None:
    assert ms.subscribe(ms.imu6_path(52.0), 0x63).hex() == "01632f4d6561732f494d55362f3532"
    assert ms.unsubscribe(0x63).hex() == "0263"
    assert ms.hello(1) == b"\x00\x01"
    assert ms.get("/Info", 2) == b"\x04\x02/Info"
    assert ms.put_utc_time(3, 1_000_000) == b"\x08\x03" + (1_000_000).to_bytes(8, "little")
    assert ms.imu9_path(104.0) == "/Meas/IMU9/104"


def test_the_published_packet() -> None:
    data = bytes.fromhex("0263e8030000000000000000000000001d410000803f000000c00000003f")
    (block,) = decoder().feed(data)
    assert isinstance(block, SampleBlock)
    assert (block.first_ns, block.rate_hz, block.stream) == (1_000_000_000, 52.0, "imu")
    physical = block.physical()[0]
    assert physical[:3].tolist() == [0, 0, 9.8125]
    assert np.rad2deg(physical[3:]) == pytest.approx((1, -2, 0.5))


@pytest.mark.parametrize(
    ("path", "quantities", "n"),
    [
        ("/Meas/IMU6/52", 2, 4),
        ("/Meas/IMU9/52", 3, 4),
        ("/Meas/IMU9/104", 3, 8),
        ("/Meas/Gyro/104", 1, 8),
        ("/Meas/Acc/52", 1, 4),
        ("/Meas/Magn/208", 1, 16),
    ],
)
def test_blocks_become_rows(path: str, quantities: int, n: int) -> None:
    sent = np.arange(quantities * n * 3, dtype=np.float32).reshape(quantities, n, 3)
    made = decoder(path)
    found = [m for part in packet(path, 20, sent) for m in made.feed(part)]
    (block,) = found
    assert isinstance(block, SampleBlock)
    assert block.samples.dtype == np.float32
    assert np.array_equal(block.samples, np.concatenate(list(sent), axis=1))
    assert made.counts == {}


def test_a_lost_second_part_costs_one_packet() -> None:
    made = decoder("/Meas/IMU9/104")
    first, _ = packet("", 0, np.zeros((3, 8, 3)))
    second, rest = packet("", 77, np.ones((3, 8, 3)))
    assert made.feed(first) == made.feed(second) == []
    (block,) = made.feed(rest)
    assert isinstance(block, SampleBlock)
    assert block.first_ns == 77_000_000
    assert made.feed(rest) == []
    assert made.counts == {"part_lost": 1, "part_stray": 1}


def test_statuses_come_in_either_byte_order() -> None:
    made = decoder()
    ok, bad, small = (made.feed(bytes.fromhex(h))[0] for h in ("0163c800", "016301fb", "016394 01"))
    assert isinstance(ok, ms.Response)
    assert isinstance(bad, ms.Response)
    assert isinstance(small, ms.Response)
    assert (ok.status, ok.ok) == (200, True)
    assert (bad.status, bad.ok) == (507, False)
    assert small.status == 404
    created = ms.Response(1, struct.pack("<H", 201) + b"data")
    assert (created.ok, created.data) == (True, b"data")
    assert ms.Response(1, b"\x00").status is None


def test_hello_has_no_status() -> None:
    body = b"\x01" + b"\0".join([b"204730000081", b"Movesense", b"AA:BB", b"app", b"2.3.0"]) + b"\0"
    (found,) = decoder().feed(b"\x01\x05" + body)
    assert isinstance(found, ms.Response)
    assert found.hello == ms.Hello(1, "204730000081", "Movesense", "AA:BB", "app", "2.3.0")
    assert ms.Response(1, b"").hello is None
    assert ms.Response(1, b"\x01only\0two").hello is None


def test_strange_notifications_are_counted() -> None:
    made = decoder()
    for data in (b"", b"\x02", b"\x02\x63", b"\x02\x63\x00\x00\x00\x00", b"\x02\x63" + bytes(17)):
        assert made.feed(data) == []
    assert made.feed(b"\x07\x63") == []
    assert made.feed(b"\x02\x64" + bytes(28)) == []
    made.forget(0x63)
    assert made.feed(b"\x02\x63" + bytes(28)) == []
    assert made.counts == {"malformed": 5, "unknown_type": 1, "unknown_reference": 2}


@given(
    st.lists(
        st.binary(max_size=200)
        | st.binary(min_size=150, max_size=150).map(lambda b: b"\x02\x63" + b),
        max_size=12,
    )
)
def test_any_bytes_are_survived(notifications: list[bytes]) -> None:
    made = decoder("/Meas/IMU9/104")
    for notification in notifications:
        made.feed(notification)


@pytest.mark.parametrize("path", ["/Meas/HR", "Meas/Acc/52", "/Info", ""])
def test_paths_that_cannot_be_decoded_are_refused(path: str) -> None:
    with pytest.raises(FieldError):
        ms.MovesenseDecoder().expect(path, 1)


def test_commands_check_their_arguments() -> None:
    with pytest.raises(FieldError, match="reference"):
        ms.hello(0)
    with pytest.raises(FieldError, match="path"):
        ms.subscribe("Meas", 1)
    with pytest.raises(FieldError, match="path"):
        ms.subscribe("/" + "x" * 200, 1)
