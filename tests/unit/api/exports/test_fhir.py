"""Daily observations: valid FHIR R4B, every number the day's own, nothing that leads back."""

import dataclasses
import json
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from fhir.resources.R4B.bundle import Bundle

from api.exports.fhir import CODES, PARTS, daily_bundle
from processing.summary.types import DaySummary
from tests.unit.api.conftest import ALGO, T0_NS, filled

URL = "/api/v1/patients/p1/fhir"
SPAN = {"from": "2026-11-18", "to": "2026-11-22"}


def day(**given: Any) -> DaySummary:
    values = {"date": "2026-11-20", "t_ns": T0_NS, "end_ns": T0_NS + 86_400 * 10**9, "reasons": ()}
    made = filled(DaySummary, **(values | given))
    assert isinstance(made, DaySummary)
    return made


def observation(bundle: dict[str, Any]) -> dict[str, Any]:
    (found,) = [e["resource"] for e in bundle["entry"] if "component" in e["resource"]]
    return dict(found)


def test_the_route_answers_a_bundle_that_is_valid(client: TestClient) -> None:
    answer = client.get(URL, params=SPAN)
    assert answer.headers["content-type"] == "application/fhir+json"
    Bundle.model_validate_json(answer.text)
    kinds = [entry["resource"]["resourceType"] for entry in answer.json()["entry"]]
    assert kinds == ["Patient", "Observation"]
    found = observation(answer.json())
    assert found["status"] == "preliminary", "ten minutes are no day"
    assert found["note"] == [{"text": "worn 10 min of 6 h"}]
    assert ALGO in found["method"]["text"]
    empty = client.get(URL, params={"from": "2020-01-01", "to": "2020-01-02"})
    Bundle.model_validate_json(empty.text)
    assert len(empty.json()["entry"]) == 1


def test_values_units_and_what_is_missing() -> None:
    made = daily_bundle("p1", [day(worn_s=7200.0, rotation_p50_deg=12.5, completeness=0.5,
                                   posture_per_evaluable_h=None)], ALGO)  # fmt: skip
    Bundle.model_validate(made)
    parts = {part["code"]["coding"][0]["code"]: part for part in observation(made)["component"]}
    assert len(parts) == len(PARTS)
    assert parts["worn"]["valueQuantity"]["value"] == 2.0
    assert parts["worn"]["valueQuantity"]["code"] == "h"
    assert parts["rotation-median"]["valueQuantity"] == {
        "value": 12.5, "unit": "°", "system": "http://unitsofmeasure.org", "code": "deg",
    }  # fmt: skip
    assert parts["completeness"]["valueQuantity"]["value"] == 50.0
    assert "valueQuantity" not in parts["candidate-posture-rate"]
    assert parts["candidate-posture-rate"]["dataAbsentReason"]
    assert observation(made)["status"] == "final"
    systems = {part["code"]["coding"][0]["system"] for part in parts.values()}
    assert systems == {CODES}, "no code of somebody else's is claimed"


def test_every_part_is_a_field_of_the_day() -> None:
    names = {field.name for field in dataclasses.fields(DaySummary)}
    assert {part.field for part in PARTS} <= names


@pytest.mark.parametrize("weeks", [1, 200])
def test_in_disguise(weeks: int) -> None:
    made = daily_bundle("s-1", [day()], ALGO, back=timedelta(weeks=weeks))
    Bundle.model_validate(made)
    assert "2026-11-2" not in json.dumps(made)
