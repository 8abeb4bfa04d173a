"""Packets to blocks in SI units, and to what a clock is fitted to."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from firmware_protocol.definition import MAG_MISSING
from ingest.assemble import (
    Layout,
    arrival_ns,
    device_time_us,
    layout_of,
    live_anchors,
    part_of,
    round_trip,
    si_block,
)
from ingest.drivers.driver import Further, PacketKind, SensorPacket, TimeSyncReport
from ingest.unit_errors import UnitCalibration

OFFSET_NS = 1_700_000_000_000_000_000
G = 9.80665


@dataclass(frozen=True)
class Named:
    name: str
    scale: float


IMU = [Named(f"acc_{a}", G / 8192) for a in "xyz"] + [Named(f"gyr_{a}", 1e-3) for a in "xyz"]


def layout(**changes: object) -> Layout:
    found = layout_of(IMU, "int16", 100.0)
    assert found is not None
    from dataclasses import replace

    return replace(found, **changes)  # type: ignore[arg-type]  # fields by name


def counts(first: int, n: int) -> NDArray[np.int16]:
    """Rows at rest whose rate about x numbers them."""
    samples = np.zeros((n, 6), dtype=np.int16)
    samples[:, 2] = 8192
    samples[:, 3] = np.arange(first, first + n)
    return samples


def sensor_packet(**changes: object) -> SensorPacket:
    fields: dict[str, object] = {
        "device_id": "d",
        "boot": 1,
        "stream": "imu",
        "kind": PacketKind.LIVE,
        "first_index": 100,
        "device_us": 5_000_000,
        "host_mono_ns": 123_456_789,
        "samples": np.zeros((10, 6), dtype=np.int16),
    }
    return SensorPacket(**(fields | changes))  # type: ignore[arg-type]  # fields by name


def test_counts_become_si_units() -> None:
    block = si_block(layout(), np.arange(3, dtype=np.int64), counts(7, 3))
    assert np.allclose(block.acc, [[0, 0, G]] * 3)
    assert np.allclose(block.gyr[:, 0], [0.007, 0.008, 0.009])
    assert block.valid.all()
    assert block.mag is None


def test_saturated_counts_are_kept_and_not_valid() -> None:
    samples = counts(0, 3)
    samples[1, 4] = -32768
    samples[2, 0] = 32767
    assert si_block(layout(), np.arange(3), samples).valid.tolist() == [True, False, False]


def test_float_streams_may_hold_nan() -> None:
    found = layout_of(IMU, "float32", 100.0)
    assert found is not None
    samples = np.ones((2, 6), dtype=np.float32)
    samples[1, 5] = np.nan
    assert si_block(found, np.arange(2), samples).valid.tolist() == [True, False]


def test_columns_are_found_by_name_in_any_order() -> None:
    mixed = [*IMU[3:], *[Named(f"mag_{a}", 0.5) for a in "xyz"], *IMU[:3]]
    found = layout_of(mixed, "int16", 52.0)
    assert found is not None
    block = si_block(found, np.arange(1), np.arange(9, dtype=np.int16).reshape(1, 9))
    assert np.allclose(block.gyr[0], [0.0, 0.001, 0.002])
    assert block.mag is not None
    assert np.allclose(block.mag[0], [1.5, 2.0, 2.5])
    assert np.allclose(block.acc[0], np.array([6, 7, 8]) * G / 8192)


def test_a_row_without_a_new_value_of_the_field_has_none() -> None:
    channels = [*IMU, *[Named(f"mag_{a}", 0.5) for a in "xyz"]]
    layout = layout_of(channels, "int16", 100.0)
    assert layout is not None
    samples = np.ones((3, 9), dtype=np.int16)
    samples[1, 6:] = MAG_MISSING
    block = si_block(layout, np.arange(3, dtype=np.int64) * 10_000_000, samples)
    assert block.mag is not None
    assert block.valid.all()
    np.testing.assert_array_equal(np.isnan(block.mag).any(axis=1), [False, True, False])


def test_a_stream_without_gyroscope_has_no_layout() -> None:
    assert layout_of(IMU[:3], "int16", 100.0) is None


def test_an_accelerometer_alone_measures_more_than_a_gyroscope_may() -> None:
    found = layout_of(IMU[:3], "float32", 100.0, needs_gyr=False)
    assert found is not None
    samples = np.array([[150.0, 0, 0], [3000.0, 0, 0]], dtype=np.float32) * 8192 / G
    block = si_block(found, np.arange(2), samples)
    assert block.valid.tolist() == [True, False]
    assert np.isnan(block.gyr).all()


def test_a_unit_s_errors_are_taken_out_of_its_samples() -> None:
    unit = UnitCalibration(acc_offset_ms2=np.array([0.0, 0.0, G]))
    block = si_block(layout(calibration=unit), np.arange(1), counts(0, 1))
    assert np.allclose(block.acc, 0.0)


def test_device_time_from_whatever_the_sensor_stamps() -> None:
    assert device_time_us(sensor_packet(), 100.0) == 5_000_000
    last = sensor_packet(device_us=None, last_device_us=5_090_000)
    assert device_time_us(last, 100.0) == 5_000_000
    assert device_time_us(sensor_packet(device_us=None), 100.0) == 1_000_000


def test_arrival_keeps_whole_microseconds() -> None:
    assert arrival_ns(123_456_789, OFFSET_NS) == OFFSET_NS + 123_456_000


def test_live_anchors_leave_out_what_is_known() -> None:
    anchors = live_anchors(sensor_packet(clock_stepped=True), 4, 100.0, OFFSET_NS)
    assert (anchors.first_index.tolist(), anchors.n_samples.tolist()) == ([104], [6])
    assert anchors.device_us.tolist() == [5_040_000]
    assert not anchors.stepped[0], "the step was before its first sample"
    assert live_anchors(sensor_packet(clock_stepped=True), 0, 100.0, OFFSET_NS).stepped[0]


@pytest.mark.parametrize("skip", range(10))
def test_live_anchors_are_those_of_its_notifications(skip: int) -> None:
    further = Further((4, 7), (5_041_000, 5_072_000), (163_456_789, 193_456_789), (2, 3))
    packet = sensor_packet(sequence=1, further=further)
    found = live_anchors(packet, skip, 100.0, OFFSET_NS)
    begin, expected = 0, []
    for each in packet.notifications():
        known, begin = min(max(0, skip - begin), each.n), begin + each.n
        if known < each.n:
            part = part_of(each, known, each.n, 100.0)
            expected.append((part.first_index, part.n, part.device_us, part.host_mono_ns))
    rows = zip(found.first_index, found.n_samples, found.device_us, found.host_ns, strict=True)
    assert [(i, n, us, ns) for i, n, us, ns in rows] == [
        (i, n, us, arrival_ns(ns, OFFSET_NS)) for i, n, us, ns in expected
    ]


def test_round_trip_is_on_the_steady_clock() -> None:
    report = TimeSyncReport("d", 1, 20_000, t1_us=10, t2_us=500, t3_us=505, t4_us=20)
    trip = round_trip(report, OFFSET_NS)
    assert (trip.host_sent_ns, trip.host_received_ns) == (OFFSET_NS + 10_000, OFFSET_NS + 20_000)
    assert (trip.device_received_us, trip.device_sent_us) == (500, 505)
