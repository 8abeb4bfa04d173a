"""Calibrations, cycles, cohort, versions, users, grants and tokens over HTTP."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.http.app import create_app
from api.jobs import rerun
from api.runtime import Runtime
from storage.catalog import StoredAlignment
from tests.unit.api.access.conftest import client_of, runtime_on
from tests.unit.api.conftest import ALGO, T0_NS

P = "/api/v1/patients/p1"


@pytest.fixture
def own(folder: Path, tmp_path: Path) -> Iterator[Runtime]:
    yield from runtime_on(Path(shutil.copytree(folder, tmp_path / "record")))


@pytest.fixture
def owner(own: Runtime) -> Iterator[TestClient]:
    with TestClient(create_app(own), base_url="http://127.0.0.1:8765") as client:
        yield client


def test_calibrations(own: Runtime, owner: TestClient) -> None:
    own.catalog.save_alignment(StoredAlignment("p1", "a1", "n1", T0_NS, {"quality": "good"}))
    (found,) = owner.get(f"{P}/calibrations").json()["items"]
    assert found == {
        "id": "a1",
        "neutral_id": "n1",
        "valid_from_utc": "2026-11-20T08:00:00.000Z",
        "body": {"quality": "good"},
    }


def test_cycles(owner: TestClient) -> None:
    for day, units in (("2025-03-01", 120), ("2025-06-01", 150)):
        made = owner.post(
            f"{P}/cycles", json={"date": day, "product": "x", "units": units, "muscles": "m"}
        )
        assert made.status_code == 201
    items = owner.get(f"{P}/cycles").json()["items"]
    assert [(each["date"], each["days"]) for each in items] == [
        ("2025-03-01", 92),
        ("2025-06-01", None),
    ]
    assert owner.delete(f"{P}/cycles/{items[0]['id']}").status_code == 204
    assert owner.delete(f"{P}/cycles/{items[0]['id']}").status_code == 404
    assert len(owner.get(f"{P}/cycles").json()["items"]) == 1
    assert owner.post(f"{P}/cycles", json={"date": "2199-01-01", "product": "x"}).status_code == 422


def test_cohort_selects_by_worn_time_and_quality(owner: TestClient) -> None:
    (member,) = owner.get("/api/v1/cohort").json()["items"]
    assert (member["patient_id"], member["days"], member["algo"]) == ("p1", 1, ALGO)
    assert member["worn_h"] == pytest.approx(1 / 6)
    assert member["dates"][0]["date"] == "2026-11-20"
    assert member["heading_good_fraction"] == pytest.approx(1 / 3)
    for query, listed in (
        ({"min_worn_h": 1}, 1),
        ({"min_worn_h": 1, "min_days": 1}, 0),
        ({"min_worn_h": 0.1, "min_days": 1}, 1),
        ({"min_heading_good": 0.5, "min_days": 1}, 0),
        ({"min_completeness": 1.0, "min_days": 1}, 1),
    ):
        items = owner.get("/api/v1/cohort", params=query).json()["items"]
        assert len(items) == listed, query
    (none,) = owner.get("/api/v1/cohort", params={"min_worn_h": 1}).json()["items"]
    assert (none["days_selected"], none["completeness"]) == (0, None)


def test_trials_are_listed_beside_what_is_current(
    own: Runtime, owner: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[list[str]] = []
    monkeypatch.setattr(rerun, "begin", lambda command, _lock: begun.append(command))
    body = {"params": {"episodes": {"jerk": {"amplitude_min_deg": 6.0}}}}
    made = owner.post(f"{P}/versions", json=body)
    assert made.status_code == 202
    algo = made.json()["algo"]
    assert begun[0][-2:] == ["p1", '{"episodes": {"jerk": {"amplitude_min_deg": 6.0}}}']
    items = {each["algo"]: each for each in owner.get(f"{P}/versions").json()["items"]}
    assert (items[algo]["complete"], items[algo]["current"]) == (False, False)
    assert items[ALGO]["current"]
    assert own.results.book.current("p1") == ALGO
    # a version that exists can be read, another not
    for path in ("angles", "minutes", "days", "episodes", "exports/days"):
        assert owner.get(f"{P}/{path}", params={"algo": algo}).status_code == 200
        assert owner.get(f"{P}/{path}", params={"algo": "9-none"}).status_code == 404
    assert owner.get(f"{P}/episodes", params={"algo": algo}).json()["items"] == []
    for wrong in ({"x": 1}, {"episodes": 3}, {"episodes": {"jerk": {"amplitude_min_deg": "a"}}}):
        refused = owner.post(f"{P}/versions", json={"params": wrong})
        assert (refused.status_code, "params" in refused.json()["detail"]) == (422, True)
    assert len(begun) == 1


def test_users_grants_and_tokens(own: Runtime, owner: TestClient) -> None:
    new = {"name": "root", "role": "admin", "password": "a few words in a row"}
    assert owner.post("/api/v1/users", json=new).status_code == 201
    assert owner.get("/api/v1/users").status_code == 401, "from the first on everybody logs in"
    browser = client_of(own)
    browser.headers["origin"] = "http://127.0.0.1:8765"
    logged = browser.post("/login", data={"name": "root", "password": new["password"]})
    assert logged.status_code == 303
    assert browser.post("/api/v1/users", json=new).status_code == 409
    weak = {**new, "name": "x", "password": "short"}
    assert browser.post("/api/v1/users", json=weak).status_code == 422
    assert browser.patch("/api/v1/users/root", json={"disabled": True}).status_code == 409
    browser.post("/api/v1/users", json={**new, "name": "lee", "role": "clinician"})
    made = browser.post("/api/v1/grants", json={"user": "lee", "patient_id": "p1"})
    assert made.status_code == 201
    assert (
        browser.post("/api/v1/grants", json={"user": "lee", "patient_id": "p9"}).status_code == 404
    )
    assert browser.delete(f"/api/v1/grants/{made.json()['id']}").status_code == 204
    assert browser.delete("/api/v1/grants/none").status_code == 404
    assert browser.patch("/api/v1/users/lee", json={"disabled": True}).json()["disabled"]
    assert browser.patch("/api/v1/users/none", json={"disabled": True}).status_code == 404

    browser.post("/api/v1/grants", json={"user": "root", "patient_id": "p1"})
    token = browser.post(
        "/api/v1/tokens", json={"label": "t", "scopes": ["read:raw"], "days": 1}
    ).json()
    bearer = {"authorization": f"Bearer {token['token']}"}
    program = client_of(own)
    assert program.get(f"{P}/streams", headers=bearer).status_code == 200
    assert program.get(f"{P}/angles", headers=bearer).status_code == 403
    refused = program.post(
        "/api/v1/tokens", headers=bearer, json={"label": "t", "scopes": ["read:raw"], "days": 1}
    )
    assert refused.status_code == 403, "a token makes no token"
    beyond = browser.post("/api/v1/tokens", json={"label": "t", "scopes": ["forward"], "days": 1})
    assert beyond.status_code == 403
