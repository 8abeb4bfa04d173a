"""WitMotion: vectors, frames in pieces, noise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_protocol.devices import witmotion
from firmware_protocol.devices.samples import SampleBlock
from firmware_protocol.errors import FieldError

SAMPLE = bytes.fromhex("55610000000000081000f0ff00000020000000c0")
REGISTERS = bytes.fromhex("55713a00680169007a0000000000000000000000")


def test_the_data_sheet_register_answer() -> None:
    (found,) = witmotion.WitMotionDecoder().feed(REGISTERS)
    assert found == witmotion.Registers(witmotion.REGISTER_MAG, (360, 105, 122, 0, 0, 0, 0, 0))


def test_the_published_sample() -> None:
    imu, angles = witmotion.WitMotionDecoder().feed(SAMPLE)
    assert isinstance(imu, SampleBlock)
    assert isinstance(angles, SampleBlock)
    assert imu.physical()[0, :3] / 9.80665 == pytest.approx((0, 0, 1))
    assert np.rad2deg(imu.physical()[0, 3:]) == pytest.approx((0.9765625, -0.9765625, 0))
    assert np.rad2deg(angles.physical()[0]) == pytest.approx((45, 0, -90))
    assert imu.first_ns is imu.last_ns is None


def test_the_commands() -> None:
    assert witmotion.set_rate(100.0).hex() == "ffaa030900"
    assert witmotion.set_rate(200.0).hex() == "ffaa030b00"
    assert witmotion.read_register(witmotion.REGISTER_BATTERY).hex() == "ffaa276400"
    assert witmotion.unlock().hex() == "ffaa6988b5"
    assert witmotion.save().hex() == "ffaa000000"
    with pytest.raises(FieldError, match="rate_hz"):
        witmotion.set_rate(104.0)
    with pytest.raises(FieldError, match="register"):
        witmotion.read_register(256)


bodies = st.lists(
    st.tuples(st.sampled_from([b"\x55\x61", b"\x55\x71"]), st.binary(min_size=18, max_size=18)),
    max_size=6,
)


@given(bodies, st.lists(st.integers(1, 60), max_size=12))
def test_frames_survive_any_cutting(sent: list[tuple[bytes, bytes]], sizes: list[int]) -> None:
    stream = b"".join(head + body for head, body in sent)
    decoder = witmotion.WitMotionDecoder()
    imu, registers, at = [], [], 0
    for size in [*sizes, len(stream)]:
        for message in decoder.feed(stream[at : at + size]):
            if isinstance(message, witmotion.Registers):
                registers.append(message)
            elif message.stream == "imu":
                imu.append(message.samples)
        at += size
    expected = [np.frombuffer(b, "<i2")[:6] for h, b in sent if h == b"\x55\x61"]
    assert np.array_equal(np.concatenate(imu) if imu else [], expected)
    assert len(registers) == sum(h == b"\x55\x71" for h, _ in sent)
    assert decoder.counts == {}


@given(st.lists(st.binary(max_size=60), max_size=10))
def test_any_bytes_are_bounded(notifications: list[bytes]) -> None:
    decoder = witmotion.WitMotionDecoder()
    for notification in notifications:
        decoder.feed(notification)
    assert len(decoder._buffer) < witmotion.FRAME_SIZE


def test_noise_is_skipped_and_counted() -> None:
    decoder = witmotion.WitMotionDecoder()
    found = decoder.feed(b"\x00\x55\x00" + SAMPLE + b"\xff")
    assert len(found) == 2
    assert decoder.counts == {"noise_bytes": 4}
