"""Other people than the default: who is simulated, scored and printed."""

from dataclasses import replace
from pathlib import Path

import pytest

from api.validation.means import print_means
from api.validation.report import write_report
from api.validation.sensitivity import (
    CHANGES,
    FIRST_SEED,
    TABLE,
    _changed,
    validate_sensitivity,
)
from processing.synthesis import SENSOR_A, PatientSpec

pytestmark = pytest.mark.slow


def test_every_change_is_one_from_the_default_patient() -> None:
    default = PatientSpec(head_sensor=SENSOR_A, trunk_sensor=SENSOR_A)
    changed = {name: _changed(name, SENSOR_A) for name in CHANGES}
    assert changed["as ever"] == default
    others = [spec for name, spec in changed.items() if name != "as ever"]
    assert all(spec != default for spec in others)
    assert len(set(map(repr, others))) == len(others)
    poor = changed["accelerometer off by 40 mg"]
    assert replace(poor.head_sensor, acc_offset_sd_mg=SENSOR_A.acc_offset_sd_mg) == SENSOR_A


def test_skin_that_gives_way_costs_flexion_and_is_printed_beside_the_default() -> None:
    changes = ("as ever", "skin 0.75 and 1.5° in 5 s")
    found = validate_sensitivity(1, changes=changes, seconds=240.0)
    assert len(found) == len(changes) * 2 * 2
    assert {row["patient"] for row in found} == {FIRST_SEED}
    by_change = {
        change: sum(row["flexion"] for row in found if row["change"] == change)
        for change in changes
    }
    assert by_change[changes[1]] > 1.3 * by_change[changes[0]]
    lines: list[str] = []
    print_means(TABLE, found, lines.append)
    assert len(lines) == 2 + len(found)
    assert [line for line in lines if line.startswith(changes[1])]


def test_a_report_has_the_tables_of_means_too(tmp_path: Path) -> None:
    row = {
        "change": "52 Hz",
        "sensor": "A",
        "mode": "online",
        "patient": FIRST_SEED,
        "flexion": 0.5,
        "lateral_right": 0.5,
        "rotation_right": 1.25,
        "within_1_sigma": 0.5,
        "within_2_sigma": 1.0,
    }
    other = {**row, "patient": FIRST_SEED + 1, "rotation_right": 1.75, "within_1_sigma": 0.75}
    page = tmp_path / "report.html"
    write_report(page, {"sensitivity": [row, other]})
    text = page.read_text()
    assert f"<h2>{TABLE.title}</h2>" in text
    assert "<td>52 Hz</td><td>A</td><td>online</td>" in text
    assert "<td>1.50</td><td>62%</td><td>100%</td>" in text
