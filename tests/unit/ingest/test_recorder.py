"""The recorder thread: what is put is durable, in the right streams, and told by ticket."""

import threading
from pathlib import Path

import numpy as np
import pytest

from ingest.drivers.driver import (
    BackfillReport,
    Channel,
    PacketKind,
    SensorEvent,
    SensorIdentity,
    SensorPacket,
    StatusReport,
    StreamInfo,
    StreamStarted,
    TimeSyncReport,
)
from ingest.held import ledger_of
from ingest.record_rows import EVENT_CLOCK_STEPPED
from ingest.recorder import OVERWRITTEN, Recorder
from storage.errors import DiskFullError
from storage.record import CommitInfo, RecordReader, RecordWriter, verify

OFFSET_NS = 1_700_000_000_000_000_000
IMU = StreamInfo(
    stream="imu",
    channels=tuple(Channel(f"acc_{a}", "m/s^2", 0.001) for a in "xyz")
    + tuple(Channel(f"gyr_{a}", "rad/s", 0.0001) for a in "xyz"),
    dtype="int16",
    rate_hz=104.0,
    index_source="device",
    time_source="device",
)


def started(boot: int = 1) -> StreamStarted:
    identity = SensorIdentity("v1-aa", "model", "v1", serial="S1", boot=boot)
    return StreamStarted("v1-aa", boot, 0, (IMU,), 0, identity)


def packet(first: int, *, boot: int = 1, clock_stepped: bool = False) -> SensorPacket:
    return SensorPacket(
        device_id="v1-aa",
        boot=boot,
        stream="imu",
        kind=PacketKind.LIVE,
        first_index=first,
        device_us=1_000_000 + first * 9615,
        host_mono_ns=first * 9_615_384 + 777,
        samples=(np.arange(60, dtype=np.int16) + first).reshape(10, 6),
        clock_stepped=clock_stepped,
    )


class Told:
    """Tickets as they are told, and a wait for one."""

    def __init__(self) -> None:
        self.tickets: list[int] = []
        self._event = threading.Event()

    def __call__(self, ticket: int) -> None:
        self.tickets.append(ticket)
        self._event.set()

    def wait_for(self, ticket: int) -> None:
        for _ in range(200):
            if self.tickets and self.tickets[-1] >= ticket:
                return
            self._event.wait(0.05)
            self._event.clear()
        raise AssertionError(f"ticket {ticket} was never told, only {self.tickets}")


def make(folder: Path, told: Told, writer: RecordWriter | None = None) -> Recorder:
    recorder = Recorder(
        writer or RecordWriter(folder, background=False),
        patient="p1",
        utc_offset_ns=OFFSET_NS,
        on_committed=told,
        commit_every_s=0.05,
    )
    recorder.start()
    return recorder


def put_all(recorder: Recorder, events: list[SensorEvent]) -> int:
    return recorder.put("head", events)


def test_samples_are_in_the_record_with_their_anchors(tmp_path: Path) -> None:
    told = Told()
    recorder = make(tmp_path, told)
    ticket = put_all(recorder, [started(), packet(0), packet(10), packet(10), packet(30)])
    told.wait_for(ticket)
    with RecordReader(tmp_path) as reader:
        (stream,) = reader.streams(kind="imu")
        (chunk,) = reader.samples(stream.id)
    recorder.stop()
    assert stream.info.role == "head"
    assert stream.info.names == tuple(c.name for c in IMU.channels)
    assert chunk.index.tolist() == [*range(20), *range(30, 40)]
    assert np.array_equal(chunk.data[:10], packet(0).samples)
    assert chunk.anchors.index.tolist() == [0, 10, 30]
    assert chunk.anchors.device_ticks.tolist() == [1_000_000, 1_096_150, 1_288_450]
    assert chunk.anchors.host_ns[1] == OFFSET_NS + 96_154_000


def test_what_is_new_of_an_overlapping_packet_has_its_own_anchor(tmp_path: Path) -> None:
    told = Told()
    recorder = make(tmp_path, told)
    put_all(recorder, [started(), packet(0), packet(20), packet(6), packet(14)])
    recorder.stop()
    with RecordReader(tmp_path) as reader:
        (chunk,) = reader.samples(reader.streams(kind="imu")[0].id)
    assert chunk.index.tolist() == list(range(30))
    assert chunk.anchors.index.tolist() == [0, 10, 16, 20]
    assert chunk.anchors.device_ticks[1] == (packet(6).device_us or 0) + round(4e6 / 104)
    assert np.array_equal(chunk.data[10:16], packet(6).samples[4:])
    assert np.array_equal(chunk.data[16:20], packet(14).samples[2:6])


