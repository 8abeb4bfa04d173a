"""Who may begin anew where the person before was deleted."""

import asyncio
import dataclasses
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.http.app import create_app
from api.runtime import Runtime
from api.settings import Settings
from storage.access import account_by_id, add_account, all_grants
from storage.catalog import Catalog, Patient
from storage.embedded import EmbeddedStore
from storage.erasure import erase_patient
from storage.record.reader import RecordReader
from tests.unit.api.access.conftest import BASE, ORIGIN, cookie_for

HTML = {"accept": "text/html"}


@pytest.fixture
def emptied(tmp_path: Path) -> Iterator[Runtime]:
    """`necktrace up` after its person was deleted."""
    desk: Any = object()
    with (
        closing(EmbeddedStore(tmp_path)) as results,
        RecordReader(tmp_path) as record,
        Catalog(tmp_path) as catalog,
    ):
        catalog.save_patient(Patient("p1", "Sam", "UTC"))
        erase_patient(tmp_path, "p1", actor="owner", results=results)
        yield Runtime(
            settings=Settings(data_dir=tmp_path, port=8765),
            mode="up",
            record=record,
            results=results,
            catalog=catalog,
            anew=asyncio.Event(),
            desk=desk,
            port=8765,
        )


@pytest.fixture
def client(emptied: Runtime) -> TestClient:
    return TestClient(create_app(emptied), base_url=BASE, follow_redirects=False)


@pytest.mark.parametrize("role", ["carer", "clinician", "researcher", "admin"])
def test_nobody_makes_themselves_the_reader_of_a_new_person(
    emptied: Runtime, client: TestClient, role: Any
) -> None:
    account = add_account(emptied.catalog, "kim", role, "x", actor="test")
    headers = cookie_for(emptied.catalog, account) | ORIGIN | HTML
    assert client.post("/setup/anew", headers=headers).status_code == 403
    assert emptied.catalog.patients() == []


def test_a_patient_logs_in_begins_and_sees_the_new_one(
    emptied: Runtime, client: TestClient
) -> None:
    account = add_account(emptied.catalog, "me", "patient", "x", actor="test")
    headers = cookie_for(emptied.catalog, account) | ORIGIN | HTML
    page = client.get("/account", headers=headers)
    assert "/setup/anew" in page.text
    assert client.post("/setup/anew", headers=headers).headers["location"] == "/setup"
    assert emptied.anew is not None
    assert emptied.anew.is_set()
    (grant,) = [each for each in all_grants(emptied.catalog) if each.holds(0)]
    person = account_by_id(emptied.catalog, grant.account)
    assert person is not None
    assert (person.name, grant.identified) == ("me", True)
    assert client.post("/setup/anew", headers=headers).status_code == 409


def test_what_only_serves_does_not_offer_it(emptied: Runtime) -> None:
    served = dataclasses.replace(emptied, mode="serve", anew=None, desk=None)
    client = TestClient(create_app(served), base_url=BASE, follow_redirects=False)
    assert "/setup/anew" not in client.get("/", headers=HTML).text
    assert client.post("/setup/anew", headers=ORIGIN).status_code == 409
