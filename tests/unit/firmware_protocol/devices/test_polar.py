"""Polar PMD: vectors, control point, factors."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_protocol.devices import polar
from firmware_protocol.devices.polar import (
    ControlAnswer,
    Features,
    Measurement,
    PolarDecoder,
    Setting,
)
from firmware_protocol.errors import FieldError, ProtocolError

G = 9.80665


def decoder(kind: Measurement, factor: float) -> PolarDecoder:
    made = PolarDecoder()
    made.configure(ControlAnswer(2, kind, 0, factor=factor))
    return made


def test_the_published_commands() -> None:
    acc = {Setting.RATE: 52, Setting.RESOLUTION: 16, Setting.RANGE: 8}
    gyr = {Setting.RANGE: 2000, Setting.RATE: 52, Setting.RESOLUTION: 16}
    assert polar.start(Measurement.ACC, acc).hex() == "0202000134000101100002010800"
    assert polar.start(Measurement.GYRO, gyr).hex() == "020500013400010110000201d007"
    assert polar.stop(Measurement.ACC).hex() == "0302"
    assert polar.stop(Measurement.GYRO).hex() == "0305"
    assert polar.get_settings(Measurement.MAG).hex() == "0106"
    assert (polar.sdk_mode(on=True).hex(), polar.sdk_mode(on=False).hex()) == ("0209", "0309")


def test_the_published_raw_frame() -> None:
    data = bytes.fromhex("0200ca9a3b00000000010a00f6ffe8030b00f4ffe603")
    (block,) = PolarDecoder().feed(data)
    assert (block.stream, block.last_ns, block.first_ns) == ("acc", 10**9, None)
    assert block.samples.tolist() == [[10, -10, 1000], [11, -12, 998]]
    assert block.physical()[0] == pytest.approx((0.01 * G, -0.01 * G, G))


def test_the_published_compressed_acceleration() -> None:
    data = bytes.fromhex("020094357700000000810000fbffe8030403f18207030d")
    (block,) = decoder(Measurement.ACC, 1.0).feed(data)
    assert block.last_ns == 2 * 10**9
    milli_g = block.physical() / G * 1000
    assert milli_g == pytest.approx(
        np.array([(0, -5, 1000), (1, -6, 1002), (-7, 1, 1002), (-4, 1, 999)])
    )


def test_the_published_compressed_rate() -> None:
    data = bytes.fromhex("05009435770000000080640038ff2c0105023f3c0802")
    (block,) = decoder(Measurement.GYRO, 0.0625).feed(data)
    assert np.rad2deg(block.physical()) == pytest.approx(
        np.array([(6.25, -12.5, 18.75), (6.1875, -12.4375, 19.6875), (5.1875, -12.4375, 19.75)])
    )


def test_acceleration_in_g_with_factor() -> None:
    data = bytes((2,)) + bytes(8) + b"\x80" + struct.pack("<3h", 0, 0, 4096)
    (block,) = decoder(Measurement.ACC, 1 / 4096).feed(data)
    assert block.physical()[0] == pytest.approx((0, 0, G))


def test_rate_as_float_patterns() -> None:
    reference = struct.pack("<3f", 1.5, -2.0, 0.0)
    data = bytes((5,)) + bytes(8) + b"\x81" + reference
    (block,) = decoder(Measurement.GYRO, 1.0).feed(data)
    assert block.samples.dtype == np.float32
    assert block.samples.tolist() == [[1.5, -2.0, 0.0]]


def test_magnetic_field() -> None:
    gauss = bytes((6,)) + bytes(8) + b"\x80" + struct.pack("<3h", 10, -20, 30)
    milligauss = bytes((6,)) + bytes(8) + b"\x81" + struct.pack("<4h", 500, 0, -500, 3)
    made = decoder(Measurement.MAG, 0.01)
    assert made.feed(gauss)[0].physical()[0] == pytest.approx((10, -20, 30))
    plain = PolarDecoder().feed(milligauss)[0]
    assert plain.physical()[0] == pytest.approx((50, 0, -50))
    assert plain.samples.shape == (1, 3)


def test_the_answer_to_start_keeps_the_factor() -> None:
    data = bytes.fromhex("f0020500000501") + struct.pack("<f", 0.07)
    answer = ControlAnswer.from_bytes(data)
    assert (answer.op, answer.kind, answer.status) == (2, Measurement.GYRO, 0)
    assert answer.factor == pytest.approx(0.07)


def test_the_settings_offered() -> None:
    data = bytes.fromhex(
        "f0010200000002 3400 6800 0101 1000 0204 0200 0400 0800 1000 0401 03".replace(" ", "")
    )
    answer = ControlAnswer.from_bytes(data)
    assert answer.settings == {
        Setting.RATE: (52, 104),
        Setting.RESOLUTION: (16,),
        Setting.RANGE: (2, 4, 8, 16),
        Setting.CHANNELS: (3,),
    }
    assert answer.factor is None
    refused = ControlAnswer.from_bytes(bytes.fromhex("f002020d00"))
    assert polar.STATUS_TEXT[refused.status] == "not possible in the charger"


def test_features() -> None:
    verity = Features.from_bytes(bytes.fromhex("0f6e220000"))
    assert verity.measurements == set(Measurement) - {Measurement.SDK_MODE}
    assert (verity.sdk_mode, verity.offline) == (True, True)
    h10 = Features.from_bytes(bytes.fromhex("0f0500"))
    assert h10.measurements == {Measurement.ACC}


def test_the_device_may_stop_by_itself() -> None:
    assert polar.stopped_by_device(bytes.fromhex("010205")) == (2, 5)
    assert polar.stopped_by_device(bytes.fromhex("f0020200")) == ()


def test_strange_notifications_are_counted() -> None:
    made = PolarDecoder()
    for data in (
        b"",
        bytes(10),
        b"\x00" * 12,
        b"\x02" + bytes(8) + b"\x05\x00",
        b"\x02" + bytes(8) + b"\x81\x00",
    ):
        assert made.feed(data) == []
    assert made.counts == {"malformed": 3, "unknown_measurement": 1, "unknown_frame": 1}


@given(
    st.sampled_from([2, 5, 6, 0x42]),
    st.sampled_from([0, 1, 2, 0x80, 0x81]),
    st.binary(max_size=230),
)
def test_any_bytes_are_decoded_or_counted(kind: int, frame: int, body: bytes) -> None:
    made = PolarDecoder()
    found = made.feed(bytes((kind,)) + bytes(8) + bytes((frame,)) + body)
    assert len(found) + sum(made.counts.values()) == 1
    for block in found:
        # every byte pair may open a block of at most 255 samples of one bit
        assert 1 <= block.n <= 1 + 8 * len(body)


@given(st.binary(max_size=40))
def test_any_answer_is_decoded_or_refused(data: bytes) -> None:
    for kind in (ControlAnswer, Features):
        for tried in (data, b"\xf0\x01\x02\x00" + data, b"\x0f" + data):
            try:
                kind.from_bytes(tried)
            except ProtocolError:
                continue
    polar.stopped_by_device(data)


def test_a_factor_that_is_no_number_is_ignored() -> None:
    made = decoder(Measurement.ACC, float("nan"))
    data = bytes((2,)) + bytes(8) + b"\x81" + struct.pack("<3h", 1000, 0, 0)
    assert made.feed(data)[0].physical()[0, 0] == pytest.approx(G)


def test_settings_are_checked() -> None:
    with pytest.raises(FieldError, match="FACTOR"):
        polar.start(Measurement.ACC, {Setting.FACTOR: 1})
    with pytest.raises(FieldError, match="RATE"):
        polar.start(Measurement.ACC, {Setting.RATE: 65536})
