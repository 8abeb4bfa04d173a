"""Status, Time Sync and Protocol Info: fixed layouts behind named fields."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_protocol.errors import FormatError, LengthError, ProtocolError, VersionError
from firmware_protocol.info import ProtocolInfo
from firmware_protocol.status import Status
from firmware_protocol.timesync import TimeSync
from firmware_protocol.vectors import VECTORS

GOLDEN = {v.name: v.data for v in VECTORS}
KINDS = (Status, TimeSync, ProtocolInfo)


def test_the_golden_status() -> None:
    status = Status.from_bytes(GOLDEN["status"])
    assert status.temperature_degc == -3.5
    assert status.connection_interval_ms == 15.0
    assert (status.battery_mv, status.free_flash_permille, status.att_mtu) == (3812, 417, 247)
    assert (status.frames_dropped, status.boot_counter, status.state) == (19, 42, 3)
    assert bytes(status) == GOLDEN["status"]


def test_the_golden_info() -> None:
    info = ProtocolInfo.from_bytes(GOLDEN["protocol_info"])
    assert info.device_id_hex == "0102030405060708"
    assert info.features == 0x0C
    assert bytes(info) == GOLDEN["protocol_info"]


@given(st.sampled_from(KINDS), st.binary(max_size=40))
def test_arbitrary_bytes_decode_or_raise_typed_errors(kind: type[Status], data: bytes) -> None:
    for tried in (data, b"\x01" + data):
        try:
            value = kind.from_bytes(tried)
        except ProtocolError:
            continue
        assert bytes(value) == tried


@given(st.sampled_from(((Status, 20), (ProtocolInfo, 16))), st.data())
def test_every_value_of_the_right_size_round_trips(
    case: tuple[type[Status], int], data: st.DataObject
) -> None:
    kind, size = case
    raw = b"\x01" + data.draw(st.binary(min_size=size - 1, max_size=size - 1))
    assert bytes(kind.from_bytes(raw)) == raw


@pytest.mark.parametrize("kind", KINDS)
def test_another_major_version_is_refused_with_the_remedy(kind: type[Status]) -> None:
    with pytest.raises(VersionError, match="update the program"):
        kind.from_bytes(b"\x02")
    with pytest.raises(VersionError, match="update the sensor firmware"):
        kind.from_bytes(bytes(20))


@pytest.mark.parametrize("kind", KINDS)
def test_wrong_lengths_are_refused(kind: type[Status]) -> None:
    with pytest.raises(LengthError):
        kind.from_bytes(b"\x01" + bytes(30))
    with pytest.raises(FormatError):
        kind.from_bytes(b"")
