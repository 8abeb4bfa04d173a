"""Host-side sample numbers: losses by time steps, wraps, repetitions."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from firmware_protocol.devices.samples import SampleBlock, axes
from ingest.drivers import Notification, SensorPacket
from ingest.drivers.numbering import HostNumbering

ITEM = Notification(7, 0, b"")
COLUMNS = (*axes("acc", 1.0), *axes("gyr", 1.0))


def block(
    n: int, *, first_ns: int | None = None, last_ns: int | None = None, gap: bool = False
) -> SampleBlock:
    return SampleBlock(
        "imu",
        COLUMNS,
        np.zeros((n, 6), np.float32),
        first_ns=first_ns,
        last_ns=last_ns,
        gap_before=gap,
    )


def numbered(numbering: HostNumbering, each: SampleBlock) -> SensorPacket:
    packet = numbering.packet(each, ITEM)
    assert packet is not None
    return packet


@given(
    n=st.integers(1, 40),
    rate_hz=st.sampled_from([13.0, 52.0, 104.0, 200.0]),
    error=st.floats(-0.03, 0.03),
    lost=st.sets(st.integers(1, 29), max_size=15),
    of_last=st.booleans(),
)
def test_lost_packets_are_counted_by_time_alone(
    n: int, rate_hz: float, error: float, lost: set[int], of_last: bool
) -> None:
    numbering = HostNumbering("d", 1)
    numbering.begin("imu", rate_hz)
    period_ns = 1e9 / (rate_hz * (1 + error))
    for k in range(30):
        if k in lost:
            continue
        stamp = 10**9 + round((k * n + (n - 1 if of_last else 0)) * period_ns)
        packet = numbered(
            numbering, block(n, last_ns=stamp) if of_last else block(n, first_ns=stamp)
        )
        # a run of lost packets is measured with the rate learnt so far: 3 % of up to 15 packets
        before = sum(each < k for each in lost)
        assert abs(packet.first_index - k * n) <= (0.03 * n + 0.5) * before
        assert packet.lost_before is (k - 1 in lost)


def test_single_lost_packets_leave_no_error() -> None:
    numbering = HostNumbering("d", 1)
    numbering.begin("imu", 52.0)
    for k in (0, 1, 2, 4, 5, 7, 10, 11):
        stamp = 10**9 + round(k * 4e9 / (52 * 1.02))
        assert numbered(numbering, block(4, first_ns=stamp)).first_index == 4 * k


def test_small_clock_jitter_is_no_loss() -> None:
    numbering = HostNumbering("d", 1)
    numbering.begin("imu", 60.0)
    rng = np.random.default_rng(3)
    for k in range(500):
        stamp = round(k * 1e9 / 60 + rng.uniform(-3e6, 3e6)) + 10**9
        assert numbered(numbering, block(1, first_ns=stamp)).first_index == k
    assert numbering.counts["gaps"] == 0


def test_a_wrapping_clock_goes_on() -> None:
    modulus = 2**32 * 1000
    numbering = HostNumbering("d", 1, modulus)
    numbering.begin("imu", 100.0)
    stamps = []
    for k in range(10):
        stamp = (modulus - 45_000_000 + k * 10_000_000) % modulus
        stamps.append(numbered(numbering, block(1, first_ns=stamp)).device_us)
    assert np.all(np.diff(np.array(stamps)) == 10_000)


def test_a_repeated_packet_is_dropped_and_a_stepped_clock_said() -> None:
    numbering = HostNumbering("d", 1)
    numbering.begin("imu", 100.0)
    numbered(numbering, block(8, first_ns=10**9))
    assert numbering.packet(block(8, first_ns=10**9), ITEM) is None
    after = numbered(numbering, block(8, first_ns=5))
    assert after.clock_stepped
    assert after.first_index == 8
    assert numbering.counts["repeated"] == 1


def test_without_time_samples_are_only_counted() -> None:
    numbering = HostNumbering("d", 1)
    numbering.begin("imu", 100.0)
    firsts = [numbered(numbering, block(3)).first_index for _ in range(3)]
    assert firsts == [0, 3, 6]
    assert numbering.packet(SampleBlock("angles", (), np.zeros((1, 3), np.int16)), ITEM) is None


def test_what_the_sensor_says_about_gaps_is_passed_on() -> None:
    numbering = HostNumbering("d", 1)
    numbering.begin("imu", 100.0)
    numbered(numbering, block(8, first_ns=10**9))
    told = numbered(numbering, block(8, first_ns=10**9 + 80_000_000, gap=True))
    assert told.lost_before
    assert told.first_index == 8
