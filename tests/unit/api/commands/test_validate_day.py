"""`necktrace validate --hours`: a day with a torticollis, scored by the hour."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from api.commands.validate import command


def test_ten_minutes_with_a_torticollis(tmp_path: Path) -> None:
    report = tmp_path / "day.html"
    run = CliRunner().invoke(command, ["--hours", "0.17", "--json", "--report", str(report)])
    assert run.exit_code == 0, run.output
    hours = json.loads(run.stdout)["day"]
    assert {(h["sensor"], h["mode"]) for h in hours} == {
        (sensor, mode) for sensor in "AB" for mode in ("online", "offline")
    }
    for hour in hours:
        assert hour["rmse"] < 10.0
        assert hour["median_shown"] == pytest.approx(hour["median_true"], abs=8.0)
    page = report.read_text(encoding="utf-8")
    assert page.count("<svg") == 2
    assert "constant torticollis" in page


def test_nothing_to_validate_is_said() -> None:
    run = CliRunner().invoke(command, [])
    assert run.exit_code == 2
    assert "--hours" in run.output
