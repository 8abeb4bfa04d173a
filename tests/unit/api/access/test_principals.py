"""The owner at home, people, tokens: who counts as whom, and who as nobody."""

import time
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.access.principals import LOGIN_IDLE_NS
from api.runtime import Runtime
from storage.access import account_named, add_account, add_grant, set_disabled, withdraw_grants
from storage.credentials import add_token, revoke_token, tokens
from tests.unit.api.access.conftest import (
    ORIGIN,
    LogIn,
    MakeToken,
    client_of,
    cookie_for,
    until,
)

P1 = "/api/v1/patients/p1"


@pytest.fixture
def owner(home: Runtime) -> TestClient:
    return client_of(home)


def test_without_users_a_request_from_this_computer_is_the_owners(owner: TestClient) -> None:
    assert owner.get(P1).status_code == 200
    assert owner.get(f"{P1}/everything").status_code == 200
    assert owner.get("/").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example:8765"},
        {"host": "127.0.0.1:9999"},
        {"origin": "http://evil.example"},
        {"forwarded": "for=10.0.0.9"},
        {"x-forwarded-for": "10.0.0.9"},
        {"x-forwarded-proto": "https"},
        {"x-forwarded-port": "443"},
    ],
)
def test_anything_else_is_not_the_owners(owner: TestClient, headers: dict[str, str]) -> None:
    assert owner.get(P1, headers=headers).status_code == 403


@pytest.mark.parametrize(
    "value",
    [
        "Bearer wrong",
        "Bearer ",
        "Bearer",
        "",
        "Basic b3duZXI6",
        "Bearer " + "x" * 9000,
    ],
)
def test_a_bad_token_never_falls_back_to_the_owner(owner: TestClient, value: str) -> None:
    answer = owner.get(P1, headers={"authorization": value})
    assert answer.status_code == 401
    assert answer.json()["type"] == "urn:necktrace:problem:not-authenticated"


def test_a_good_token_is_held_to_its_scopes_though_the_owner_could_do_more(
    owner: TestClient, home: Runtime
) -> None:
    _, secret = add_token(
        home.catalog, "t", scopes=["read:summary"], patients=["p1"], expires_ns=until(),
        account=None, blind=False, actor="test",
    )  # fmt: skip
    bearer = {"authorization": f"Bearer {secret}"}
    assert owner.get(f"{P1}/days", headers=bearer).status_code == 200
    assert owner.get(f"{P1}/streams", headers=bearer).status_code == 403
    assert owner.get("/api/v1/audit", headers=bearer).status_code == 403


def test_once_a_user_exists_everybody_logs_in(owner: TestClient, home: Runtime) -> None:
    person = add_account(home.catalog, "ada", "admin", "", actor="test")
    assert owner.get(P1).status_code == 401
    page = owner.get("/history", headers={"accept": "text/html"})
    assert (page.status_code, page.headers["location"]) == (303, "/login?next=/history")
    set_disabled(home.catalog, person, 1, actor="test")
    assert owner.get(P1).status_code == 401, "disabling the last user must not open the house"
    assert owner.get("/healthz").json() == {"status": "ok"}


def test_a_person_sees_only_who_was_granted(log_in: LogIn) -> None:
    clinician = log_in("clinician")
    listed = clinician.get("/api/v1/patients").json()["items"]
    assert [patient["id"] for patient in listed] == ["p1"]
    assert clinician.get("/api/v1/patients/p2").status_code == 404
    unknown = clinician.get("/api/v1/patients/p9").json()
    forbidden = clinician.get("/api/v1/patients/p2").json()
    assert unknown["detail"] == forbidden["detail"]


def test_grants_end(clinic: Runtime, log_in: LogIn) -> None:
    carer = account_named(clinic.catalog, "carer-alone")
    browser = log_in("carer-alone")
    path = "/api/v1/patients/p2"
    add_grant(
        clinic.catalog, carer, "p2", identified=False,
        expires_ns=time.time_ns() + 300_000_000, actor="test",
    )  # fmt: skip
    assert browser.get(path).status_code == 200
    time.sleep(0.35)
    assert browser.get(path).status_code == 404
    add_grant(clinic.catalog, carer, "p2", identified=False, expires_ns=None, actor="test")
    assert browser.get(path).status_code == 200
    assert withdraw_grants(clinic.catalog, carer, "p2", actor="test") == 1
    assert browser.get(path).status_code == 404


def test_a_token_ends_and_is_revoked(clinic: Runtime, log_in: LogIn, token: MakeToken) -> None:
    client = client_of(clinic)
    assert client.get(P1, headers=token("read:summary", days=-1)).status_code == 401
    bearer = token("read:summary")
    assert client.get(P1, headers=bearer).status_code == 200
    revoke_token(clinic.catalog, tokens(clinic.catalog)[-1].id, actor="test")
    assert client.get(P1, headers=bearer).status_code == 401


