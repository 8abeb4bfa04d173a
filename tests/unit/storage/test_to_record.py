"""Recordings in common formats become part of the record, each once."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ingest.sources.replay import blocks
from processing.synthesis import PatientSpec, simulate
from storage.catalog import Catalog, Patient
from storage.exports import write_bids
from storage.importers import ImportFormatError, open_recording, record_recording
from storage.record import RecordReader, verify
from tests.support.necktrace import run
from tests.support.results import T0_NS
from tests.unit.storage.test_exports import subject

START = "2026-03-01T09:00:00Z"
START_NS = 1_772_355_600 * 10**9


def table(path: Path, *, column: str, first: float, n: int = 3000) -> None:
    k = np.arange(n)
    names = [f"head_acc_{a}_ms2" for a in "xyz"] + [f"head_gyr_{a}_rads" for a in "xyz"]
    step = 1e7 if column == "t_ns" else 0.01
    times = [f"{first + i * step:.0f}" if column == "t_ns" else f"{first + i * step}" for i in k]
    rows = [f"{t},0.{i % 7},9.8,0.1,0.01,0.{i % 5},0" for t, i in zip(times, k, strict=True)]
    path.write_text("\n".join([",".join([column, *names]), *rows]) + "\n")


def test_motion_bids_comes_in_with_its_times_values_and_events(tmp_path: Path) -> None:
    made, given = subject()
    write_bids(tmp_path / "bids", replace(made, dated=False))
    data = tmp_path / "data"
    with Catalog(data) as catalog:
        catalog.save_patient(Patient("p1", "", "UTC"))
    with pytest.raises(ImportFormatError, match="--start"):
        record_recording(open_recording(tmp_path / "bids"), data, patient="p1")
    first = record_recording(
        open_recording(tmp_path / "bids"), data, patient="p1", start_ns=START_NS
    )
    valid = sum(int(block.valid.sum()) for block in given.values())
    assert (first.streams, first.samples, first.known_samples) == (2, valid, 0)
    again = record_recording(
        open_recording(tmp_path / "bids"), data, patient="p1", start_ns=START_NS
    )
    assert (again.samples, again.known_samples, again.entries) == (0, valid, 0)
    assert verify(data)["ok"]
    with Catalog(data) as catalog:
        spans = [(s.kind, s.start_ns - START_NS) for s in catalog.spans("p1")]
    assert spans == [("nod", 0), ("neutral_pose", 10**9)]
    with RecordReader(data) as reader:
        pieces = list(blocks(reader, patient="p1", role="head", t0_ns=0, t1_ns=2**62))
    head = given["head"]
    acc = np.concatenate([piece.block.acc[piece.block.valid] for piece in pieces])
    t_ns = np.concatenate([piece.block.t_ns[piece.block.valid] for piece in pieces])
    np.testing.assert_allclose(acc, head.acc[head.valid], rtol=1e-6)
    np.testing.assert_allclose(t_ns, head.t_ns[head.valid] - T0_NS + START_NS, atol=100_000)


@pytest.mark.parametrize("column", ["t_s", "t_ns"])
def test_a_table_comes_in_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], column: str
) -> None:
    table(tmp_path / "a.csv", column=column, first=START_NS if column == "t_ns" else 0.0)
    command = ["import", str(tmp_path / "a.csv"), "--data-dir", str(tmp_path / "data"), "--json"]
    refused = run(monkeypatch, capsys, *command)
    assert refused.exit_code != 0
    assert "--patient" in refused.err
    command += ["--patient", "p1"]
    if column == "t_s":
        assert "--start" in run(monkeypatch, capsys, *command).err
        command += ["--start", START]
    for new in (3000, 0):
        report = json.loads(run(monkeypatch, capsys, *command).out)
        assert (report["samples"], report["known_samples"]) == (new, 3000 - new)
        assert report["start_ns"] == START_NS


def test_a_magnetometer_comes_in_and_an_import_without_it_is_known_again(tmp_path: Path) -> None:
    plain, magnetic = tmp_path / "plain.csv", tmp_path / "magnetic.csv"
    table(plain, column="t_ns", first=START_NS)
    header, *rows = plain.read_text().splitlines()
    names = ",".join(f"head_mag_{axis}" for axis in "xyz")
    given = [(0.25 * (k % 9), -20.0, 40.5) for k in range(len(rows))]
    written = [f"{row},{x},{y},{z}" for row, (x, y, z) in zip(rows, given, strict=True)]
    magnetic.write_text("\n".join([f"{header},{names}", *written]) + "\n")
    with Catalog(tmp_path / "data") as catalog:
        catalog.save_patient(Patient("p1", "", "UTC"))
    taken = record_recording(open_recording(magnetic), tmp_path / "data", patient="p1")
    assert taken.samples == len(rows)
    known = record_recording(open_recording(plain), tmp_path / "data", patient="p1")
    assert (known.samples, known.known_samples) == (0, len(rows))
    with RecordReader(tmp_path / "data") as reader:
        pieces = list(blocks(reader, patient="p1", role="head"))
    held = [piece.block.mag for piece in pieces if piece.block.mag is not None]
    np.testing.assert_allclose(np.concatenate(held), given, rtol=1e-6)


def test_rates_in_another_unit_than_declared_are_not_taken(tmp_path: Path) -> None:
    made = simulate(PatientSpec(), 2, 100.0).blocks()[0]
    names = [f"head_acc_{a}_ms2" for a in "xyz"] + [f"head_gyr_{a}_dps" for a in "xyz"]
    rows = np.column_stack((made.t_ns * 1e-9, made.acc, made.gyr))
    path = tmp_path / "rates.csv"
    np.savetxt(path, rows, delimiter=",", header=",".join(["t_s", *names]), comments="", fmt="%.9g")
    entering = Patient("p1", "", "Europe/Berlin")
    with pytest.raises(ImportFormatError, match="rad/s declared as °/s"):
        record_recording(
            open_recording(path),
            tmp_path / "data",
            patient="p1",
            start_ns=START_NS,
            entering=entering,
        )
    assert not list((tmp_path / "data").rglob("*"))
