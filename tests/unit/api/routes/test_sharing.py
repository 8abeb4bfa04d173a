"""What the patient decides over HTTP: sharing, who looked, and that everything goes."""

import fcntl
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.access.principals import of_account, of_token
from api.routes import sharing
from api.runtime import Runtime
from storage.access import account_named, add_grant
from storage.consent import is_withdrawn
from storage.credentials import add_token, find_token
from storage.record.lock import WriterLock
from tests.unit.api.access.conftest import client_of, cookie_for, runtime_on, set_up, until

pytestmark = pytest.mark.slow

P = "/api/v1/patients/p1"


@pytest.fixture
def runtime(folder: Path, tmp_path: Path) -> Iterator[Runtime]:
    for made in runtime_on(Path(shutil.copytree(folder, tmp_path / "record"))):
        set_up(made.catalog)
        yield made


def logged_in(runtime: Runtime, name: str) -> TestClient:
    client = client_of(runtime)
    client.headers.update(cookie_for(runtime.catalog, account_named(runtime.catalog, name)))
    client.headers["origin"] = "http://127.0.0.1:8765"
    return client


def test_share_and_take_back(runtime: Runtime) -> None:
    patient = logged_in(runtime, "patient")
    made = patient.post(f"{P}/grants", json={"user": "clinician-alone", "days": 3}).json()
    assert (made["role"], made["in_force"], made["created_by"]) == ("clinician", True, "patient")
    doctor = logged_in(runtime, "clinician-alone")
    assert doctor.get(P).status_code == 200
    assert patient.delete(f"{P}/grants/{made['id']}").status_code == 204
    assert patient.delete(f"{P}/grants/{made['id']}").status_code == 204, "twice is once"
    assert doctor.get(P).status_code == 404
    listed = patient.get(f"{P}/grants").json()["items"]
    assert [each["in_force"] for each in listed if each["id"] == made["id"]] == [False]
    assert patient.delete(f"{P}/grants/other").status_code == 404
    assert patient.post(f"{P}/grants", json={"user": "nobody"}).status_code == 404


def test_stop_all_sharing(runtime: Runtime) -> None:
    catalog = runtime.catalog
    secrets = {
        name: add_token(
            catalog, name, scopes=["read:raw"], patients=["p1", "p2"], expires_ns=until(),
            account=None if name == "hub" else account_named(catalog, name).id, blind=False,
            actor="test",
        )[1]
        for name in ("hub", "clinician", "patient")
    }  # fmt: skip
    add_grant(
        catalog, account_named(catalog, "clinician"), "p2", identified=True, expires_ns=None,
        actor="test",
    )  # fmt: skip
    patient = logged_in(runtime, "patient")
    assert patient.delete(f"{P}/grants").json() == {"patient_id": "p1", "grants": 4, "tokens": 2}
    for role in ("carer", "clinician", "researcher", "admin"):
        assert not of_account(catalog, account_named(catalog, role)).knows("p1")
    assert of_account(catalog, account_named(catalog, "clinician")).knows("p2")
    sees = {
        name: set(of_token(catalog, found).sees or ())
        for name, secret in secrets.items()
        if (found := find_token(catalog, secret)) is not None
    }
    assert sees == {"hub": {"p2"}, "clinician": {"p2"}, "patient": {"p1"}}
    assert patient.get(P).status_code == 200, "nobody locks themselves out"
    said = {
        each["purpose"]: each["given"] for each in patient.get(f"{P}/consent").json()["purposes"]
    }
    assert said == {"processing": None, "sharing": False, "research": False}


def test_the_patient_sees_who_looked(runtime: Runtime) -> None:
    logged_in(runtime, "clinician").get(f"{P}/angles")
    logged_in(runtime, "clinician").get(f"{P}/exports/days")
    logged_in(runtime, "clinician-alone").get(f"{P}/angles")
    patient = logged_in(runtime, "patient")
    seen: list[tuple[str, str]] = []
    cursor = None
    while True:
        params = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = patient.get(f"{P}/audit", params=params).json()
        seen += [(entry["actor"], entry["action"]) for entry in page["items"]]
        assert {entry["subject"] for entry in page["items"]} <= {"p1"}
        cursor = page["next"]
        if cursor is None:
            break
    wanted = {("clinician", "read"), ("clinician", "export"), ("clinician-alone", "refused")}
    assert wanted <= set(seen)
    assert logged_in(runtime, "carer").get(f"{P}/audit").status_code == 403


