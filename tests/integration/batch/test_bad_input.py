"""The batch door on recordings that are not what they should be.

Each case either gives honest results or one sentence that names what was wrong, where, and what to
do; never a traceback, never silence.
"""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from processing.synthesis import PatientSpec, SimulatedRecording, simulate
from processing.types import Span
from tests.support.necktrace import Ran, run

Columns = dict[str, np.ndarray[Any, Any]]


@pytest.fixture(scope="module")
def recording() -> SimulatedRecording:
    """Guided calibration and half a minute."""
    return simulate(PatientSpec(), 4, 100.0)


def columns_of(recording: SimulatedRecording) -> Columns:
    columns: Columns = {"t_s": recording.t_ns * 1e-9}
    for point, block in zip(("head", "trunk"), recording.blocks(), strict=True):
        for i, axis in enumerate("xyz"):
            columns[f"{point}_acc_{axis}_ms2"] = block.acc[:, i].copy()
            columns[f"{point}_gyr_{axis}_rads"] = block.gyr[:, i].copy()
    return columns


def write_bids(folder: Path, columns: Columns, rate_hz: float, spans: tuple[Span, ...]) -> Path:
    motion = folder / "sub-01" / "motion"
    motion.mkdir(parents=True)
    stem = "sub-01_task-sit_tracksys-imu"
    names = [name for name in columns if name != "t_s"]
    rows = ["name\tcomponent\ttype\ttracked_point\tunits"]
    for name in names:
        point, quantity, axis, _ = name.split("_")
        kind, unit = ("ACCEL", "m/s^2") if quantity == "acc" else ("GYRO", "rad/s")
        rows.append(f"{name}\t{axis}\t{kind}\t{point}\t{unit}")
    (motion / f"{stem}_channels.tsv").write_text("\n".join(rows) + "\n")
    (motion / f"{stem}_motion.json").write_text(json.dumps({"SamplingFrequency": rate_hz}))
    table = np.column_stack([columns[name] for name in names])
    np.savetxt(motion / f"{stem}_motion.tsv", table, delimiter="\t", fmt="%.6g")
    events = ["onset\tduration\ttrial_type"]
    events += [f"{s.start_ns / 1e9}\t{(s.end_ns - s.start_ns) / 1e9}\t{s.kind}" for s in spans]
    (motion / "sub-01_task-sit_events.tsv").write_text("\n".join(events) + "\n")
    return folder


