"""A data folder through the batch door."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ingest.errors import ReprocessError
from ingest.open_record import open_record
from ingest.reprocess_params import read_params
from processing.pipeline import PipelineParams
from processing.synthesis import PatientSpec, simulate
from storage.importers import ImportFormatError
from tests.support.necktrace import run
from tests.support.worn_record import DAY_NS, START_NS, write_samples


def test_the_last_wear_session_is_processed(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    done = run(monkeypatch, capsys, "process", str(data), "--out", str(out), "--json")
    assert done.exit_code == 0, done.err
    summary = json.loads(done.out)
    assert summary["recorded_s"] == pytest.approx(110.0, abs=0.1)
    assert any("3 wear sessions" in warning for warning in summary["warnings"])
    assert pq.read_table(out / "angles.parquet").num_rows == pytest.approx(11000, abs=10)


def test_a_range_is_processed(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    choice = ["--from", "2026-09-21", "--to", "2026-09-22T00:00:00Z"]
    done = run(
        monkeypatch, capsys, "process", str(data), "--out", str(tmp_path / "o"), "--json", *choice
    )
    assert json.loads(done.out)["recorded_s"] == pytest.approx(130.0, abs=0.1)
    done = run(
        monkeypatch, capsys, "process", str(data), "--out", str(tmp_path / "o"), "--from", "noon"
    )
    assert done.exit_code == 2
    assert "--from is 'noon'" in done.err


def test_a_recording_ends_where_it_breaks_off(data: Path) -> None:
    recording = open_record(data, t0_ns=START_NS - 10**9)
    read = list(recording.read())
    assert sum(len(blocks["head"].t_ns) for blocks in read) == 13520
    (warning,) = recording.warnings
    assert "--from 2026-09-22T14:13:19Z takes it" in warning
    assert len(list(recording.read())) == len(read)
    assert len(recording.warnings) == 1


def test_who_must_be_clear(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ImportFormatError, match="nothing was recorded of a patient 'x'"):
        open_record(data, "x")
    with pytest.raises(ImportFormatError, match="no head sensor"):
        open_record(data, t0_ns=START_NS + 5 * DAY_NS)
    empty = tmp_path / "bare"
    write_samples(empty, simulate(PatientSpec(calibration=False), 3, 30.0))
    bare = open_record(empty)
    assert bare.points == ("head", "trunk")
    assert bare.spans == ()
    assert bare.warnings == []


def test_parameters_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text('{"grid": {"max_gap_s": 1}, "wear": {}}')
    params = read_params(path)
    assert params.grid.max_gap_s == 1.0
    assert params.hash != PipelineParams().hash
    for text, said in (
        ("{", "not valid JSON"),
        ('{"grid": {"gap": 1}}', "no parameter 'gap'; there are rate_hz"),
        ('{"grid": 3}', "expected an object"),
        ('{"grid": {"max_gap_s": "x"}}', "give a value like the default, 0.1"),
    ):
        path.write_text(text)
        with pytest.raises(ReprocessError, match=said):
            read_params(path)
