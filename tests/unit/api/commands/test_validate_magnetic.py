"""Magnetometers on simulated patients: every field has the same person, and its own numbers."""

import json

import pytest
from click.testing import CliRunner

from api.commands.validate import command
from api.validation.magnetic import FIELDS, RESETS, TABLE, validate_magnetic
from api.validation.means import print_means

pytestmark = pytest.mark.slow


def test_every_field_is_scored_on_the_same_person() -> None:
    found = validate_magnetic(1, 0.12)
    assert len(found) == 2 * len(RESETS) * len(FIELDS)
    lines: list[str] = []
    print_means(TABLE, found, lines.append)
    assert len(lines) == 2 + len(found)
    first = [row for row in found if row["sensor"] == "B" and row["resets"] == "no reset"]
    rotation = {row["field"]: row["rotation"] for row in first}
    assert len(set(rotation.values())) > 4
    assert all(0.0 < value < 20.0 for value in rotation.values())


def test_the_command_prints_json() -> None:
    result = CliRunner().invoke(command, ["--magnetic", "0.05", "--patients", "1", "--json"])
    assert result.exit_code == 0, result.output
    assert len(json.loads(result.output)["magnetic"]) == 2 * len(RESETS) * len(FIELDS)


def test_nothing_to_validate_is_refused() -> None:
    result = CliRunner().invoke(command, [])
    assert result.exit_code == 2
    assert "--magnetic" in result.output
