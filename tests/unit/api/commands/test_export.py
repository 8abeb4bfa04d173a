"""`necktrace export`: what is missing from a file is said beside it."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from api.commands.export import command
from processing.synthesis import PatientSpec, simulate
from storage.catalog import Catalog, Patient
from tests.support.worn_record import PATIENT, ZONE, write_samples


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two segments of five minutes of each sensor, the second one of the head damaged."""
    folder = tmp_path / "data"
    with Catalog(folder) as catalog:
        catalog.save_patient(Patient(PATIENT, "", ZONE))
    write_samples(folder, simulate(PatientSpec(), 1, 400.0, truth=False))
    (second,) = (folder / "raw").glob("*/stream=head-*/*/31200.parquet")
    whole = second.read_bytes()
    second.write_bytes(whole[:500] + bytes(100) + whole[600:])
    return folder


def run(data: Path, what: str, out: Path, *more: str) -> tuple[dict[str, Any], str]:
    args = [what, "--out", str(out), "--data-dir", str(data), "--json", *more]
    result = CliRunner().invoke(command, args, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout), result.stderr


@pytest.mark.parametrize("what", ["head", "bids", "everything"])
def test_damaged_segments_are_named(data: Path, tmp_path: Path, what: str) -> None:
    told, words = run(data, what, tmp_path / f"out-{what}")
    (missing,) = told["damaged"]
    assert missing["samples"] == 400 * 104 - 300 * 104
    assert "sha256" in missing["reason"]
    assert f"Not in it: {missing['samples']} samples of" in words
    assert "necktrace verify" in words


def test_what_is_whole_says_nothing(data: Path, tmp_path: Path) -> None:
    told, words = run(data, "trunk", tmp_path / "trunk.parquet")
    assert told["damaged"] == []
    assert "damaged" not in words
    told, _ = run(data, "head", tmp_path / "early.parquet", "--to", "2026-09-21T14:17:00Z")
    assert told["damaged"] == []