def test_stop_writes_everything_and_releases_the_folder(tmp_path: Path) -> None:
    told = Told()
    recorder = make(tmp_path, told)
    last = 0
    for first in range(0, 500, 10):
        last = put_all(recorder, [started(), packet(first)])
    recorder.stop()
    assert told.tickets[-1] == last
    with RecordReader(tmp_path) as reader:
        assert reader.streams(kind="imu")[0].samples == 500
    RecordWriter(tmp_path, background=False).close()


def test_status_time_sync_and_flags_are_streams_of_their_own(tmp_path: Path) -> None:
    told = Told()
    recorder = make(tmp_path, told)
    status = StatusReport("v1-aa", 1, 5_000, battery_mv=3900, temperature_degc=31.5)
    sync = TimeSyncReport("v1-aa", 1, 40_000, t1_us=10, t2_us=900, t3_us=905, t4_us=40)
    put_all(recorder, [started(), status, sync, packet(0), packet(10, clock_stepped=True)])
    recorder.stop()
    with RecordReader(tmp_path) as reader:
        found = {s.info.kind: next(reader.samples(s.id)) for s in reader.streams()}
        names = {s.info.kind: s.info.names for s in reader.streams()}
    assert set(found) == {"imu", "status", "timesync", "event"}
    row = dict(zip(names["status"], found["status"].data[0].tolist(), strict=True))
    assert row["battery_mv"] == 3900
    assert row["temperature"] == pytest.approx(31.5)
    assert np.isnan(row["battery_percent"])
    assert found["timesync"].data.tolist() == [[5, 30]]
    assert found["timesync"].anchors.device_ticks.tolist() == [900]
    assert found["timesync"].anchors.host_ns.tolist() == [OFFSET_NS + 40_000]
    assert found["event"].data.tolist() == [[EVENT_CLOCK_STEPPED]]
    assert found["event"].anchors.device_ticks.tolist() == [packet(10).device_us]


def test_backfill_of_an_earlier_boot_goes_to_its_own_stream(tmp_path: Path) -> None:
    told = Told()
    recorder = make(tmp_path, told)
    put_all(recorder, [started(boot=1), packet(0)])
    put_all(recorder, [started(boot=2), packet(0, boot=2), packet(10, boot=1)])
    recorder.stop()
    with RecordReader(tmp_path) as reader:
        held = {s.info.boot: s.samples for s in reader.streams(kind="imu")}
    assert held == {1: 20, 2: 10}


def test_a_strange_event_does_not_end_recording(tmp_path: Path) -> None:
    told = Told()
    recorder = make(tmp_path, told)
    stranger = SensorPacket(
        "v1-zz", 1, "imu", PacketKind.LIVE, 0, 0, 0, np.zeros((1, 6), dtype=np.int16)
    )
    put_all(recorder, [stranger])
    put_all(recorder, [started(), packet(0)])
    recorder.stop()
    assert recorder.health.unrecorded_packets == 1
    with RecordReader(tmp_path) as reader:
        assert reader.streams(kind="imu")[0].samples == 10


class FullDiskWriter(RecordWriter):
    """A writer whose disk is full for the first commits."""

    refusals = 3

    def commit(self) -> CommitInfo:
        if self.refusals > 0:
            self.refusals -= 1
            raise DiskFullError(self._folder)
        return super().commit()


def test_a_full_disk_delays_and_loses_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told = Told()
    recorder = make(tmp_path, told, FullDiskWriter(tmp_path, background=False))
    ticket = put_all(recorder, [started(), packet(0)])
    told.wait_for(ticket)
    recorder.stop()
    with RecordReader(tmp_path) as reader:
        assert reader.streams(kind="imu")[0].samples == 10
    errors = [r for r in caplog.records if r.levelname == "ERROR"]
    assert len(errors) == 1, "said once, not every second"
    assert "no space left" in errors[0].getMessage()


def test_tickets_rise_and_are_told_only_after_the_commit(tmp_path: Path) -> None:
    told = Told()
    recorder = make(tmp_path, told)
    tickets = [put_all(recorder, [started(), packet(i * 10)]) for i in range(5)]
    assert tickets == [1, 2, 3, 4, 5]
    told.wait_for(5)
    with RecordReader(tmp_path) as reader:
        assert reader.streams(kind="imu")[0].samples == 50
    recorder.stop()
    assert told.tickets == sorted(told.tickets)


def test_what_the_sensor_overwrote_is_marked_and_not_asked_for_again(tmp_path: Path) -> None:
    recorder = make(tmp_path, Told())
    lost = BackfillReport("v1-aa", 1, 10, 29, "gone", 0, 0, gone=((10, 30),))
    put_all(recorder, [started(), packet(0), packet(30), packet(50), lost])
    recorder.stop()
    (report,) = verify(tmp_path)["streams"]
    assert [(g["i0"], g["i1"], g["cause"]) for g in report["gaps"]] == [
        (10, 30, OVERWRITTEN),
        (40, 50, "never reached the host"),
    ]
    assert ledger_of(tmp_path).missing("v1-aa", 1, 0, 60) == [(40, 50)]
