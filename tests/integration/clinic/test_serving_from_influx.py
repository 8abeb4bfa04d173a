"""With InfluxDB configured the API serves from it, and nothing above the store knows."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from api.app import create_app
from api.errors import SettingsError
from api.runtime import Runtime
from api.settings import Settings
from api.stores import open_results
from storage.catalog import Catalog, Patient
from storage.embedded import EmbeddedStore
from storage.errors import ResultStoreError
from storage.influx import InfluxConnection, InfluxSettings
from storage.influx_store import InfluxStore
from storage.record.reader import RecordReader
from storage.record.writer import RecordWriter
from storage.results import ResultBatch, ResultStore
from tests.support.influx import InfluxServer, NoServerError, drop_buckets, running_server
from tests.support.results import ALGO, episode, seconds

pytestmark = pytest.mark.influx

RANGE = {"from": "2023-11-14T22:00:00Z", "to": "2023-11-14T23:30:00Z"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    try:
        with running_server(tmp_path_factory.mktemp("influxd")) as running:
            yield running
    except NoServerError as reason:
        pytest.skip(str(reason))


@pytest.fixture
def influx(server: InfluxServer) -> Iterator[InfluxSettings]:
    settings = server.fresh()
    # the made-up results are older than the retention that we would create
    with closing(InfluxConnection(settings)) as connection:
        connection.prepare()
    yield settings
    drop_buckets(settings)


def settings_for(folder: Path, influx: InfluxSettings | None) -> Settings:
    if influx is None:
        return Settings(data_dir=folder, zone="UTC", port=8765)
    token = folder / "token"
    token.write_text(influx.token + "\n")
    return Settings(
        data_dir=folder,
        zone="UTC",
        port=8765,
        influx_url=influx.url,
        influx_org=influx.org,
        influx_token_file=token,
        influx_bucket_prefix=influx.bucket_prefix,
    )


def answers(folder: Path, settings: Settings) -> dict[str, Any]:
    """Fill a fresh folder's configured store and ask the API for everything in it."""
    with RecordWriter(folder), Catalog(folder) as catalog:
        catalog.save_patient(Patient("p1", "Sam", "UTC"))
    store: ResultStore = open_results(settings, sending=True)
    try:
        store.book.register("p1", ALGO, version="1", params_hash="0123abcd", params={})
        store.put(
            ResultBatch(
                "p1", ALGO, angles=seconds(0, 3000), episodes=[episode(10.0 * i) for i in range(20)]
            )
        )
        assert store.drain(30.0)
        with RecordReader(folder) as record, Catalog(folder) as catalog:
            app = create_app(Runtime(settings, "serve", record, store, catalog, port=8765))
            with TestClient(app, base_url="http://127.0.0.1:8765") as client:
                base = "/api/v1/patients/p1"
                found = {
                    "angles": client.get(f"{base}/angles", params=RANGE | {"max_points": 500}),
                    "episodes": client.get(f"{base}/episodes", params=RANGE),
                    "health": client.get("/api/v1/health"),
                }
                for name, answer in found.items():
                    assert answer.status_code == 200, (name, answer.text)
                return {name: answer.json() for name, answer in found.items()}
    finally:
        store.close()


def test_the_same_answers_from_both_stores(tmp_path: Path, influx: InfluxSettings) -> None:
    folders = {"embedded": tmp_path / "a", "influx": tmp_path / "b"}
    for folder in folders.values():
        folder.mkdir()
    embedded = answers(folders["embedded"], settings_for(folders["embedded"], None))
    served = answers(folders["influx"], settings_for(folders["influx"], influx))
    assert len(served["episodes"]["items"]) == 20
    assert served["episodes"] == embedded["episodes"]
    assert_close(served["angles"], embedded["angles"])
    assert served["health"]["delivery"]["backlog_points"] == 0


def assert_close(a: Any, b: Any) -> None:
    """Compare JSON values; numbers to a hundredth of a degree (line protocol's decimals)."""
    if isinstance(b, dict):
        assert a.keys() == b.keys()
        for key in b:
            assert_close(a[key], b[key])
    elif isinstance(b, list):
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            assert_close(one, other)
    elif isinstance(b, float):
        assert a == pytest.approx(b, abs=0.011)
    else:
        assert a == b


def test_the_store_is_chosen_by_the_settings(tmp_path: Path, influx: InfluxSettings) -> None:
    for settings, kind in (
        (settings_for(tmp_path, None), EmbeddedStore),
        (settings_for(tmp_path, influx), InfluxStore),
    ):
        store = open_results(settings, sending=False)
        assert isinstance(store, kind)
        store.close()


def test_a_wrong_token_says_what_to_do(tmp_path: Path, influx: InfluxSettings) -> None:
    wrong = settings_for(tmp_path, replace(influx, token="wrong"))
    with pytest.raises(ResultStoreError, match="token"):
        open_results(wrong, sending=False)


def test_no_token_and_unreadable_token_file(tmp_path: Path) -> None:
    bare = Settings(data_dir=tmp_path, influx_url="http://127.0.0.1:1")
    with pytest.raises(SettingsError, match="NECKTRACE_INFLUX_TOKEN_FILE"):
        open_results(bare, sending=False)
    missing = Settings(
        data_dir=tmp_path, influx_url="http://127.0.0.1:1", influx_token_file=tmp_path / "none"
    )
    with pytest.raises(SettingsError, match="cannot be read"):
        open_results(missing, sending=False)


def test_a_server_that_is_down_is_no_error(tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path, influx_url="http://127.0.0.1:1", influx_token=SecretStr("t")
    )
    store = open_results(settings, sending=False)
    try:
        store.put(ResultBatch("p1", ALGO, angles=seconds(0, 60)))
        assert store.delivery().backlog_points == 60
    finally:
        store.close()
