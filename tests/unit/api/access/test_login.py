"""Passwords, cookies, and what happens when it keeps going wrong."""

import logging
import time

import pytest
from fastapi.testclient import TestClient

from api.access.login import FREE_TRIES, LONGEST_WAIT_S, safe_target, waiting_s
from api.access.passwords import PasswordError, check_password, hash_password
from api.runtime import Runtime
from storage.access import account_named, add_account, add_grant, set_disabled
from tests.unit.api.access.conftest import ORIGIN, client_of

pytestmark = pytest.mark.slow

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def hashed() -> str:
    """The password, hashed once: it takes a sixth of a second, on purpose."""
    return hash_password(PASSWORD)


@pytest.fixture
def browser(home: Runtime, hashed: str) -> TestClient:
    ada = add_account(home.catalog, "ada", "clinician", hashed, actor="test")
    add_grant(home.catalog, ada, "p1", identified=False, expires_ns=None, actor="test")
    client = client_of(home)
    client.headers.update(ORIGIN)
    return client


def form(name: str = "ada", password: str = PASSWORD, target: str = "/") -> dict[str, str]:
    return {"name": name, "password": password, "next": target}


def test_log_in_look_and_log_out(browser: TestClient) -> None:
    assert "Log in" in browser.get("/login").text
    answer = browser.post("/login", data=form(name=" ADA ", target="/history"))
    assert (answer.status_code, answer.headers["location"]) == (303, "/history")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "secure" not in cookie, "on this computer there is no TLS"
    assert browser.get("/").status_code == 200
    assert "ada" in browser.get("/account").text
    old = dict(browser.cookies)
    assert browser.post("/logout").headers["location"] == "/login"
    browser.cookies.update(old)
    assert browser.get("/api/v1/patients/p1").status_code == 401, "the cookie is worth nothing now"


@pytest.mark.parametrize(("name", "password"), [("ada", "wrong"), ("nobody", PASSWORD), ("", "")])
def test_wrong_ones_are_told_alike(browser: TestClient, name: str, password: str) -> None:
    answer = browser.post("/login", data=form(name, password))
    assert answer.status_code in {401, 422}
    if name:
        assert "The name or the password is wrong." in answer.text
    assert "set-cookie" not in answer.headers


def test_a_disabled_person_cannot_log_in(browser: TestClient, home: Runtime) -> None:
    ada = account_named(home.catalog, "ada")
    set_disabled(home.catalog, ada, time.time_ns(), actor="test")
    assert browser.post("/login", data=form()).status_code == 401


def test_too_many_tries_must_wait_even_with_the_right_password(browser: TestClient) -> None:
    for _ in range(FREE_TRIES):
        assert browser.post("/login", data=form(password="wrong")).status_code == 401
    answer = browser.post("/login", data=form())
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    time.sleep(1.1)
    assert browser.post("/login", data=form()).status_code == 303


def test_the_wait_doubles_and_has_an_end() -> None:
    now = 10**18
    assert waiting_s(FREE_TRIES - 1, now, now) == 0
    assert [waiting_s(FREE_TRIES + k, now, now) for k in range(4)] == [1, 2, 4, 8]
    assert waiting_s(500, now, now) == LONGEST_WAIT_S
    assert waiting_s(500, now, now + LONGEST_WAIT_S * 10**9) == 0


@pytest.mark.parametrize(
    ("wanted", "target"),
    [
        ("/history", "/history"),
        ("/history?x=1", "/history?x=1"),
        ("https://evil.example", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/a\r\nset-cookie: x", "/"),
        ("", "/"),
    ],
)
def test_after_logging_in_one_stays_here(wanted: str, target: str) -> None:
    assert safe_target(wanted) == target


def test_passwords_are_hashed_slowly_and_salted() -> None:
    first, second = hash_password(PASSWORD), hash_password(PASSWORD)
    assert first.startswith("$argon2id$")
    assert first != second
    assert check_password(first, PASSWORD)
    assert not check_password(first, PASSWORD + " ")
    assert not check_password(None, PASSWORD)
    assert not check_password("", PASSWORD)
    for bad in ("short", "x" * 257):
        with pytest.raises(PasswordError, match="characters"):
            hash_password(bad)


def test_tokens_are_made_shown_once_and_revoked(browser: TestClient, home: Runtime) -> None:
    browser.post("/login", data=form())
    page = browser.post(
        "/account/tokens",
        data={"label": "notebook", "days": "30", "scope": ["read:summary", "read:raw"]},
    )
    secret = page.text.partition("<code>ntk_")[2].partition("<")[0]
    assert len(secret) == 43
    bearer = {"authorization": f"Bearer ntk_{secret}"}
    program = client_of(home)
    assert program.get("/api/v1/patients/p1/streams", headers=bearer).status_code == 200
    again = browser.get("/account").text
    assert "notebook" in again
    assert secret not in again
    token_id = again.partition("/account/tokens/")[2].partition("/")[0]
    assert browser.post(f"/account/tokens/{token_id}/revoke").status_code == 303
    assert program.get("/api/v1/patients/p1/streams", headers=bearer).status_code == 401
    more = {"label": "x", "days": "1", "scope": ["admin"]}
    assert browser.post("/account/tokens", data=more).status_code == 403
    assert browser.post("/account/tokens", data={"label": "x", "days": "1"}).status_code == 422
    assert browser.post("/account/tokens/other/revoke").status_code == 404


def test_a_new_password_ends_every_login(browser: TestClient) -> None:
    browser.post("/login", data=form())
    new = "another long password"
    wrong = browser.post("/account/password", data={"old": "no", "new": new})
    assert wrong.status_code == 403
    short = browser.post("/account/password", data={"old": PASSWORD, "new": "short"})
    assert short.status_code == 422
    done = browser.post("/account/password", data={"old": PASSWORD, "new": new})
    assert done.status_code == 303
    assert browser.get("/api/v1/patients").status_code == 401
    assert browser.post("/login", data=form(password=new)).status_code == 303


def test_secrets_are_in_no_log_and_not_in_the_folder(
    browser: TestClient, home: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    browser.post("/login", data=form(password="typed wrongly 1"))
    browser.post("/login", data=form(name="typed in the wrong field"))
    cookie = browser.post("/login", data=form()).headers["set-cookie"].split("=")[1].split(";")[0]
    page = browser.post(
        "/account/tokens", data={"label": "n", "days": "1", "scope": "read:summary"}
    )
    secret = "ntk_" + page.text.partition("<code>ntk_")[2].partition("<")[0]
    client_of(home).get("/api/v1/patients/p1", headers={"authorization": f"Bearer {secret}"})
    client_of(home).get("/api/v1/patients/p1", headers={"authorization": f"Bearer {secret}x"})
    assert "login failed" in caplog.text
    logged = caplog.text + "".join(str(vars(record)) for record in caplog.records)
    kept = b"".join(path.read_bytes() for path in home.settings.data_dir.glob("posture.db*"))
    for hidden in (PASSWORD, "typed wrongly", "typed in the wrong", cookie, secret, secret[4:]):
        assert hidden not in logged
        assert hidden.encode() not in kept
