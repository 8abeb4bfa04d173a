"""Foreign recordings: what is read, and what bad input is told."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage.importers import ImportFormatError, open_recording

AXES = "xyz"


def write_bids(
    folder: Path,
    *,
    samples: int = 500,
    rate_hz: float = 100.0,
    acc_unit: str = "m/s^2",
    acc: float = 9.81,
    points: tuple[str, ...] = ("head", "trunk"),
    events: str | None = None,
) -> Path:
    motion = folder / "sub-01" / "motion"
    motion.mkdir(parents=True)
    stem = "sub-01_task-rest_tracksys-imu"
    rows = ["name\tcomponent\ttype\ttracked_point\tunits"]
    columns = []
    for point in points:
        for kind, unit, value in (("ACCEL", acc_unit, acc), ("GYRO", "deg/s", 2.0)):
            for axis in AXES:
                rows.append(f"{point}_{kind}_{axis}\t{axis}\t{kind}\t{point}\t{unit}")
                columns.append(np.full(samples, value if axis == "x" else 0.0))
    (motion / f"{stem}_channels.tsv").write_text("\n".join(rows) + "\n")
    (motion / f"{stem}_motion.json").write_text(json.dumps({"SamplingFrequency": rate_hz}))
    table = np.column_stack(columns) if samples else np.empty((0, len(columns)))
    np.savetxt(motion / f"{stem}_motion.tsv", table, delimiter="\t")
    if events is not None:
        (motion / "sub-01_task-rest_events.tsv").write_text(events)
    return folder


def read_all(path: Path, rate_hz: float | None = None) -> dict[str, int]:
    recording = open_recording(path, rate_hz=rate_hz)
    counts = dict.fromkeys(recording.points, 0)
    for blocks in recording.read():
        for point, block in blocks.items():
            counts[point] += block.t_ns.shape[0]
    return counts


def test_bids_units_become_si(tmp_path: Path) -> None:
    recording = open_recording(write_bids(tmp_path, acc_unit="mg", acc=1000.0))
    block = next(recording.read())["head"]
    assert block.acc[0, 0] == pytest.approx(9.80665)
    assert block.gyr[0, 0] == pytest.approx(np.radians(2.0))
    assert block.t_ns[1] - block.t_ns[0] == 10_000_000


def test_bids_events_become_spans(tmp_path: Path) -> None:
    events = "onset\tduration\ttrial_type\tsigma_deg\n5\t3\tnod\tn/a\n0.5\t4\tneutral_pose\t2.5\n"
    spans = open_recording(write_bids(tmp_path, events=events)).spans
    assert [span.kind for span in spans] == ["neutral_pose", "nod"]
    assert spans[0].start_ns == 500_000_000
    assert spans[0].end_ns == 4_500_000_000
    assert spans[0].sigma_deg == 2.5
    assert spans[1].sigma_deg is None


def test_events_that_are_not_ours_may_be_of_unknown_duration(tmp_path: Path) -> None:
    events = (
        "onset\tduration\ttrial_type\n100.0\tn/a\tstimulus\n3\t1\tn/a\n0.5\t4\tNEUTRAL_POSE\n"
        "7\t1\tStimulus\n"
    )
    spans = open_recording(write_bids(tmp_path, events=events)).spans
    assert [span.kind for span in spans] == ["neutral_pose", "Stimulus"]


def test_events_without_trial_type_mean_nothing_here(tmp_path: Path) -> None:
    assert open_recording(write_bids(tmp_path, events="onset\tduration\n1\t2\n")).spans == ()


@pytest.mark.parametrize("row", ["n/a\t3\tnod", "5\tn/a\tnod", "5\t-3\tnod", "5\tinf\tnod"])
def test_a_movement_of_unknown_time_is_named(tmp_path: Path, row: str) -> None:
    write_bids(tmp_path, events=f"onset\tduration\ttrial_type\n1\tn/a\tcue\n{row}\n")
    with pytest.raises(ImportFormatError, match=r"_events\.tsv, line 3: nod has onset"):
        open_recording(tmp_path)


def test_missing_numbers_are_marked_not_dropped(tmp_path: Path) -> None:
    write_bids(tmp_path, samples=100)
    table = next(tmp_path.rglob("*_motion.tsv"))
    lines = table.read_text().splitlines()
    lines[10] = "n/a" + lines[10][lines[10].index("\t") :]
    lines[11] = "inf" + lines[11][lines[11].index("\t") :]
    table.write_text("\n".join(lines) + "\n")
    block = next(open_recording(tmp_path).read())["head"]
    assert block.t_ns.shape[0] == 100
    assert np.flatnonzero(~block.valid).tolist() == [10, 11]


@pytest.mark.parametrize("missing", ["_channels.tsv", "_motion.json"])
def test_half_a_data_set_names_the_missing_file(tmp_path: Path, missing: str) -> None:
    write_bids(tmp_path)
    next(tmp_path.rglob(f"*{missing}")).unlink()
    with pytest.raises(ImportFormatError, match=f"{missing} is missing"):
        open_recording(tmp_path)


def test_unknown_unit_names_channel_and_choices(tmp_path: Path) -> None:
    with pytest.raises(ImportFormatError, match=r"head_ACCEL_x: unit 'furlong'.*m/s\^2"):
        open_recording(write_bids(tmp_path, acc_unit="furlong"))


def test_declared_unit_that_the_numbers_contradict(tmp_path: Path) -> None:
    write_bids(tmp_path, acc=1.0)
    with pytest.raises(ImportFormatError, match=r"correct the unit of the ACCEL"):
        read_all(tmp_path)


def test_empty_motion_file(tmp_path: Path) -> None:
    with pytest.raises(ImportFormatError, match="empty"):
        read_all(write_bids(tmp_path, samples=0))


def test_trunk_only_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ImportFormatError, match="no tracked point `head`"):
        open_recording(write_bids(tmp_path, points=("trunk",)))


def test_ragged_row_is_named(tmp_path: Path) -> None:
    write_bids(tmp_path, samples=50)
    table = next(tmp_path.rglob("*_motion.tsv"))
    table.write_text(table.read_text() + "1\t2\t3\n")
    with pytest.raises(ImportFormatError, match=r"_motion.tsv cannot be read.*12 columns"):
        read_all(tmp_path)


def test_rate_too_low(tmp_path: Path) -> None:
    with pytest.raises(ImportFormatError, match="10 samples a second"):
        open_recording(write_bids(tmp_path, rate_hz=10.0))


def test_several_recordings_ask_for_one(tmp_path: Path) -> None:
    write_bids(tmp_path / "a")
    other = write_bids(tmp_path / "b")
    for path in list(other.rglob("sub-01_task-rest*")):
        path.rename(path.with_name(path.name.replace("rest", "walk")))
    with pytest.raises(ImportFormatError, match="holds 2 recordings"):
        open_recording(tmp_path)


def table_of(n: int, **extra: np.ndarray) -> dict[str, np.ndarray]:
    columns = {"t_s": np.arange(n) / 100.0}
    for point in ("head", "trunk"):
        for axis in AXES:
            columns[f"{point}_acc_{axis}_g"] = np.full(n, 1.0 if axis == "z" else 0.0)
            columns[f"{point}_gyr_{axis}_dps"] = 0.01 * (np.arange(float(n)) % 5)
    return columns | extra


def write_csv(path: Path, columns: dict[str, np.ndarray]) -> Path:
    np.savetxt(
        path,
        np.column_stack(list(columns.values())),
        delimiter=",",
        header=",".join(columns),
        comments="",
        fmt="%.6f",
    )
    return path


def test_csv_and_parquet_read_alike(tmp_path: Path) -> None:
    columns = table_of(300)
    csv_path = write_csv(tmp_path / "a.csv", columns)
    parquet_path = tmp_path / "a.parquet"
    pq.write_table(pa.table(columns), parquet_path)
    from_csv = next(open_recording(csv_path).read())
    from_parquet = next(open_recording(parquet_path).read())
    for point in ("head", "trunk"):
        np.testing.assert_array_equal(from_csv[point].t_ns, from_parquet[point].t_ns)
        np.testing.assert_allclose(from_csv[point].acc, from_parquet[point].acc)


def test_time_going_back_is_refused_by_row(tmp_path: Path) -> None:
    t = np.arange(300) / 100.0
    t[120:] -= 0.5
    with pytest.raises(ImportFormatError, match="time goes back at row 121"):
        read_all(write_csv(tmp_path / "a.csv", table_of(300, t_s=t)))


def test_samples_beyond_any_sensor_are_left_out_and_counted(tmp_path: Path) -> None:
    rate, force = np.zeros(300), np.zeros(300)
    rate[[40, 41]], force[7] = np.degrees(300.0), 1e4
    columns = table_of(300, head_gyr_y_dps=rate, trunk_acc_x_g=force)
    recording = open_recording(write_csv(tmp_path / "a.csv", columns))
    for _ in range(2):
        [blocks] = recording.read()
        assert np.flatnonzero(~blocks["head"].valid).tolist() == [40, 41]
        assert np.flatnonzero(~blocks["trunk"].valid).tolist() == [7]
    head, trunk = recording.warnings
    assert head.startswith("a.csv, head: samples beyond any sensor's range")
    assert head.endswith("2 in all; the first is sample 41 with 300 rad/s")
    assert trunk.endswith("1 in all; the first is sample 8 with 9.807e+04 m/s²")


def test_a_recording_beyond_any_sensor_is_refused(tmp_path: Path) -> None:
    columns = table_of(300, head_gyr_y_dps=np.full(300, 1e5))
    with pytest.raises(ImportFormatError, match="most samples are beyond any sensor's range"):
        read_all(write_csv(tmp_path / "a.csv", columns))


def test_repeated_times_keep_the_first_and_are_counted(tmp_path: Path) -> None:
    t = np.arange(300) / 100.0
    t[120] = t[119]
    recording = open_recording(write_csv(tmp_path / "a.csv", table_of(300, t_s=t)))
    rows = sum(blocks["head"].t_ns.shape[0] for blocks in recording.read())
    assert rows == 299
    assert recording.warnings == ["a.csv: 1 rows with a repeated time left out"]


def test_no_time_and_no_rate(tmp_path: Path) -> None:
    columns = table_of(300)
    del columns["t_s"]
    path = write_csv(tmp_path / "a.csv", columns)
    with pytest.raises(ImportFormatError, match="--rate-hz"):
        open_recording(path)
    assert read_all(path, rate_hz=50.0) == {"head": 300, "trunk": 300}


def test_word_in_a_number_column(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", table_of(20))
    path.write_text(path.read_text().replace("0.050000", "five", 1))
    with pytest.raises(ImportFormatError, match="five"):
        read_all(path)


def test_not_a_recording(tmp_path: Path) -> None:
    (tmp_path / "x.pdf").write_bytes(b"%PDF")
    with pytest.raises(ImportFormatError, match="expected a Motion-BIDS folder"):
        open_recording(tmp_path / "x.pdf")
    (tmp_path / "x.parquet").write_bytes(b"not parquet at all")
    with pytest.raises(ImportFormatError, match="no Parquet file"):
        open_recording(tmp_path / "x.parquet")
