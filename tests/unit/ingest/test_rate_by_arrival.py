"""A sensor without a clock, such as WitMotion: what its arrivals tell of its rate and its times.

It runs 2.7 % slow of what it was set to, and its radio delivers in bursts, with stalls in between.
"""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ingest.drivers.driver import (
    Channel,
    PacketKind,
    SensorIdentity,
    SensorPacket,
    StreamInfo,
    StreamStarted,
)
from ingest.intake import Intake
from ingest.record_rows import imu_packet, record_stream
from ingest.sources import replay
from ingest.unit_calibration import calibrate_device, true_rate_hz
from ingest.units_in_force import UnitsInForce
from processing.types import FloatArray
from storage.record import RecordReader, RecordWriter
from tests.support.six_faces import GYR_ERROR, recording

NOMINAL_HZ, TRUE_HZ = 100.0, 97.3
OFFSET_NS = 1_790_000_000 * 10**9
BEGAN_S = 50.0
BURST_S, STALL_S, STALL_EVERY_S = 0.045, 0.4, 20.0
ACC, GYR = 16.0 * 9.80665 / 32768, np.radians(2000.0) / 32768
IMU = StreamInfo(
    "imu",
    tuple(
        Channel(f"{kind}_{axis}", unit, scale)  # type: ignore[arg-type]  # one of the units
        for kind, unit, scale in (("acc", "m/s^2", ACC), ("gyr", "rad/s", GYR))
        for axis in "xyz"
    ),
    "int16",
    NOMINAL_HZ,
    "host",
    "arrival",
)
STARTED = StreamStarted(
    "witmotion-1", 1, 0, (IMU,), 0, SensorIdentity("witmotion-1", "WitMotion", "witmotion")
)


def packets(counts: NDArray[np.int16]) -> list[SensorPacket]:
    """Return samples as a radio delivers them that holds them back for a while."""
    sampled_s = BEGAN_S + np.arange(len(counts)) / TRUE_HZ
    sent_s = (np.floor(sampled_s / BURST_S) + 1.0) * BURST_S
    since_stall_s = sent_s % STALL_EVERY_S
    arrival_s = np.where(since_stall_s < STALL_S, sent_s - since_stall_s + STALL_S, sent_s)
    first = np.flatnonzero(np.diff(arrival_s, prepend=-1.0) > 0.0)
    return [
        SensorPacket(
            "witmotion-1",
            1,
            "imu",
            PacketKind.LIVE,
            int(a),
            None,
            round(arrival_s[a] * 1e9),
            counts[a:b],
        )
        for a, b in zip(first, [*first[1:], len(counts)], strict=True)
    ]


def record(folder: Path, arriving: list[SensorPacket]) -> None:
    with RecordWriter(folder, background=False) as writer:
        stream = writer.open_stream(record_stream("p1", "head", IMU, STARTED, {}))
        writer.append(stream, [imu_packet(packet, IMU, OFFSET_NS) for packet in arriving])
        writer.commit()


@pytest.fixture
def counts() -> NDArray[np.int16]:
    acc, gyr = recording(rate_hz=TRUE_HZ)
    made: NDArray[np.int16] = np.rint(np.hstack((acc / ACC, gyr / GYR))).astype(np.int16)
    return made


def errors_s(t_ns: NDArray[np.int64]) -> FloatArray:
    """Return how much later than truly sampled each sample is taken to be."""
    truth_ns = OFFSET_NS + (BEGAN_S + np.arange(len(t_ns)) / TRUE_HZ) * 1e9
    return np.asarray((t_ns - truth_ns) * 1e-9)


def test_times_are_regular_and_at_the_true_rate(tmp_path: Path, counts: NDArray[np.int16]) -> None:
    arriving = packets(counts)
    assert max(packet.n for packet in arriving) > 30, "a stall is among them"
    taking = Intake("head", OFFSET_NS, UnitsInForce())
    blocks = [p.block for p in taking.take([STARTED])]
    for packet in arriving:
        blocks += [piece.block for piece in taking.take([packet])]
    t_ns = np.concatenate([block.t_ns for block in blocks])
    late_s = errors_s(t_ns)
    settled = late_s[round(30 * TRUE_HZ) :]
    # at the nominal rate the error would grow by 27 ms every second
    assert np.ptp(settled) < 0.02
    assert -0.02 < settled.min() < settled.max() < BURST_S
    spacing_s = np.diff(t_ns[round(30 * TRUE_HZ) :]) * 1e-9
    assert np.mean(spacing_s) == pytest.approx(1.0 / TRUE_HZ, rel=0.002)
    assert np.max(np.abs(spacing_s * TRUE_HZ - 1.0)) < 0.1, "bursts do not show"
    report = taking.facts.clock
    assert report is not None
    assert report.rate_hz == pytest.approx(TRUE_HZ, rel=0.003)
    record(tmp_path, arriving)
    with RecordReader(tmp_path) as reader:
        again = [p.block.t_ns for p in replay.blocks(reader, patient="p1", role="head")]
    np.testing.assert_array_equal(np.concatenate(again), t_ns)


def test_scale_is_found_by_the_true_rate(tmp_path: Path, counts: NDArray[np.int16]) -> None:
    record(tmp_path, packets(counts))
    with RecordReader(tmp_path) as reader:
        (stream,) = reader.streams(kind="imu")
        assert true_rate_hz(reader, stream) == pytest.approx(TRUE_HZ, rel=0.003)
        found = calibrate_device(reader, "witmotion-1", last_s=600.0).record(at_ns=0)
    # the nominal rate would be taken for 2.7 % of scale
    np.testing.assert_allclose(found["gyr_matrix"], np.eye(3) + GYR_ERROR, atol=0.006)


def test_too_short_a_stretch_says_nothing_of_the_rate(
    tmp_path: Path, counts: NDArray[np.int16]
) -> None:
    record(tmp_path, packets(counts[: round(20 * TRUE_HZ)]))
    with RecordReader(tmp_path) as reader:
        (stream,) = reader.streams(kind="imu")
        assert true_rate_hz(reader, stream) == NOMINAL_HZ