def test_the_log_can_only_grow(runtime: Runtime) -> None:
    for statement in ("DELETE FROM audit", "UPDATE audit SET actor = 'x'"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            runtime.catalog.connection.execute(statement)


def test_everything_goes(runtime: Runtime) -> None:
    patient = logged_in(runtime, "patient")
    assert patient.delete(P).status_code == 422
    assert patient.delete(P, params={"confirm": "p2"}).status_code == 422
    gone = patient.delete(P, params={"confirm": "p1"})
    assert gone.status_code == 200
    assert gone.json()["samples"] == 1000
    assert gone.json()["tombstone"].startswith("erased-")
    assert patient.get(P).status_code == 404
    assert [each.id for each in runtime.catalog.patients()] == ["p2"]
    assert not list(runtime.settings.data_dir.rglob("*.parquet"))
    written = [(entry.actor, entry.action) for entry in runtime.catalog.audit_entries()]
    assert ("patient", "erase") in written


@pytest.mark.parametrize("name", ["rework.lock", "rerun.lock", "making.lock"])
def test_nothing_is_deleted_while_results_are_made(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """They would be written after everything is gone; the withdrawal ends their making."""
    monkeypatch.setattr(sharing, "RECORDING_ENDS_S", 0.3)
    patient = logged_in(runtime, "patient")
    with (runtime.settings.data_dir / name).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        refused = patient.delete(P, params={"confirm": "p1"})
    assert refused.status_code == 409
    assert "nothing was deleted" in refused.json()["detail"]
    assert is_withdrawn(runtime.catalog, "p1", "processing")
    assert patient.delete(P, params={"confirm": "p1"}).status_code == 200


def test_who_records_on_is_named_and_nothing_is_deleted(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "RECORDING_ENDS_S", 0.3)
    patient = logged_in(runtime, "patient")
    lock = WriterLock(runtime.settings.data_dir)
    try:
        refused = patient.delete(P, params={"confirm": "p1"})
    finally:
        lock.release()
    assert refused.status_code == 409
    assert "nothing was deleted" in refused.json()["detail"]
    assert patient.get(f"{P}/streams").json()["items"][0]["samples"] == 1000


def test_a_clinician_of_two_patients_opens_the_right_one(runtime: Runtime) -> None:
    catalog = runtime.catalog
    add_grant(
        catalog, account_named(catalog, "clinician"), "p2", identified=True, expires_ns=None,
        actor="test",
    )  # fmt: skip
    doctor = logged_in(runtime, "clinician")
    for path in ("/", "/mine", "/mine/looked"):
        answer = doctor.get(path)
        assert (answer.status_code, answer.headers.get("location")) == (303, "/clinic"), path
    said = {"purpose": "research", "given": "no"}
    assert doctor.post("/mine/consent", data=said).status_code == 409
    home = "/clinic/patients/p2/sharing"
    assert f'action="{home}/consent"' in doctor.get(home).text
    assert "DELETE" not in doctor.get(home).text
    assert doctor.post(f"{home}/consent", data=said).headers["location"] == home
    assert is_withdrawn(catalog, "p2", "research")
    assert not is_withdrawn(catalog, "p1", "research")
    for patient, noted in (("p2", True), ("p1", False)):
        log = doctor.get(f"/clinic/patients/{patient}/sharing/looked").text
        assert ("does not agree" in log) is noted
    own = account_named(catalog, "clinician").id
    assert doctor.post(f"{home}/stop-sharing", data={"account": own}).status_code == 303
    assert doctor.get(home).status_code == 404, "given back"


def test_after_everything_is_deleted_the_first_page_says_how_to_begin(
    folder: Path, tmp_path: Path
) -> None:
    for made in runtime_on(Path(shutil.copytree(folder, tmp_path / "record"))):
        for patient in made.catalog.patients():
            sharing.erase(made, patient)
        page = client_of(made).get("/")
        assert page.status_code == 200
        assert "necktrace up" in page.text
