"""Through the trusted proxy, and through nothing else."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.access.arrival import TrustedProxy, plain_address, resolve
from api.access.exposure import check_exposure
from api.access.passwords import hash_password
from api.errors import AddressError, SettingsError
from api.http.app import create_app
from api.runtime import Runtime
from api.settings import load_settings
from storage.access import add_account
from tests.unit.api.access.conftest import client_of, runtime_on

pytestmark = pytest.mark.slow

PROXY = "10.1.2.3"
NAME = "posture.clinic.example"
GOOD = {"host": NAME, "x-forwarded-proto": "https", "x-forwarded-for": "203.0.113.9"}


@pytest.fixture
def behind(home: Runtime) -> Iterator[Runtime]:
    yield from runtime_on(
        home.settings.data_dir, host="0.0.0.0", trusted_proxy=PROXY, public_name=NAME
    )


@pytest.fixture
def proxied(behind: Runtime) -> TestClient:
    add_account(
        behind.catalog, "ada", "admin", hash_password("correct horse battery"), actor="test"
    )
    return TestClient(
        create_app(behind),
        base_url=f"https://{NAME}",
        client=(PROXY, 40000),
        follow_redirects=False,
    )


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (GOOD, 401),
        (GOOD | {"host": f"{NAME}:443"}, 401),
        (GOOD | {"host": NAME.upper()}, 401),
        (GOOD | {"origin": f"https://{NAME}"}, 401),
        (GOOD | {"host": "127.0.0.1:8765"}, 403),
        (GOOD | {"host": "evil.example"}, 403),
        (GOOD | {"x-forwarded-proto": "http"}, 403),
        (GOOD | {"x-forwarded-proto": "https, http"}, 403),
        (GOOD | {"origin": f"http://{NAME}"}, 403),
        (GOOD | {"origin": "https://evil.example"}, 403),
        ({"host": NAME}, 403),
    ],
)
def test_what_the_proxy_must_say(proxied: TestClient, headers: dict[str, str], status: int) -> None:
    """401 is the door: it came through, and nobody is logged in."""
    assert proxied.get("/api/v1/patients", headers=headers).status_code == status


def test_nobody_else_can_say_it(proxied: TestClient) -> None:
    for address in ("10.1.2.4", "203.0.113.9", "127.0.0.1"):
        far = TestClient(proxied.app, base_url=f"https://{NAME}", client=(address, 1))
        assert far.get("/api/v1/patients", headers=GOOD).status_code == 403
        assert far.get("/healthz", headers=GOOD).json() == {"status": "ok"}


def test_logging_in_through_it(proxied: TestClient, behind: Runtime) -> None:
    form = {"name": "ada", "password": "correct horse battery"}
    answer = proxied.post("/login", data=form, headers=GOOD | {"origin": f"https://{NAME}"})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-necktrace=")
    assert "Secure" in cookie
    assert "Path=/" in cookie
    assert "domain" not in cookie.lower()
    proxied.cookies.clear()
    secret = cookie.split(";")[0]
    assert proxied.get("/api/v1/users", headers=GOOD | {"cookie": secret}).status_code == 200
    assert behind.catalog.audit_log()[-2][4] == {"from": "203.0.113.9"}


def test_with_a_proxy_nobody_is_the_owner(behind: Runtime) -> None:
    """A proxy set up wrongly could make far requests look near."""
    near = client_of(behind)
    assert near.get("/api/v1/patients").status_code == 401


def test_a_name_is_resolved_again_and_outlives_a_failure() -> None:
    answers = [frozenset({"10.0.0.1"}), frozenset({"10.0.0.2"}), frozenset()]
    proxy = TrustedProxy("proxy", NAME, resolve=lambda _name: answers.pop(0))
    scope: dict[str, Any] = {
        "client": ("10.0.0.1", 1),
        "headers": [(b"host", NAME.encode()), (b"x-forwarded-proto", b"https")],
    }
    assert proxy.refusal(scope) is None
    assert proxy.refusal(scope) is None, "not asked again at once"
    assert len(answers) == 2
    proxy._at_s = float("-inf")
    assert proxy.refusal(scope) is not None
    proxy._at_s = float("-inf")
    scope["client"] = ("::ffff:10.0.0.2", 1)
    assert proxy.refusal(scope) is None, "what is known stays where the name server fails"


def test_addresses_in_one_spelling() -> None:
    assert plain_address("::ffff:10.0.0.2") == "10.0.0.2"
    assert plain_address("fe80::1%eth0") == "fe80::1"
    assert plain_address("proxy") == "proxy"
    assert "127.0.0.1" in resolve("127.0.0.1")
    assert resolve("name.invalid") == frozenset()


@pytest.mark.parametrize(
    "options",
    [
        {"host": "0.0.0.0"},
        {"host": "192.168.1.5"},
        {"trusted_proxy": "proxy"},
        {"public_name": NAME},
        {"host": "0.0.0.0", "trusted_proxy": "proxy"},
        {"trusted_proxy": "proxy", "public_name": "https://x/"},
    ],
)
def test_settings_that_would_let_others_in_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=r"trusted_proxy|public_name"):
        load_settings(**options)


def test_serving_others_needs_a_user_first(behind: Runtime, home: Runtime, tmp_path: Path) -> None:
    check_exposure(home.settings, home.catalog)
    with pytest.raises(AddressError, match="necktrace user add"):
        check_exposure(behind.settings, behind.catalog)
    add_account(behind.catalog, "ada", "admin", "", actor="test")
    check_exposure(behind.settings, behind.catalog)
