"""What is damaged is in no file, and every way to take files away says so."""

import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from api.http.app import create_app
from api.routes.exports import MISSING
from api.runtime import Runtime
from processing.synthesis import PatientSpec, simulate
from storage.catalog import Catalog, Patient
from tests.support.worn_record import PATIENT, ZONE, write_samples
from tests.unit.api.access.conftest import runtime_on
from tests.unit.api.web.test_catalogue import bracketed, outside

__all__ = ["bracketed"]

P = f"/api/v1/patients/{PATIENT}"
LOST = 400 * 104 - 300 * 104
"""Samples of the second segment of the head."""


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("broken") / "data"
    with Catalog(folder) as catalog:
        catalog.save_patient(Patient(PATIENT, "", ZONE))
    write_samples(folder, simulate(PatientSpec(), 1, 400.0, truth=False))
    (second,) = (folder / "raw").glob("*/stream=head-*/*/31200.parquet")
    whole = second.read_bytes()
    second.write_bytes(whole[:500] + bytes(100) + whole[600:])
    return folder


@pytest.fixture
def runtime(broken: Path, tmp_path: Path) -> Iterator[Runtime]:
    yield from runtime_on(Path(shutil.copytree(broken, tmp_path / "data")))


@pytest.fixture
def client(runtime: Runtime) -> Iterator[TestClient]:
    with TestClient(
        create_app(runtime), base_url="http://127.0.0.1:8765", raise_server_exceptions=False
    ) as session:
        yield session


def test_a_file_of_samples_says_what_was_known_when_it_began(client: TestClient) -> None:
    first = client.get(f"{P}/raw/head")
    assert MISSING not in first.headers, "found only now"
    assert client.get(f"{P}/raw/trunk").headers.get(MISSING) is None
    for path in ("/raw/head", "/streams/1/export"):
        again = client.get(P + path)
        assert again.headers[MISSING] == str(LOST)
        table = pq.read_table(io.BytesIO(again.content))
        assert json.loads(table.schema.metadata[b"necktrace"])["missing_samples"] == LOST
        assert table.num_rows == 300 * 104
    early = client.get(f"{P}/raw/head", params={"to": "2026-09-21T14:17:00Z"})
    assert MISSING not in early.headers


def test_an_archive_says_what_was_found_on_the_way(client: TestClient) -> None:
    found = client.get(f"{P}/bids")
    assert MISSING not in found.headers
    archive = zipfile.ZipFile(io.BytesIO(found.content))
    assert f"Not in it: {LOST} samples of the head sensor" in archive.read("README").decode()
    assert client.get(f"{P}/bids").headers[MISSING] == str(LOST)


def test_the_archive_of_everything_names_the_segment(client: TestClient) -> None:
    archive = zipfile.ZipFile(io.BytesIO(client.get(f"{P}/everything").content))
    (named,) = json.loads(archive.read("missing.json"))
    assert named["samples"] == LOST
    assert named["path"].endswith("/31200.parquet")
    assert "sha256" in named["reason"]
    assert client.get(f"{P}/everything").headers[MISSING] == str(LOST)


def test_list_and_page_say_it_once_it_is_known(client: TestClient) -> None:
    assert client.get(f"{P}/exports").json()["missing"] == []
    assert "is damaged" not in client.get("/data").text
    client.get(f"{P}/raw/head")
    (missing,) = client.get(f"{P}/exports").json()["missing"]
    assert (missing["role"], missing["kind"], missing["samples"]) == ("head", "imu", LOST)
    assert "2026-09-21T" in missing["from_utc"] < missing["to_utc"]
    page = unescape(client.get("/data").text)
    assert "is damaged" in page
    assert f"Head sensor: {LOST:,} samples, between Mon 21 Sep 2026, " in page


@pytest.mark.usefixtures("bracketed")
def test_the_page_takes_its_words_from_the_catalogue(client: TestClient) -> None:
    client.get(f"{P}/raw/head")
    assert outside(client, "/data") == []


def test_what_is_whole_lacks_nothing(client: TestClient) -> None:
    found = client.get(f"{P}/exports/days", params={"format": "csv"})
    assert found.status_code == 200
    assert MISSING not in found.headers
    archive = zipfile.ZipFile(
        io.BytesIO(client.get(f"{P}/bids", params={"to": "2026-09-21T14:17:00Z"}).content)
    )
    assert "Not in it" not in archive.read("README").decode()
