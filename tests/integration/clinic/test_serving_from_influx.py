"""With InfluxDB configured the API serves from it, and nothing above the store knows."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from fastapi.testclient import TestClient
from pydantic import SecretStr

from api.errors import SettingsError
from api.http.app import create_app
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
from storage.result_rows import MINUTE_NS, SECOND_NS, ResultBatch
from storage.results import ResultStore
from tests.support.influx import InfluxServer, NoServerError, drop_buckets, running_server
from tests.support.results import ALGO, T0_NS, episode, seconds

pytestmark = pytest.mark.influx


@dataclass(frozen=True)
class Minute:
    """What the dashboard shows of a minute."""

    t_ns: int
    rotation_p50_deg: float
    deviation_p50_deg: float
    worn_s: float


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


COMPOSE = Path(__file__).parents[3] / "docker-compose.yml"


def dashboard() -> dict[str, Any]:
    """Return the dashboard as Grafana gets it: compose takes two dollars for one."""
    content = yaml.safe_load(COMPOSE.read_text())["configs"]["grafana-dashboard"]["content"]
    found: dict[str, Any] = json.loads(content.replace("$$", "$"))
    return found


def ask(influx: InfluxSettings, query: str) -> list[dict[str, Any]]:
    """Ask as the provisioned data source does: InfluxQL on /query, the token in a header."""
    answer = httpx.get(
        f"{influx.url}/query",
        params={"db": influx.bucket("posture"), "q": query, "epoch": "ms"},
        headers={"Authorization": f"Token {influx.token}"},
    )
    (result,) = answer.json()["results"]
    assert "error" not in result, (query, result)
    series: list[dict[str, Any]] = result.get("series", [])
    return series


def test_every_query_of_the_grafana_dashboard_gives_what_is_stored(
    tmp_path: Path, influx: InfluxSettings
) -> None:
    minutes = [
        Minute(T0_NS + k * MINUTE_NS, rotation_p50_deg=20.0 + k, deviation_p50_deg=9.0, worn_s=60.0)
        for k in range(10)
    ]
    store = InfluxStore(tmp_path, influx)
    # another patient, and an older version of the same one, must not be mixed in
    for patient, algo in (("p1", ALGO), ("p2", ALGO), ("p1", f"{ALGO}.2")):
        store.put(
            ResultBatch(patient, algo, minutes=minutes, episodes=[episode(1.0), episode(2.0)])
        )
    assert store.drain(30.0)
    store.close()
    board = dashboard()
    variables = {item["name"]: item["query"] for item in board["templating"]["list"]}
    patients = ask(influx, variables["patient"])[0]["values"]
    assert patients == [["patient", "p1"], ["patient", "p2"]]
    versions = ask(influx, variables["algo"].replace("$patient", "p1"))[0]["values"]
    assert [value for _, value in versions] == [ALGO, f"{ALGO}.2"]
    values = {
        "$patient": "p1",
        "$algo": f"{ALGO}.2",
        "$timeFilter": f"time >= {T0_NS} AND time < {T0_NS + 3600 * SECOND_NS}",
        "$__interval": "1h",
    }
    found = {}
    for panel in board["panels"]:
        for target in panel["targets"]:
            query = target["query"]
            for name, value in values.items():
                query = query.replace(name, value)
            assert "$" not in query.replace("$/", ""), query
            found[panel["title"]] = [
                row[1] for series in ask(influx, query) for row in series["values"] if row[1]
            ]
    assert found == {
        "Rotation, median of the minute (right is positive)": [24.5],
        "Worn seconds per minute": [60.0],
        "Deviation from neutral, median of the minute": [9.0],
        "Candidate episodes per hour, by kind": [2],
    }
