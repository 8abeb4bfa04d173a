"""`--lan`: TLS and a login for other devices, and never one without the other.

The address in the house is played by 127.0.0.2, which is another one than what the pages of this
computer are served on.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from api.access.certificate import LASTS, Certificate, ensure_certificate
from api.errors import AddressError
from api.http.server import bind, serving
from api.hub import lan as lan_module
from api.hub.lan import FIRST_USER, Lan, ensure_user, invitation, lan_address, open_lan
from api.runtime import Runtime
from api.settings import Settings, load_settings
from storage.access import accounts, grants_of
from storage.catalog import Patient
from storage.credentials import add_token
from tests.unit.api.access.conftest import runtime_on, until
from tests.unit.api.conftest import fill

pytestmark = pytest.mark.slow

HOUSE = "127.0.0.2"
PATIENT = Patient("p1", "Sam", "Europe/Berlin")


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    fill(tmp_path)
    yield from runtime_on(tmp_path, port=0, lan_port=0, lan_address=HOUSE)


def password_of(runtime: Runtime) -> str:
    said: list[str] = []
    ensure_user(runtime.catalog, PATIENT, said.append, on_terminal=True)
    (line,) = [line for line in said[0].splitlines() if line.strip().startswith("password")]
    return line.split()[1]


@asynccontextmanager
async def served(runtime: Runtime) -> AsyncIterator[Lan]:
    async with serving(runtime, bind(runtime.settings), lan=True):
        assert runtime.lan is not None
        yield runtime.lan


def trusting(lan: Lan, **headers: str) -> httpx.AsyncClient:
    context = ssl.create_default_context(cafile=str(lan.certificate.authority_file))
    return httpx.AsyncClient(base_url=lan.url, verify=context, headers=headers)


async def test_a_phone_logs_in_over_tls(runtime: Runtime) -> None:
    password = password_of(runtime)
    async with served(runtime) as lan, trusting(lan, origin=lan.url.rstrip("/")) as phone:
        assert lan.url.startswith(f"https://{HOUSE}:")
        assert (await phone.get("/api/v1/patients")).status_code == 401
        wrong = await phone.post("/login", data={"name": FIRST_USER, "password": "guessed it"})
        assert wrong.status_code == 401
        answer = await phone.post("/login", data={"name": FIRST_USER, "password": password})
        assert answer.status_code == 303
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-necktrace=")
        assert {"Secure", "HttpOnly", "SameSite=strict"} <= set(cookie.split("; "))
        items = (await phone.get("/api/v1/patients")).json()["items"]
        assert [item["id"] for item in items] == ["p1"]
        page = await phone.get("/account/phone")
        assert lan.certificate.fingerprint in page.text
        assert 'src="data:image/svg+xml' in page.text
        authority = await phone.get("/account/phone/authority.crt")
        assert authority.content == lan.certificate.authority_file.read_bytes()
        # the computer itself needs the login now, too
        here = f"http://127.0.0.1:{runtime.port}/api/v1/patients"
        async with httpx.AsyncClient() as local:
            assert (await local.get(here)).status_code == 401


async def test_only_by_its_own_address_and_only_with_tls(runtime: Runtime) -> None:
    password_of(runtime)
    _, secret = add_token(
        runtime.catalog, "t", scopes=["read:summary"], patients=["p1"], expires_ns=until(),
        account=None, blind=False, actor="test",
    )  # fmt: skip
    bearer = {"authorization": f"Bearer {secret}"}
    async with served(runtime) as lan, trusting(lan, **bearer) as phone:
        assert (await phone.get("/api/v1/patients")).status_code == 200
        for headers in (
            {"host": "evil.example"},
            {"host": f"{HOUSE}:1"},
            {"origin": "https://evil.example"},
            {"origin": lan.url.replace("https", "http").rstrip("/")},
            {"x-forwarded-for": "127.0.0.1"},
            {"forwarded": "for=127.0.0.1"},
        ):
            answer = await phone.get("/api/v1/patients", headers=headers)
            assert answer.status_code == 403, headers
        async with httpx.AsyncClient(headers=bearer) as plain:
            with pytest.raises(httpx.TransportError):
                await plain.get(lan.url.replace("https", "http"))
            with pytest.raises(httpx.ConnectError):  # no authority, no trust
                await plain.get(lan.url)
            with pytest.raises(httpx.ConnectError):  # what is open here is not open there
                await plain.get(f"http://{HOUSE}:{runtime.port}/healthz")


async def test_nothing_opens_without_a_user(runtime: Runtime) -> None:
    with bind(runtime.settings) as listener, pytest.raises(AddressError, match="log in"):
        async with serving(runtime, listener, lan=True):
            pass
    with pytest.raises(AddressError, match="necktrace user add"):
        ensure_user(runtime.catalog, PATIENT, print, on_terminal=False)
    assert accounts(runtime.catalog) == []


def test_the_first_user_is_the_patient_and_is_made_once(
    runtime: Runtime, capsys: pytest.CaptureFixture[str]
) -> None:
    password = password_of(runtime)
    (account,) = accounts(runtime.catalog)
    assert (account.name, account.role) == (FIRST_USER, "patient")
    assert password not in account.password
    assert [grant.patient for grant in grants_of(runtime.catalog, account.id)] == ["p1"]
    said: list[str] = []
    ensure_user(runtime.catalog, PATIENT, said.append, on_terminal=False)
    assert said == []
    held = b"".join(
        path.read_bytes() for path in runtime.settings.data_dir.rglob("*") if path.is_file()
    )
    assert password.encode() not in held, "a password is kept nowhere"
    assert capsys.readouterr() == ("", "")


def test_addresses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def asked(address: str) -> str:
        return lan_address(Settings(data_dir=tmp_path, lan_address=address))

    assert asked("192.168.1.7") == "192.168.1.7"
    for public in ("8.8.8.8", "0.0.0.0", "2001:db8::1"):
        with pytest.raises(AddressError, match="proxy"):
            asked(public)
    monkeypatch.setattr(lan_module, "_own_address", lambda: "")
    with pytest.raises(AddressError, match="lan_address"):
        asked("")
    with pytest.raises(AddressError, match="cannot be used"):
        # TEST-NET is no address of this computer
        monkeypatch.setattr(lan_module, "is_private", lambda _: True)
        settings = load_settings(data_dir=tmp_path, lan_address="192.0.2.77")
        monkeypatch.setattr(lan_module, "has_accounts", lambda _: True)
        open_lan(settings, None)  # type: ignore[arg-type]  # not asked any more


async def test_a_renewed_certificate_is_used_without_a_new_start(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    password_of(runtime)
    soon = datetime.now(UTC) - LASTS + timedelta(days=29)
    old = ensure_certificate(runtime.settings.data_dir, [HOUSE], soon)
    monkeypatch.setattr(lan_module, "LOOK_EVERY_S", 0.01)
    # the first look finds one that was made when it was still good for long
    made = [old]

    def ensure(folder: Path, addresses: list[str]) -> Certificate:
        return made.pop() if made else ensure_certificate(folder, addresses)

    monkeypatch.setattr(lan_module, "ensure_certificate", ensure)
    async with served(runtime) as lan:
        for _ in range(500):
            if runtime.lan is not None and runtime.lan.certificate != old:
                break
            await asyncio.sleep(0.01)
        assert runtime.lan is not None
        assert runtime.lan.certificate.fingerprint != old.fingerprint
        served_now = await asyncio.to_thread(ssl.get_server_certificate, (HOUSE, lan.port))
        assert served_now.encode().strip() == old.cert_file.read_bytes().strip()


def test_the_invitation_has_all_that_a_person_needs(tmp_path: Path) -> None:
    made = Lan("192.168.1.7", 8443, ensure_certificate(tmp_path, ["192.168.1.7"]))
    text = invitation(made)
    assert "https://192.168.1.7:8443/" in text
    assert made.certificate.fingerprint in text
    assert "█" in text
    assert made.hosts == {"192.168.1.7:8443", f"{made.certificate.names[1]}:8443"}