def test_a_token_can_never_more_than_its_person(clinic: Runtime, token: MakeToken) -> None:
    client = client_of(clinic)
    bearer = token("read:summary", "read:raw", "admin", patients=("p1", "p2"), user="carer")
    assert client.get(f"{P1}/days", headers=bearer).status_code == 200
    assert client.get(f"{P1}/streams", headers=bearer).status_code == 403
    assert client.get("/api/v1/audit", headers=bearer).status_code == 403
    assert client.get("/api/v1/patients/p2", headers=bearer).status_code == 404
    person = account_named(clinic.catalog, "carer")
    set_disabled(clinic.catalog, person, time.time_ns(), actor="test")
    assert client.get(f"{P1}/days", headers=bearer).status_code == 401
    set_disabled(clinic.catalog, person, None, actor="test")
    assert client.get(f"{P1}/days", headers=bearer).status_code == 200


def test_a_token_opens_no_account(clinic: Runtime, token: MakeToken) -> None:
    bearer = token("read:summary", user="patient") | ORIGIN
    client = client_of(clinic)
    assert client.get("/account", headers=bearer).status_code == 403
    assert client.post("/account/tokens", headers=bearer).status_code == 403


def test_a_browser_idle_too_long_logs_in_again(
    clinic: Runtime, log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = log_in("patient")
    assert browser.get(P1).status_code == 200
    now: Any = time.time_ns
    later = now() + LOGIN_IDLE_NS + 10**9
    monkeypatch.setattr("storage.credentials.time.time_ns", lambda: later)
    assert browser.get(P1).status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (ORIGIN, 201),
        ({"sec-fetch-site": "same-origin"}, 201),
        ({}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
    ],
)
def test_a_cookie_changes_nothing_for_another_sites_page(
    clinic: Runtime, headers: dict[str, str], status: int
) -> None:
    client = client_of(clinic)
    cookie = cookie_for(clinic.catalog, account_named(clinic.catalog, "patient"))
    answer = client.post(f"{P1}/annotations", json={"kind": "note"}, headers=cookie | headers)
    assert answer.status_code == status


def test_two_cookies_of_the_name_are_none(clinic: Runtime) -> None:
    cookie = cookie_for(clinic.catalog, account_named(clinic.catalog, "patient"))["cookie"]
    client = client_of(clinic)
    assert client.get(P1, headers={"cookie": f"other=1; {cookie}"}).status_code == 200
    assert client.get(P1, headers={"cookie": f"{cookie}; necktrace-8765=x"}).status_code == 401


def test_what_was_written_names_who_wrote_it(clinic: Runtime, log_in: LogIn) -> None:
    carer = log_in("carer")
    made = carer.post(f"{P1}/annotations", json={"kind": "note", "text": "hello"}).json()
    assert made["author"] == "carer"
    entry = clinic.catalog.audit_log()[-1]
    assert entry[1:4] == ("carer", "annotation.add", "p1")


def test_the_trail(clinic: Runtime, log_in: LogIn) -> None:
    before = len(clinic.catalog.audit_log())
    clinician = log_in("clinician")
    for _ in range(3):
        clinician.get(f"{P1}/minutes")
    clinician.get(f"{P1}/exports/days?format=csv")
    clinician.get(f"{P1}/exports/days?format=csv")
    clinician.get("/api/v1/patients/p2/days")
    new = [entry[1:4] for entry in clinic.catalog.audit_log()[before:]]
    assert new == [
        ("clinician", "read", "p1"),
        ("clinician", "export", "p1"),
        ("clinician", "export", "p1"),
        ("clinician", "refused", "p2"),
    ]
    page = log_in("admin").get("/api/v1/audit", params={"limit": 3}).json()
    assert [item["action"] for item in page["items"]] == ["read", "refused", "export"]
    assert page["items"][0]["detail"] == {"route": "/api/v1/audit"}
    following = log_in("admin").get("/api/v1/audit", params={"cursor": page["next"]}).json()
    assert [item["action"] for item in following["items"][:2]] == ["export", "read"]


def test_the_audit_log_is_append_only(clinic: Runtime) -> None:
    clinic.catalog.audit("somebody", "something", "p1", {})
    for statement in (
        "DELETE FROM audit",
        "UPDATE audit SET actor = 'nobody'",
        "UPDATE audit SET subject = 'p2', detail = '{}'",
    ):
        with pytest.raises(Exception, match="append-only"):
            clinic.catalog.connection.execute(statement)
    clinic.catalog.connection.execute(
        "UPDATE audit SET subject = 'erased-0', detail = '{}' WHERE id = 1"
    )
