"""Round trips."""

import pytest

from firmware_protocol.definition import TimeSyncOp
from firmware_protocol.errors import FormatError
from firmware_protocol.timesync import TimeSync, round_trip

GOLDEN = bytes.fromhex("0102050040420f000000000080841e00000000007a851e0000000000")


def test_the_golden_reply() -> None:
    request = TimeSync(TimeSyncOp.REQUEST, 5, 1_000_000)
    reply = request.reply(2_000_000, 2_000_250)
    assert bytes(reply) == GOLDEN
    assert TimeSync.from_bytes(GOLDEN) == reply


def test_offset_and_round_trip() -> None:
    # device = host + 1 000 000; 3 ms to the device, 250 us inside, 5 ms back
    reply = TimeSync(TimeSyncOp.REPLY, 1, 1_000_000, 2_003_000, 2_003_250)
    found = round_trip(reply, 1_008_250)
    assert found.rtt_us == 8000
    assert abs(found.offset_us - 1_000_000) <= found.rtt_us / 2
    assert found.offset_us == 999_000
    assert found.host_us == 1_004_125


@pytest.mark.parametrize(("t3", "t4"), [(1, 100), (60, 0), (60, 20)])
def test_contradicting_stamps_are_refused(t3: int, t4: int) -> None:
    with pytest.raises(FormatError, match="contradict"):
        round_trip(TimeSync(TimeSyncOp.REPLY, 1, 10, 20, t3), t4)


def test_an_unknown_operation_is_refused() -> None:
    with pytest.raises(FormatError, match="operation 3"):
        TimeSync.from_bytes(GOLDEN[:1] + b"\x03" + GOLDEN[2:])
