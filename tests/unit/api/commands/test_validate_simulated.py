"""Angles on simulated patients: what is pooled, and the page that shows it."""

import re
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from api.commands.validate import command
from api.validation.report import write_report
from api.validation.simulated import (
    LEVELS,
    SCENARIOS,
    AngleScore,
    _drift,
    drift_rms,
    pooled,
    print_table,
    score_patient,
)


def score(sensor: str, mode: str, covered: float) -> AngleScore:
    return AngleScore(
        sensor, "sitting", 0, f"necktrace {mode}", 1.0, 1.0, 1.0, covered=(covered,) * len(LEVELS)
    )


def test_pooled_coverage_is_the_mean_over_recordings_of_a_mode() -> None:
    scores = [score("A", "online", 0.2), score("A", "online", 0.8), score("B", "online", 0.5)]
    scores.append(AngleScore("A", "sitting", 0, "VQF", 9.0, 9.0, 9.0))
    found = {(row.mode, row.sensor): row for row in pooled(scores)}
    assert set(found) == {("online", "A"), ("online", "B"), ("online", "all")}
    assert found["online", "A"].within_1_sigma == pytest.approx(0.5)
    assert found["online", "all"].within_2_sigma == pytest.approx(0.5)
    assert found["online", "all"].recordings == 3


def test_drift_is_how_far_the_error_went_whatever_its_sign() -> None:
    rate_hz, rng = 1.0, np.random.default_rng(0)
    t_s = np.arange(1800.0)
    error = 3.0 + 6.0 * t_s / 1800.0 + rng.standard_normal(1800)
    assert _drift(error, rate_hz) == pytest.approx(4.0, abs=0.2), "two thirds of the way"
    assert _drift(error[:1100], rate_hz) is None, "no two stretches"
    half_round = np.mod(error + 175.0 + 180.0, 360.0) - 180.0
    assert _drift(half_round, rate_hz) == pytest.approx(4.0, abs=0.2)
    scores = [replace(score("A", "online", 0.5), drift=value) for value in (3.0, -4.0, None)]
    assert drift_rms(scores) == pytest.approx(np.sqrt(12.5))
    assert drift_rms(scores[2:]) is None


def test_drift_stands_in_table_and_page(tmp_path: Path) -> None:
    scores = [replace(score("A", "online", 0.5), drift=value) for value in (3.0, -4.0)]
    pool = [asdict(row) for row in pooled(scores)]
    found = {"patients": 2, "scores": [asdict(s) for s in scores], "pooled": pool, "examples": []}
    said: list[str] = []
    print_table(found, said.append)
    assert any("drift" in line for line in said)
    assert any(" 3.54 " in line for line in said)
    write_report(tmp_path / "report.html", {"simulated": found})
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<th>drift</th>" in html
    assert "<td>3.54</td>" in html


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--simulated", "--patients", "0"], "--patients"),
        (["--simulated", "--patients", "-1"], "--patients"),
        (["--hours", "-1"], "--hours"),
        (["--magnetic", "-0.5"], "--magnetic"),
    ],
)
def test_no_patients_and_negative_hours_are_refused(arguments: list[str], named: str) -> None:
    ran = CliRunner().invoke(command, arguments)
    assert ran.exit_code == 2
    assert f"Invalid value for '{named}'" in ran.output


def test_the_page_shows_coverage_and_agreement_of_a_real_run(tmp_path: Path) -> None:
    scores = list(score_patient(SCENARIOS[0].spec, "A", SCENARIOS[0].name, 0, 200.0))
    ours = next(s for s in scores if s.method == "necktrace offline")
    assert ours.covered is not None
    assert ours.agreement is not None
    assert ours.covered[LEVELS.index(1.0)] == ours.within_1_sigma
    assert np.all(np.diff(ours.covered) >= 0.0)
    rows = np.array(ours.agreement)
    # the calibration takes a part of the 200 s
    assert rows.shape[1] == 6
    assert 3 <= rows.shape[0] <= 10
    assert np.sqrt(np.mean((rows[:, 3] - rows[:, 0]) ** 2)) < 3.0

    result = {
        "patients": 1,
        "scores": [asdict(s) for s in scores],
        "pooled": [asdict(row) for row in pooled(scores)],
        "examples": [],
    }
    page = tmp_path / "report.html"
    write_report(page, {"simulated": result})
    html = page.read_text(encoding="utf-8")
    assert "Coverage of sigma, all recordings" in html
    for angle in ("flexion", "lateral tilt, right", "rotation, right"):
        assert f"Sensor A: {angle}, patients: 1" in html
    assert not re.search(r"(src|href)=", html)

    said: list[str] = []
    print_table(result, said.append)
    assert any("all recordings together" in line for line in said)
