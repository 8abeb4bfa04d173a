"""The temperature line of a unit: learnt from the record, kept, taken out of its samples."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from api.commands.calibrate import command
from api.units import learn_lines, save_calibration, save_line
from ingest.drivers.driver import (
    Channel,
    PacketKind,
    SensorEvent,
    SensorIdentity,
    SensorPacket,
    StatusReport,
    StreamInfo,
    StreamStarted,
)
from ingest.errors import IngestError
from ingest.intake import Intake
from ingest.record_rows import imu_packet, record_stream, side_stream, status_packet
from ingest.sources import replay
from ingest.temperature_lines import KEY, learn_line, record_of
from ingest.units_in_force import UnitsInForce
from storage.catalog import Catalog, Device, Patient
from storage.record import RecordReader, RecordWriter

OFFSET_NS = 1_700_000_000_000_000_000
UNIT = "v1-aa"
RATE = 100.0
ACC, GYR = 0.001, 0.00002
CHANNELS = tuple(Channel(f"acc_{a}", "m/s^2", ACC) for a in "xyz") + tuple(
    Channel(f"gyr_{a}", "rad/s", GYR) for a in "xyz"
)
IMU = StreamInfo("imu", CHANNELS, "int16", RATE, "device", "device")
STARTED = StreamStarted(UNIT, 1, 0, (IMU,), 0, SensorIdentity(UNIT, "m", "v1"))
SLOPE_DPS_K = np.array([0.03, -0.02, 0.01])


def degc_at(t_s: float) -> float:
    """Worn for five minutes, then taken off: from 33 to 24 °C."""
    return 24.0 + 9.0 * float(np.exp(-max(0.0, t_s - 300.0) / 600.0))


def day(minutes: int = 45, *, thermometer: bool = True) -> list[SensorEvent]:
    """What a unit sends: the status first, then a packet a second and a status every ten."""
    rng = np.random.default_rng(2)
    events: list[SensorEvent] = []
    n = round(RATE)
    for second in range(60 * minutes):
        if second % 10 == 0 and thermometer:
            events.append(status(second + 0.2, round(2.0 * degc_at(second)) / 2.0))
        worn = second < 300
        acc = np.array([0.0, 0.0, 9.8]) + (0.5 if worn else 0.01) * rng.standard_normal((n, 3))
        bias = 0.2 + SLOPE_DPS_K * (degc_at(second) - 25.0)
        gyr = np.radians(bias + (20.0 if worn else 0.05) * rng.standard_normal((n, 3)))
        events.append(
            SensorPacket(
                device_id=UNIT,
                boot=1,
                stream="imu",
                kind=PacketKind.LIVE,
                first_index=n * second,
                device_us=1_000_000 * second,
                host_mono_ns=round((second + 1.01) * 1e9),
                samples=np.rint(np.hstack((acc / ACC, gyr / GYR))).astype(np.int16),
            )
        )
    return events


def status(at_s: float, degc: float) -> StatusReport:
    return StatusReport(UNIT, 1, round(at_s * 1e9), temperature_degc=degc)


def record(folder: Path, events: Sequence[SensorEvent], calibration: dict[str, Any]) -> None:
    with RecordWriter(folder, background=False) as writer:
        imu = writer.open_stream(record_stream("p1", "head", IMU, STARTED, calibration))
        side = writer.open_stream(side_stream("p1", "head", UNIT, 1, "status"))
        for event in events:
            if isinstance(event, SensorPacket):
                writer.append(imu, [imu_packet(event, IMU, OFFSET_NS)])
            elif isinstance(event, StatusReport):
                writer.append(side, [status_packet(event, OFFSET_NS)])
        writer.commit()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("cooling")
    record(made, day(), {})
    return made


def test_the_line_of_a_unit_that_cooled_down_on_a_table(folder: Path) -> None:
    with RecordReader(folder) as reader:
        pairs, line = learn_line(reader, UNIT, since_ns=0)
        assert pairs.degc.max() < 32.9, "nothing while it was worn"
        late = learn_line(reader, UNIT, since_ns=OFFSET_NS + 2400 * 10**9)
    assert line is not None and line.worth_using
    slope, sigma = np.degrees(line.slope_rads_k), np.degrees(line.slope_sigma_rads_k)
    assert (np.abs(slope - SLOPE_DPS_K) < 3.0 * sigma).all()
    assert (sigma < 0.005).all()
    assert late == (late[0], None) and late[0].degc.size == 0, "cold by then"


def test_only_temperatures_of_the_time_asked_for_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    month_ns = 30 * 86_400 * 10**9
    record(tmp_path, day(1), {})
    with RecordWriter(tmp_path, background=False) as writer:
        later = replace(STARTED, boot=2)
        imu = writer.open_stream(record_stream("p1", "head", IMU, later, {}))
        side = writer.open_stream(side_stream("p1", "head", UNIT, 2, "status"))
        for event in day(1):
            if isinstance(event, SensorPacket):
                moved = replace(event, boot=2)
                writer.append(imu, [imu_packet(moved, IMU, OFFSET_NS + month_ns)])
            elif isinstance(event, StatusReport):
                writer.append(side, [status_packet(event, OFFSET_NS + month_ns)])
        writer.commit()
    read: list[int] = []
    samples = RecordReader.samples

    def watched(self: RecordReader, stream_id: int, *args: Any, **options: Any) -> Any:
        read.append(stream_id)
        return samples(self, stream_id, *args, **options)

    monkeypatch.setattr(RecordReader, "samples", watched)
    with RecordReader(tmp_path) as reader:
        learn_line(reader, UNIT, since_ns=OFFSET_NS + month_ns)
    assert read == [side]


def test_a_unit_without_thermometer_or_samples_says_so(tmp_path: Path) -> None:
    record(tmp_path, day(1, thermometer=False), {})
    with RecordReader(tmp_path) as reader:
        with pytest.raises(IngestError, match="reports no temperature"):
            learn_line(reader, UNIT, since_ns=0)
        with pytest.raises(IngestError, match="no samples of nobody"):
            learn_line(reader, "nobody", since_ns=0)


def test_live_and_replay_take_the_same_out_of_the_samples(tmp_path: Path, folder: Path) -> None:
    with RecordReader(folder) as reader:
        _, line = learn_line(reader, UNIT, since_ns=0)
    assert line is not None
    calibration = {KEY: record_of(line, at_ns=0)}
    events = day(20)
    taking = Intake("head", OFFSET_NS, UnitsInForce(lambda _: calibration))
    live = [piece.block for piece in taking.take([events[0], STARTED])]
    for event in events[1:]:
        live += [piece.block for piece in taking.take([event])]
    record(tmp_path, events, calibration)
    with RecordReader(tmp_path) as reader:
        again = [p.block for p in replay.blocks(reader, patient="p1", role="head")]
    for name in ("t_ns", "acc", "gyr"):
        np.testing.assert_array_equal(
            np.concatenate([getattr(b, name) for b in again]),
            np.concatenate([getattr(b, name) for b in live]),
        )
    gyr = np.degrees(np.concatenate([b.gyr for b in live]))
    minutes = gyr[30_000:].reshape(-1, 6000, 3).mean(axis=1)
    # 6 K of cooling would be 0.18 °/s
    assert np.ptp(minutes, axis=0).max() < 0.04
    assert np.ptp(minutes @ SLOPE_DPS_K) < 0.01 * np.abs(SLOPE_DPS_K).max() * 40


def test_a_line_that_comes_into_force_holds_back_to_where_the_session_begins() -> None:
    newest: dict[str, Any] = {}
    taking = Intake("head", OFFSET_NS, UnitsInForce(lambda _: newest))
    before = [p.block for p in taking.take([status(0.1, 30.0), STARTED, *day(1)[1:]])]
    line = {"slope_rads_k": [0.001, 0.0, 0.0], "at_degc": 25.0}
    taking.adopt({KEY: line})
    after = [p.block for p in taking.since(0)]
    went = np.concatenate([b.gyr for b in before]) - np.concatenate([b.gyr for b in after])
    np.testing.assert_allclose(went[0], [0.005, 0.0, 0.0], atol=1e-12)
    assert (went[:, 0] > 0.004).all()


def test_the_command_keeps_it_and_a_new_calibration_leaves_it(folder: Path) -> None:
    said = ["temperature", UNIT, "--data-dir", str(folder)]
    dry = CliRunner().invoke(command, [*said, "--hours", "1000000", "--dry-run"])
    assert dry.exit_code == 0, dry.output
    assert "Nothing was kept" in dry.output and "No line is kept" in dry.output
    with Catalog(folder) as catalog:
        assert catalog.devices() == []
    kept = CliRunner().invoke(command, [*said, "--hours", "1000000"])
    assert kept.exit_code == 0, kept.output
    assert "°/s per kelvin" in kept.output and "Kept with the unit" in kept.output
    with Catalog(folder) as catalog:
        (device,) = catalog.devices()
        slope = np.degrees(device.calibration[KEY]["slope_rads_k"])
        assert slope == pytest.approx(SLOPE_DPS_K, abs=0.005)
        save_calibration(catalog, UNIT, {"acc_offset_ms2": [0.0, 0.0, 0.0]})
        (device,) = catalog.devices()
        assert set(device.calibration) == {"acc_offset_ms2", KEY}
    again = CliRunner().invoke(command, [*said, "--hours", "1000000"])
    assert "Kept since" in again.output, again.output
    nothing = CliRunner().invoke(command, [*said, "--hours", "1"])
    assert nothing.exit_code != 0 and nothing.exception is not None


def test_a_better_known_line_stays_for_a_season(tmp_path: Path, folder: Path) -> None:
    with RecordReader(folder) as reader:
        _, line = learn_line(reader, UNIT, since_ns=0)
    assert line is not None
    worse = replace(line, slope_sigma_rads_k=2.0 * line.slope_sigma_rads_k)
    with Catalog(tmp_path) as catalog:
        assert save_line(catalog, UNIT, worse, at_ns=0, actor="owner")
        assert save_line(catalog, UNIT, line, at_ns=1, actor="owner")
        assert not save_line(catalog, UNIT, worse, at_ns=2, actor="owner")
        assert save_line(catalog, UNIT, worse, at_ns=100 * 86_400 * 10**9, actor="owner")
        assert [entry[2] for entry in catalog.audit_log()] == ["temperature line"] * 3


def test_once_a_day_every_unit_of_a_patient_is_looked_at(tmp_path: Path, folder: Path) -> None:
    with Catalog(tmp_path) as catalog, RecordReader(folder) as reader:
        catalog.save_patient(Patient("p1", "Somebody", "UTC"))
        catalog.save_device(Device(UNIT, "p1", "head"))
        catalog.save_device(Device("other", "p1", "trunk"))
        now_ns = OFFSET_NS + 3600 * 10**9
        assert learn_lines(reader, catalog, "p1", now_ns=now_ns) == [UNIT]
        assert learn_lines(reader, catalog, "p1", now_ns=now_ns) == []
        assert KEY in {d.id: d for d in catalog.devices()}[UNIT].calibration
