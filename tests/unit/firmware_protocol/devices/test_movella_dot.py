"""Movella DOT: vectors and payloads made from the specification's layout."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_protocol.devices import movella_dot as dot
from firmware_protocol.devices.movella_dot import DotDecoder, DotOrientation, Mode
from firmware_protocol.devices.samples import SampleBlock
from firmware_protocol.errors import FieldError


def test_the_published_quaternion_and_commands() -> None:
    data = bytes.fromhex("40420f000000803f000000000000000000000000")
    assert DotDecoder(Mode.QUATERNION).feed(data) == [DotOrientation(10**9, (1, 0, 0, 0))]
    assert dot.start(Mode.QUATERNION).hex() == "010105"
    assert dot.stop(Mode.QUATERNION).hex() == "010005"
    assert dot.reset_heading() == b"\x01\x00"


@pytest.mark.parametrize("padding", [b"", bytes(12)])
def test_rate_quantities(padding: bytes) -> None:
    data = struct.pack("<I6f", 2_000_000, 0, 0, 9.8125, 180, -90, 0) + padding
    (block,) = DotDecoder(Mode.RATE_QUANTITIES).feed(data)
    assert isinstance(block, SampleBlock)
    assert block.first_ns == 2 * 10**9
    assert block.physical()[0] == pytest.approx((0, 0, 9.8125, np.pi, -np.pi / 2, 0))


def test_rate_quantities_with_magnetometer_bytes() -> None:
    data = struct.pack("<I6f3h", 5, *range(6), 1, 2, 3)
    (block,) = DotDecoder(Mode.RATE_QUANTITIES_WITH_MAG).feed(data)
    assert isinstance(block, SampleBlock)
    assert block.samples.tolist() == [[0, 1, 2, 3, 4, 5]]


def test_custom_mode_5_holds_both() -> None:
    data = struct.pack("<I10f", 7, 1, 0, 0, 0, *range(6))
    block, orientation = DotDecoder(Mode.CUSTOM_5).feed(data)
    assert isinstance(block, SampleBlock)
    assert block.samples.tolist() == [[0, 1, 2, 3, 4, 5]]
    assert orientation == DotOrientation(7000, (1, 0, 0, 0))


def test_each_mode_has_its_characteristic() -> None:
    assert dot.characteristic_of(Mode.QUATERNION) == dot.SHORT_UUID
    assert dot.characteristic_of(Mode.RATE_QUANTITIES) == dot.MEDIUM_UUID
    assert dot.characteristic_of(Mode.CUSTOM_5) == dot.LONG_UUID
    assert dot.LONG_UUID == "15172002-4947-11e9-8646-d663bd873d93"


def test_numbers_that_are_none_are_counted() -> None:
    data = struct.pack("<I6f", 5, float("nan"), 0, 0, 0, 0, 0)
    decoder = DotDecoder(Mode.RATE_QUANTITIES)
    assert decoder.feed(data) == decoder.feed(data[:27]) == []
    assert decoder.counts == {"not_finite": 1, "malformed": 1}


@given(st.sampled_from(Mode), st.binary(max_size=70))
def test_any_bytes_are_decoded_or_counted(mode: Mode, data: bytes) -> None:
    decoder = DotDecoder(mode)
    found = decoder.feed(data)
    assert bool(found) != bool(decoder.counts)


def test_modes_that_cannot_be_decoded_are_refused() -> None:
    with pytest.raises(FieldError, match="mode"):
        DotDecoder(17)
