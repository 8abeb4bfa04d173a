"""A data folder with two patients, somebody of every role, and clients that are logged in."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.access.principals import LOGIN_LIFETIME_NS
from api.access.rights import ROLES
from api.http.app import create_app
from api.runtime import Runtime
from api.settings import Settings
from storage.access import Account, account_named, add_account, add_grant
from storage.catalog import Catalog, Patient
from storage.credentials import add_token, start_login
from storage.embedded import EmbeddedStore
from storage.record.reader import RecordReader

BASE = "http://127.0.0.1:8765"
ORIGIN = {"origin": BASE}


def until(days: float = 1.0) -> int:
    return time.time_ns() + int(days * 86_400e9)


def set_up(catalog: Catalog) -> None:
    """Patients p1 and p2; for each role one person with p1, and one with nobody."""
    catalog.save_patient(Patient("p2", "Alex", "Europe/Berlin"))
    for role in ROLES:
        person = add_account(catalog, role, role, "", actor="test")
        add_grant(catalog, person, "p1", identified=False, expires_ns=until(), actor="test")
        add_account(catalog, f"{role}-alone", role, "", actor="test")


def runtime_on(folder: Path, **settings: object) -> Iterator[Runtime]:
    results = EmbeddedStore(folder)
    given = {"data_dir": folder, "zone": "Europe/Berlin", "port": 8765} | settings
    with RecordReader(folder) as record, Catalog(folder) as catalog:
        yield Runtime(
            settings=Settings(**given),  # type: ignore[arg-type]  # checked by pydantic
            mode="serve",
            record=record,
            results=results,
            catalog=catalog,
            port=8765,
        )
    results.close()


@pytest.fixture
def home(folder: Path, tmp_path: Path) -> Iterator[Runtime]:
    """The folder without any user."""
    yield from runtime_on(Path(shutil.copytree(folder, tmp_path / "home")))


@pytest.fixture(scope="module")
def clinic(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """The folder with two patients and people of every role."""
    copy = Path(shutil.copytree(folder, tmp_path_factory.mktemp("clinic") / "record"))
    with Catalog(copy) as catalog:
        set_up(catalog)
    yield from runtime_on(copy)


def client_of(runtime: Runtime) -> TestClient:
    return client_on(create_app(runtime))


def client_on(app: FastAPI) -> TestClient:
    return TestClient(
        app,
        base_url=BASE,
        raise_server_exceptions=False,
        follow_redirects=False,
    )


def cookie_for(catalog: Catalog, account: Account) -> dict[str, str]:
    secret = start_login(catalog, account.id, LOGIN_LIFETIME_NS)
    return {"cookie": f"necktrace-8765={secret}"}


LogIn = Callable[[str], TestClient]


@pytest.fixture(scope="module")
def log_in(clinic: Runtime) -> LogIn:
    """Return a client whose browser has logged in as somebody."""
    app = create_app(clinic)  # one for all: building it costs as much as a hundred requests

    def build(name: str) -> TestClient:
        client = client_on(app)
        account = account_named(clinic.catalog, name)
        client.headers.update(cookie_for(clinic.catalog, account) | ORIGIN)
        return client

    return build


MakeToken = Callable[..., dict[str, str]]


@pytest.fixture
def token(clinic: Runtime) -> MakeToken:
    """Return the header of a new token."""

    def build(
        *scopes: str,
        patients: tuple[str, ...] = ("p1",),
        user: str | None = None,
        days: float = 1.0,
        blind: bool = False,
    ) -> dict[str, str]:
        account = None if user is None else account_named(clinic.catalog, user).id
        _, secret = add_token(
            clinic.catalog,
            "test",
            scopes=scopes,
            patients=patients,
            expires_ns=until(days),
            account=account,
            blind=blind,
            actor="test",
        )
        return {"authorization": f"Bearer {secret}"}

    return build
