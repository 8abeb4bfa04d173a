"""Capture2Go: published vectors, and the maker's own package as an oracle."""

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_protocol.devices import capture2go as c2g
from firmware_protocol.devices import capture2go_layouts as wire
from firmware_protocol.devices.capture2go_frames import RawMessage, encode_message
from firmware_protocol.devices.samples import SampleBlock
from firmware_protocol.errors import FieldError

QUAT = 0x0123456789ABCDEF
QUAT_WXYZ = (0.70765105, -0.60654093, -0.13513641, 0.33626811)


def oracle() -> Any:
    return pytest.importorskip("capture2go.pkg", reason="capture2go is not installed")


def packed_payload() -> bytes:
    i = np.arange(24)
    gyr = 100 * i - 1200
    acc = np.where(i % 3 == 2, 2048, i)
    counts = np.concatenate([gyr, acc, -16 * i]).astype("<i2").tobytes()
    return (
        struct.pack("<q", 1_700_000_000_123_456_789) + counts + struct.pack("<QhB", QUAT, -1234, 1)
    )


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (c2g.start_streaming(), "023d7f658c005001"),
        (c2g.stop_streaming(), "02bf1d53be005201"),
        (c2g.get_device_info(), "02096be66e007000"),
        (
            c2g.set_measurement_mode(full_packed_hz=100.0, status_s=1),
            "02b387f9491e2001000000000000000000000200000001000000000000000000000000000000",
        ),
    ],
)
def test_the_published_commands(made: bytes, expected: str) -> None:
    assert made.hex() == expected


def test_the_published_real_time_quaternion() -> None:
    frame = bytes.fromhex("02ac5810b21387022a00000000000000efcdab8967452301070000")
    (found,) = c2g.Capture2GoDecoder().feed(b"\xfe" + frame)
    assert isinstance(found, c2g.Orientations)
    assert (found.first_ns, found.rate_hz) == (42, None)
    assert found.q[0] == pytest.approx(QUAT_WXYZ, abs=1e-8)
    assert (found.rest[0], found.disturbed[0]) == (False, False)
    assert found.delta_rad[0] == pytest.approx(7 * np.pi / 32768)


def test_the_published_packed_frame_over_two_notifications() -> None:
    frame = encode_message(0x0222, packed_payload())
    assert len(frame) == 171
    assert frame.hex().startswith("0206e53e05a32202")
    rt = bytes.fromhex("02ac5810b21387022a00000000000000efcdab8967452301070000")
    decoder = c2g.Capture2GoDecoder()
    (first,) = decoder.feed(b"\xfe" + rt + frame[:100])
    (block,) = decoder.feed(b"\xff" + frame[100:])
    assert isinstance(first, c2g.Orientations)
    assert isinstance(block, SampleBlock)
    assert (block.first_ns, block.rate_hz, block.n) == (1_700_000_000_123_456_789, 100.0, 8)
    assert (block.gap_before, block.clip) == (True, False)
    physical = block.physical()
    assert physical[0, :3] == pytest.approx((0, 0.00479004, 9.81), abs=1e-8)
    assert physical[0, 3:6] == pytest.approx((-1.27831732, -1.17179088, -1.06526444), abs=1e-8)
    assert physical[1, 6:] == pytest.approx((-3, -4, -5))
    assert decoder.counts == {}


@given(st.lists(st.binary(max_size=244), max_size=8))
def test_any_bytes_are_survived(notifications: list[bytes]) -> None:
    decoder = c2g.Capture2GoDecoder()
    for notification in notifications:
        decoder.feed(notification)


KNOWN_IDS = [0x71, 0x201, 0x172, 0x171, 0xFFFF, 0x151, 0x221, 0x236, 0x271, 0x281, 0x287]


@given(st.sampled_from(KNOWN_IDS), st.binary(max_size=236))
def test_any_payload_of_a_known_message_is_decoded_or_counted(kind: int, payload: bytes) -> None:
    decoder = c2g.Capture2GoDecoder()
    found = decoder.feed(b"\xff" + encode_message(kind, payload))
    assert len(found) + decoder.counts["malformed"] == 1


def test_unknown_messages_are_returned_raw() -> None:
    found = c2g.Capture2GoDecoder().feed(b"\xff" + encode_message(0x0400, b"abc"))
    assert found == [RawMessage(0x0400, b"abc")]


def test_other_messages() -> None:
    decoder = c2g.Capture2GoDecoder()

    def feed(kind: int, payload: bytes = b"") -> object:
        (message,) = decoder.feed(b"\xff" + encode_message(kind, payload))
        return message

    assert feed(wire.ID_STARTED) == c2g.Acknowledged(wire.ID_STARTED)
    assert feed(wire.ID_ERROR, b"\x04\x20\x01") == c2g.Refused(4, 0x0120)
    assert feed(wire.ID_TIME, (-5).to_bytes(8, "little", signed=True)) == c2g.AbsoluteTime(-5)
    assert feed(wire.ID_ROUND_TRIP, struct.pack("<4q", 1, 2, 3, 4)) == c2g.ClockRoundTrip(1, 2, 3)
    info = b"\x01\x00" + b"ab1234" + b"rev 1\0\0\0" + b"fw 2\0\0\0\0" + b"1.2.3".ljust(12, b"\0")
    assert feed(wire.ID_INFO, info + b"2026-04-01\0") == c2g.DeviceInfo(
        1, "ab1234", "rev 1", "fw 2", "1.2.3", "2026-04-01"
    )
    status = feed(wire.ID_STATUS, struct.pack("<qBB3hBBB", 9, 2, 1, 16384, 0, -16384, 1, 0xC8, 55))
    assert isinstance(status, c2g.C2gStatus)
    assert (status.battery_percent, status.charging, status.free_percent) == (72, True, 55)
    assert status.gyr_bias_rads == pytest.approx((np.deg2rad(1), 0, -np.deg2rad(1)))
    assert status.synchronised


