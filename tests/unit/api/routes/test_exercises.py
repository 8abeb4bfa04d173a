"""Exercise routes: plans, sessions and who may prescribe."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.http.app import create_app
from api.runtime import Runtime
from storage.access import account_named
from tests.unit.api.access.conftest import BASE, ORIGIN, cookie_for, runtime_on, set_up
from tests.unit.api.conftest import fill

ITEM = {
    "exercise": "turn_left", "repetitions": 5, "hold_s": 3, "target_deg": 25, "times_a_day": 2,
}  # fmt: skip
P = "/api/v1/patients/p1/exercises"


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    folder: Path = tmp_path_factory.mktemp("exercises") / "record"
    fill(folder)
    for made in runtime_on(folder):
        set_up(made.catalog)
        yield made


@pytest.fixture(scope="module")
def client(runtime: Runtime) -> TestClient:
    return TestClient(create_app(runtime), base_url=BASE)


def as_role(runtime: Runtime, role: str) -> dict[str, str]:
    return cookie_for(runtime.catalog, account_named(runtime.catalog, role)) | ORIGIN


def test_a_plan_is_prescribed_by_who_treats_and_chosen_by_the_patient(
    client: TestClient, runtime: Runtime
) -> None:
    clinic = {"origin": "clinic", "exercises": [ITEM]}
    patient, clinician = as_role(runtime, "patient"), as_role(runtime, "clinician")
    assert client.put(f"{P}/plan", json=clinic, headers=patient).status_code == 403
    own = client.put(f"{P}/plan", json={**clinic, "origin": "own"}, headers=patient)
    assert own.json()["author"] == "patient"
    assert client.put(f"{P}/plan", json=clinic, headers=clinician).status_code == 200
    answer = client.get(f"{P}/plan", headers=patient).json()
    assert answer["in_force"]["origin"] == "clinic"
    assert answer["in_force"]["exercises"] == [{**ITEM, "hold_s": 3.0, "target_deg": 25.0}]
    assert [each["origin"] for each in answer["history"]] == ["own", "clinic"]
    actions = [entry[2] for entry in runtime.catalog.audit_log()]
    assert actions.count("exercise.plan") == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [({"target_deg": 45, "exercise": "tilt_left"}, "give 1 to 30"), ({"times_a_day": 0}, "")],
)
def test_what_nobody_should_be_asked_for_is_refused(
    client: TestClient, runtime: Runtime, change: dict[str, object], words: str
) -> None:
    body = {"origin": "own", "exercises": [ITEM | change]}
    answer = client.put(f"{P}/plan", json=body, headers=as_role(runtime, "patient"))
    assert answer.status_code == 422
    assert words in answer.text


def test_sessions_come_and_go(client: TestClient, runtime: Runtime) -> None:
    headers = as_role(runtime, "patient")
    body = {
        "exercise": "turn_left", "start": "2026-11-20T08:00:00Z", "end": "2026-11-20T08:02:00Z",
        "repetitions": 5,
    }  # fmt: skip
    made = client.post(f"{P}/sessions", json=body, headers=headers).json()
    assert made["body"] == {"repetitions": 5, "measured": False}
    backwards = {**body, "end": "2026-11-20T07:00:00Z"}
    assert client.post(f"{P}/sessions", json=backwards, headers=headers).status_code == 422
    window = {"from": "2026-11-20T00:00:00Z", "to": "2026-11-21T00:00:00Z"}
    listed = client.get(f"{P}/sessions", params=window, headers=headers).json()["items"]
    assert [each["id"] for each in listed] == [made["id"]]
    assert client.delete(f"{P}/sessions/{made['id']}", headers=headers).status_code == 204
    assert client.delete(f"{P}/sessions/{made['id']}", headers=headers).status_code == 404


def test_adherence_is_asked_for_by_local_day(client: TestClient, runtime: Runtime) -> None:
    headers = as_role(runtime, "clinician")
    week = client.get(f"{P}/adherence", headers=headers).json()
    assert len(week["days"]) == 7
    assert week["zone"] == "Europe/Berlin"
    far = {"from": "2020-01-01", "to": "2026-01-01"}
    assert client.get(f"{P}/adherence", params=far, headers=headers).status_code == 422