class Door:
    """The command and the folder it writes into."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        folder: Path,
    ) -> None:
        self._monkeypatch, self._capsys, self.folder = monkeypatch, capsys, folder

    def __call__(self, source: Path, *options: str) -> Ran:
        out = str(self.folder / "out")
        return run(self._monkeypatch, self._capsys, "process", str(source), "--out", out, *options)

    def summary(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads((self.folder / "out" / "summary.json").read_text())
        return loaded

    def angles(self) -> Columns:
        table = pq.read_table(self.folder / "out" / "angles.parquet")
        return {name: table[name].to_numpy(zero_copy_only=False) for name in table.column_names}

    def table(self, columns: Columns) -> Path:
        path = self.folder / "recording.parquet"
        pq.write_table(pa.table(columns), path)
        return path


@pytest.fixture
def door(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Door:
    return Door(monkeypatch, capsys, tmp_path)


def refused(ran: Ran) -> str:
    assert ran.exit_code not in (0, 70), ran.err
    assert "Error: " in ran.err
    assert "Traceback" not in ran.err
    return ran.err


def test_a_whole_recording_first(door: Door, recording: SimulatedRecording) -> None:
    source = write_bids(door.folder / "in", columns_of(recording), 104.0, recording.spans)
    ran = door(source, "--json")
    assert ran.exit_code == 0, ran.err
    assert json.loads(ran.out) == door.summary()
    assert door.summary()["alignment"]["method"] == "guided"
    assert not any("gravity turns" in warning for warning in door.summary()["warnings"])
    truth = np.column_stack(recording.angles())
    shown = door.angles()
    at = np.searchsorted(recording.t_ns * 1e-9, shown["t_s"]).clip(0, len(truth) - 1)
    late = shown["t_s"] > 70.0
    names = ("flexion_deg", "lateral_right_deg", "rotation_right_deg")
    for i, name in enumerate(names):
        assert np.sqrt(np.mean((shown[name] - truth[at, i])[late] ** 2)) < 6.0, name


def test_swapped_sensors_are_said(door: Door, recording: SimulatedRecording) -> None:
    columns = columns_of(recording)
    swapped: Columns = {"t_s": columns["t_s"]}
    for name, values in columns.items():
        if name != "t_s":
            point, rest = name.split("_", 1)
            swapped[f"{'trunk' if point == 'head' else 'head'}_{rest}"] = values
    source = write_bids(door.folder / "in", swapped, 104.0, recording.spans)
    assert door(source).exit_code == 0
    assert any("swapped" in warning for warning in door.summary()["warnings"])


def test_nan_and_infinity_are_missing_samples(door: Door, recording: SimulatedRecording) -> None:
    columns = columns_of(recording)
    columns["head_gyr_x_rads"][5000:5040] = np.nan
    columns["trunk_acc_y_ms2"][6000:6040] = np.inf
    assert door(door.table(columns), "--neutral", "2:7").exit_code == 0
    angles = door.angles()
    assert np.isfinite(angles["flexion_deg"]).all()
    bad = angles["t_s"][~angles["valid"]]
    assert ((bad > 5000 / 104 - 0.1) & (bad < 6040 / 104 + 0.1)).all()
    assert 60 <= bad.size <= 90
    assert door.summary()["completeness"] < 1.0


def test_a_hole_of_three_seconds(door: Door, recording: SimulatedRecording) -> None:
    columns = columns_of(recording)
    keep = (columns["t_s"] < 50.0) | (columns["t_s"] > 53.0)
    holed = {name: values[keep] for name, values in columns.items()}
    assert door(door.table(holed), "--neutral", "2:7").exit_code == 0
    angles = door.angles()
    np.testing.assert_allclose(np.diff(angles["t_s"]), 0.01, atol=1e-9)
    hole = (angles["t_s"] > 50.2) & (angles["t_s"] < 52.8)
    assert not angles["valid"][hole].any()
    assert angles["valid"][angles["t_s"] < 49.5].all()
    assert door.summary()["completeness"] == pytest.approx(0.97, abs=0.005)


@pytest.mark.parametrize("rate_hz", [25.0, 800.0])
def test_rates_from_slow_to_fast(door: Door, recording: SimulatedRecording, rate_hz: float) -> None:
    spec = dataclasses.replace(recording.spec, rate_hz=rate_hz)
    made = simulate(spec, 4, 90.0)
    source = write_bids(door.folder / "in", columns_of(made), rate_hz, made.spans)
    assert door(source).exit_code == 0
    summary = door.summary()
    assert summary["recorded_s"] == pytest.approx(90.0, abs=0.1)
    assert summary["completeness"] == pytest.approx(1.0, abs=0.001)
    assert door.angles()["t_s"].shape[0] == pytest.approx(9000, abs=10)
    if rate_hz < 50.0:
        assert summary["episodes"]["jerk"]["n"] is None
        assert summary["episodes"]["tremor"]["n"] is None
        assert summary["episodes"]["posture"]["n"] is not None
        assert any("50 Hz" in warning for warning in summary["warnings"])
    else:
        assert summary["episodes"]["jerk"]["n"] is not None


def test_one_sensor_only(door: Door, recording: SimulatedRecording) -> None:
    columns = {n: v for n, v in columns_of(recording).items() if not n.startswith("trunk")}
    assert door(door.table(columns), "--neutral", "2:7").exit_code == 0
    angles = door.angles()
    assert np.isnan(angles["rotation_right_deg"].astype(float)).all()
    assert np.isfinite(angles["head_pitch_deg"]).all()
    assert door.summary()["near_neutral_fraction"] is None


def test_a_trunk_without_a_sample_leaves_the_head(
    door: Door, recording: SimulatedRecording
) -> None:
    columns = columns_of(recording)
    for name in columns:
        if name.startswith("trunk"):
            columns[name] = np.full_like(columns[name], np.nan)
    ran = door(door.table(columns), "--neutral", "2:7")
    assert ran.exit_code == 0, ran.err
    summary = door.summary()
    assert sum("trunk sensor has no valid sample" in w for w in summary["warnings"]) == 1
    assert summary["heading"] == {"good_s": None, "fair_s": None, "poor_s": None}
    angles = door.angles()
    assert np.isnan(angles["rotation_right_deg"].astype(float)).all()
    assert np.isfinite(angles["head_pitch_deg"]).all()


def test_time_going_backwards(door: Door, recording: SimulatedRecording) -> None:
    columns = columns_of(recording)
    columns["t_s"] = columns["t_s"].copy()
    columns["t_s"][700:] -= 2.0
    assert "time goes back at row 701" in refused(door(door.table(columns)))
    assert not (door.folder / "out" / "summary.json").exists()


def test_repeated_times_are_counted(door: Door, recording: SimulatedRecording) -> None:
    columns = columns_of(recording)
    columns["t_s"] = columns["t_s"].copy()
    columns["t_s"][701] = columns["t_s"][700]
    assert door(door.table(columns), "--neutral", "2:7").exit_code == 0
    assert any("repeated time" in warning for warning in door.summary()["warnings"])


def test_wrong_unit(door: Door, recording: SimulatedRecording) -> None:
    columns = columns_of(recording)
    in_g = {n: v / 9.80665 if "_acc_" in n else v for n, v in columns.items()}
    assert "ACCEL" in refused(door(door.table(in_g)))
    in_deg = {n: np.degrees(v) if "_gyr_" in n else v for n, v in columns.items()}
    assert "GYRO" in refused(door(door.table(in_deg)))


@pytest.mark.parametrize(
    ("factor", "said"),
    [
        (25.0, "correct their unit"),
        (np.pi / 180.0, "rad/s declared as °/s"),
        (-1.0, "opposite way"),
    ],
)
def test_rates_that_gravity_contradicts(
    door: Door, recording: SimulatedRecording, factor: float, said: str
) -> None:
    columns = columns_of(recording)
    wrong = {n: v * factor if n.startswith("head_gyr_") else v for n, v in columns.items()}
    message = refused(door(door.table(wrong), "--neutral", "2:7"))
    assert said in message
    assert "head_gyr_" in message
    assert not (door.folder / "out" / "summary.json").exists()


@pytest.mark.parametrize("factor", [2.0, 0.5])
def test_rates_of_doubtful_scale(door: Door, recording: SimulatedRecording, factor: float) -> None:
    columns = columns_of(recording)
    wrong = {n: v * factor if n.startswith("head_gyr_") else v for n, v in columns.items()}
    ran = door(door.table(wrong), "--neutral", "2:7")
    assert ran.exit_code == 0
    assert any("scale" in warning for warning in door.summary()["warnings"])
    assert "scale" in ran.err


@pytest.mark.parametrize(("held", "said"), [(False, "exactly 0"), (True, "stay the same")])
def test_a_sensor_that_stopped(
    door: Door, recording: SimulatedRecording, held: bool, said: str
) -> None:
    columns = columns_of(recording)
    begin, end = round(72 * 104.0), round(92 * 104.0)
    for name, values in columns.items():
        if name.startswith("trunk_"):
            values[begin:end] = values[begin] if held else 0.0
    ran = door(door.table(columns), "--neutral", "2:7")
    assert ran.exit_code == 0
    assert any(said in warning and "trunk" in warning for warning in door.summary()["warnings"])
    assert said in ran.err
    angles = door.angles()
    stopped = (angles["t_s"] > 74.2) & (angles["t_s"] < 91.8)
    assert not angles["valid"][stopped].any()
    assert angles["valid"][(angles["t_s"] < 71.8) | (angles["t_s"] > 92.2)].all()


def test_an_empty_file(door: Door) -> None:
    empty = door.folder / "empty.csv"
    empty.touch()
    assert "empty" in refused(door(empty))


def test_a_recording_too_short_to_align(door: Door, recording: SimulatedRecording) -> None:
    short = {name: values[:200] for name, values in columns_of(recording).items()}
    assert "at least 5 s" in refused(door(door.table(short)))


def test_no_such_file_and_bad_options(door: Door, recording: SimulatedRecording) -> None:
    assert "does not exist" in refused(door(door.folder / "nowhere"))
    table = door.table(columns_of(recording))
    for option in ("7:2", "a:b", "5"):
        ran = door(table, "--neutral", option)
        assert ran.exit_code == 2
        assert "START:END" in ran.err
    mounting = door.folder / "mounting.json"
    mounting.write_text('{"head": {"anterior": "-z", "up": "+z"}}')
    assert "head" in refused(door(table, "--mounting", str(mounting)))
    mounting.write_text("{nonsense")
    ran = door(table, "--mounting", str(mounting))
    assert ran.exit_code == 2
    assert "not valid JSON" in ran.err


@pytest.mark.parametrize("off_s", [-1000.0, 1000.0])
def test_events_by_another_clock(door: Door, recording: SimulatedRecording, off_s: float) -> None:
    """All events outside the recording are none: three files, with a warning that says so."""
    off_ns = round(off_s * 1e9)
    spans = tuple(
        dataclasses.replace(span, start_ns=span.start_ns + off_ns, end_ns=span.end_ns + off_ns)
        for span in recording.spans
    )
    source = write_bids(door.folder / "in", columns_of(recording), 104.0, spans)
    ran = door(source)
    assert ran.exit_code == 0, ran.err
    assert {path.name for path in (door.folder / "out").iterdir()} == {
        "angles.parquet", "episodes.parquet", "summary.json",
    }  # fmt: skip
    n = len(spans)
    said = [w for w in door.summary()["warnings"] if f"{n} of {n} events lie outside" in w]
    assert len(said) == 1
    assert "(0 to 100 s)" in said[0]
    assert door.summary()["alignment"]["quality"] == "low"


def test_a_neutral_outside_the_recording_or_too_short(
    door: Door, recording: SimulatedRecording
) -> None:
    table = door.table(columns_of(recording))
    said = refused(door(table, "--neutral", "1000:1005"))
    assert "--neutral 1000:1005 lies outside the recording (0 to 100 s)" in said
    said = refused(door(table, "--neutral", "2:2.2"))
    assert "--neutral 2:2.2 holds less than 0.5 s of samples" in said


def test_a_neutral_beside_an_event_is_said_not_to_be_used(
    door: Door, recording: SimulatedRecording
) -> None:
    source = write_bids(door.folder / "in", columns_of(recording), 104.0, recording.spans)
    assert door(source, "--neutral", "80:85").exit_code == 0
    said = [w for w in door.summary()["warnings"] if "--neutral is not used" in w]
    assert len(said) == 1
    assert f"{recording.spans[0].start_ns * 1e-9:.1f} s" in said[0]


def test_an_output_folder_that_cannot_be_written(door: Door, recording: SimulatedRecording) -> None:
    (door.folder / "out").write_text("a file where the folder should be")
    assert "out" in refused(door(door.table(columns_of(recording))))


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path: Path, recording: SimulatedRecording) -> None:
    """Peak memory on a file of 10 hours is that of one hour, give or take its results."""

    def peak_mib(hours: float) -> float:
        columns = columns_of(recording)
        n = columns["t_s"].shape[0]
        path = tmp_path / f"{hours}.parquet"
        table = pa.table({name: v for name, v in columns.items() if name != "t_s"})
        with pq.ParquetWriter(path, table.schema) as writer:
            for _ in range(round(hours * 3600 * 104 / n)):
                writer.write_table(table)
        out = tmp_path / f"out-{hours}"
        program = (
            "import sys, resource; from api.cli import group; "
            "group.main(sys.argv[1:], standalone_mode=False); "
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
        )
        arguments = ["process", str(path), "--out", str(out), "--rate-hz", "104"]
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments, "--neutral", "2:7"],
            check=True,
            capture_output=True,
            text=True,
        )
        return int(done.stderr.strip().splitlines()[-1]) / 1024.0

    small, large = peak_mib(1.0), peak_mib(10.0)
    assert large < small + 400.0, (small, large)