def test_a_rate_that_is_not_offered_is_refused() -> None:
    with pytest.raises(FieldError, match="200, 100"):
        c2g.set_measurement_mode(full_packed_hz=104.0)


# --- the maker's package as an oracle -----------------------------------------------------


@pytest.mark.parametrize(
    ("made", "name", "fields"),
    [
        (c2g.start_streaming(), "CmdStartStreaming", {}),
        (c2g.stop_streaming_and_clear(), "CmdStopStreamingAndClearBuffer", {}),
        (c2g.get_status(), "CmdGetStatus", {}),
        (
            c2g.start_real_time(mode=2, rate_limit_hz=25),
            "CmdStartRealTimeStreaming",
            {"mode": 2, "rateLimit": 25},
        ),
        (c2g.stop_real_time(), "CmdStopRealTimeStreaming", {}),
        (c2g.set_absolute_time(123456789), "CmdSetAbsoluteTime", {"newTimestamp": 123456789}),
        (c2g.clock_round_trip(77), "DataClockRoundtrip", {"hostSendTimestamp": 77}),
        (
            c2g.set_measurement_mode(
                full_packed_hz=50.0,
                quat_packed_hz=200.0,
                status_s=5,
                sync=2,
                sync_id=99,
                with_mag=False,
            ),
            "CmdSetMeasurementMode",
            {
                "fullPackedMode": 3,
                "quatPackedMode": 1,
                "statusMode": 5,
                "syncMode": 2,
                "syncId": 99,
                "disableMagData": True,
            },
        ),
    ],
)
def test_commands_equal_the_makers(made: bytes, name: str, fields: dict[str, int]) -> None:
    package = getattr(oracle(), name)(**fields)
    assert made == package.pack()


@settings(max_examples=60)
@given(st.integers(0, 5), st.booleans(), st.data())
def test_packed_samples_equal_the_makers(rate: int, six: bool, data: st.DataObject) -> None:
    pkg = oracle()
    kind = (wire.ID_FULL_6D_PACKED if six else wire.ID_FULL_PACKED) + rate
    size = (wire.FULL_6D_PACKED if six else wire.FULL_PACKED).size
    payload = data.draw(st.binary(min_size=size, max_size=size))
    expected = pkg.packages[kind].frombytes(payload).parse()
    (block,) = c2g.Capture2GoDecoder().feed(b"\xff" + encode_message(kind, payload))
    assert isinstance(block, SampleBlock)
    physical = block.physical()
    assert np.allclose(physical[:, :3], expected["acc"], rtol=1e-6, atol=1e-9)
    assert np.allclose(physical[:, 3:6], expected["gyr"], rtol=1e-6, atol=1e-9)
    if not six:
        assert np.allclose(physical[:, 6:], expected["mag"], rtol=1e-6, atol=1e-9)
    assert block.first_ns == np.atleast_1d(expected["timestamp"])[0]


def words_of(q: np.ndarray, rest: np.ndarray, disturbed: np.ndarray) -> np.ndarray:
    """Pack unit quaternions, one component after the other."""
    words = []
    for signed, r, d in zip(q, rest, disturbed, strict=True):
        k = int(np.argmax(np.abs(signed)))
        row = signed * np.sign(signed[k])
        word = int(d) << 63 | int(r) << 62 | k << 60
        for place, j in enumerate((1, 2, 3)):
            part = round((row[(k + j) % 4] + np.sqrt(0.5)) * 0xFFFFF / np.sqrt(2))
            word |= part << (40 - 20 * place)
        words.append(word)
    return np.array(words, dtype=np.uint64)


@pytest.mark.parametrize("seed", range(5))
def test_quaternions_equal_the_makers_and_the_truth(seed: int) -> None:
    rng = np.random.default_rng(seed)
    q = rng.normal(size=(20, 4))
    q /= np.linalg.norm(q, axis=1)[:, None]
    rest, disturbed = rng.random(20) < 0.5, rng.random(20) < 0.5
    delta = rng.integers(-32768, 32767, 20).astype("<i2").tobytes()
    payload = bytes(8) + words_of(q, rest, disturbed).tobytes() + delta + bytes(20)
    (found,) = c2g.Capture2GoDecoder().feed(b"\xff" + encode_message(0x0272, payload))
    assert isinstance(found, c2g.Orientations)
    sign = np.sign(np.sum(found.q * q, axis=1))[:, None]
    assert np.allclose(found.q * sign, q, atol=3e-6)
    assert found.rest.tolist() == rest.tolist()
    assert found.disturbed.tolist() == disturbed.tolist()
    expected = oracle().packages[0x0272].frombytes(payload).parse()
    assert np.allclose(found.q, expected["quat"], atol=1e-6)
    assert np.allclose(found.delta_rad, np.ravel(expected["delta"]), atol=1e-6)


def test_an_impossible_quaternion_is_nan() -> None:
    q, _, _ = c2g.decode_quaternions(np.array([0, QUAT], dtype=np.uint64))
    assert np.isnan(q[0]).all()
    assert np.isfinite(q[1]).all()
