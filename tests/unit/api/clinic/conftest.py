"""Months of made-up results with a known course, for the clinician's pages."""

import shutil
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from fastapi.testclient import TestClient

from api.http.app import create_app
from api.runtime import Runtime
from api.settings import Settings
from storage.catalog import Catalog
from storage.embedded import EmbeddedStore
from storage.record import RecordReader
from tests.support.clinic_folder import ZONE, fill


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, date]:
    folder = tmp_path_factory.mktemp("clinic") / "data"
    today = datetime.now(ZoneInfo(ZONE)).date()
    fill(folder, today)
    fill(
        folder, today, patient="p2", label="Robin", injected_ago=(40,), poor_h=5.0, n_id_from=20,
        minutes_days=0, slipped_ago=(9, 2),
    )  # fmt: skip
    silent = date.fromordinal(today.toordinal() - 6)
    fill(folder, silent, patient="p3", label="Kim", days=30, injected_ago=(), minutes_days=0)
    return folder, today


@pytest.fixture(autouse=True)
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Whose results a process would be started for; that has tests of its own."""
    found: list[str] = []
    monkeypatch.setattr(
        "api.forwarding.rework.start", lambda _settings, _catalog, patient: found.append(patient)
    )
    return found


@pytest.fixture
def runtime(made: tuple[Path, date], tmp_path: Path) -> Iterator[Runtime]:
    folder = tmp_path / "data"
    shutil.copytree(made[0], folder)
    results = EmbeddedStore(folder)
    with RecordReader(folder) as record, Catalog(folder) as catalog:
        yield Runtime(
            settings=Settings(data_dir=folder, zone=ZONE, port=8765),
            mode="serve",
            record=record,
            results=results,
            catalog=catalog,
            port=8765,
        )
    results.close()


@pytest.fixture
def client(runtime: Runtime) -> Iterator[TestClient]:
    with TestClient(
        create_app(runtime), base_url="http://127.0.0.1:8765", raise_server_exceptions=False
    ) as session:
        yield session
