"""What the JSON routes answer: numbers, units, paging, nothing lost, nothing invented."""

import io
import json
import zipfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from api.http.gate import MAX_BODY_BYTES
from api.runtime import Runtime
from ingest.live import LiveHub
from storage.catalog import Catalog, Patient
from tests.unit.api.conftest import ALGO, T0, T0_NS

P = "/api/v1/patients/p1"
HOUR = {"from": "2026-11-20T08:00:00Z", "to": "2026-11-20T09:00:00Z"}


def test_patients(client: TestClient) -> None:
    items = client.get("/api/v1/patients").json()["items"]
    assert items == [{"id": "p1", "label": "Sam", "zone": "Europe/Berlin"}]
    assert client.get(P).json() == items[0]


def test_angles_keep_the_extremes_however_coarse(client: TestClient) -> None:
    for points in (600, 100, 10):
        body = client.get(f"{P}/angles", params={**HOUR, "max_points": points}).json()
        n = len(body["t_ms"])
        assert n <= points
        assert body["algo"] == ALGO
        assert max(body["columns"]["rotation_right_max_deg"]) == 61.0
        assert set(body["columns"]["rotation_right_deg"]) == {25.0}
        assert all(len(column) == n for column in body["columns"].values())
        assert all(b - a == 1000 * body["step_s"] for a, b in pairwise(body["t_ms"]))
        assert set(body["columns"]["flexion_deg"]) == {None}


def test_angles_resolution_and_fields(client: TestClient) -> None:
    body = client.get(
        f"{P}/angles", params={**HOUR, "resolution": "1min", "fields": "rotation_right_deg,valid"}
    ).json()
    assert body["step_s"] == 60
    assert set(body["columns"]) == {"rotation_right_deg", "valid"}
    assert len(body["t_ms"]) == 10
    assert body["t_ms"][0] == int(T0.timestamp()) * 1000


def test_angles_finer_than_a_second(client: TestClient) -> None:
    span = {"from": "2026-11-20T08:00:01Z", "to": "2026-11-20T08:00:03Z"}
    body = client.get(f"{P}/angles", params={**span, "resolution": "10ms"}).json()
    assert body["step_s"] == 0.01
    assert len(body["t_ms"]) == 200
    assert body["t_ms"][:2] == [
        1000 * int(T0.timestamp()) + 1000,
        1000 * int(T0.timestamp()) + 1010,
    ]
    assert body["columns"]["rotation_right_deg"][:3] == [10.0, 10.1, 10.2]
    coarse = client.get(
        f"{P}/angles", params={**span, "resolution": "10ms", "max_points": 20}
    ).json()
    assert coarse["step_s"] == 0.1
    assert coarse["columns"]["rotation_right_deg"][0] == pytest.approx(10.45)
    assert coarse["columns"]["rotation_right_min_deg"][0] == 10.0
    assert coarse["columns"]["rotation_right_max_deg"][0] == 10.9
    assert set(coarse["columns"]["valid"]) == {1.0}
    assert client.get(f"{P}/angles", params=span).json()["step_s"] == 1
    # Held at 1 Hz only: that is what is given out.
    later = {"from": "2026-11-20T08:01:00Z", "to": "2026-11-20T08:01:10Z"}
    body = client.get(f"{P}/angles", params={**later, "resolution": "100ms"}).json()
    assert (body["step_s"], len(body["t_ms"])) == (1, 10)


def test_angles_of_an_empty_range(client: TestClient) -> None:
    body = client.get(
        f"{P}/angles", params={"from": "2020-01-01T00:00:00Z", "to": "2020-01-02T00:00:00Z"}
    ).json()
    assert body["t_ms"] == []
    assert body["from_utc"] is None


def test_offset_in_parameters_is_honoured(client: TestClient) -> None:
    here = client.get(
        f"{P}/angles",
        params={"from": "2026-11-20T09:00:00+01:00", "to": "2026-11-20T10:00:00+01:00"},
    ).json()
    assert here["t_ms"] == client.get(f"{P}/angles", params=HOUR).json()["t_ms"]


@pytest.mark.parametrize("limit", [1, 7, 100])
def test_every_episode_once_whatever_the_page(client: TestClient, limit: int) -> None:
    starts: list[str] = []
    cursor: str | None = None
    for _ in range(60):
        params = {"limit": limit} | ({"cursor": cursor} if cursor else {})
        page = client.get(f"{P}/episodes", params=params).json()
        starts += [item["start_utc"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert len(starts) == 32
    assert starts == sorted(starts, reverse=True)
    assert len(set(starts)) == 32


def test_episode_fields(client: TestClient) -> None:
    page = client.get(f"{P}/episodes", params={"kind": "posture"}).json()
    (only,) = page["items"]
    assert only["label"] == "dystonic"
    assert only["start_utc"] == "2026-11-20T08:00:03.500Z"
    assert only["duration_s"] == 2.0
    assert only["features"] == {"duration_s": 2.0}


def test_days_and_minutes_say_null_not_zero(client: TestClient) -> None:
    days = client.get(f"{P}/days", params={"from": "2026-11-19", "to": "2026-11-21"}).json()
    (day,) = days["items"]
    assert day["near_neutral_fraction"] is None
    assert day["sufficient"] is False
    assert day["reasons"] == ["worn 10 min of 6 h"]
    first = client.get(f"{P}/minutes", params={"limit": 4}).json()
    second = client.get(f"{P}/minutes", params={"limit": 100, "cursor": first["next"]}).json()
    times = [item["t_ns"] for item in first["items"] + second["items"]]
    assert times == [T0_NS + m * 60 * 10**9 for m in range(10)]
    assert first["items"][0]["rotation_mean_deg"] is None
    assert "flexion_histogram" not in first["items"][0]


def test_raw_samples_every_one_once_in_physical_units(client: TestClient) -> None:
    (stream,) = client.get(f"{P}/streams").json()["items"]
    assert stream["samples"] == 1000
    index: list[int] = []
    acc: list[float] = []
    anchors: list[int] = []
    cursor: str | None = None
    while True:
        params = {"limit": 333} | ({"cursor": cursor} if cursor else {})
        page = client.get(f"{P}/streams/{stream['id']}/samples", params=params).json()
        index += page["index"]
        acc += page["columns"]["acc_x"]
        anchors += page["anchor_index"]
        cursor = page["next"]
        if cursor is None:
            break
    assert index == list(range(1000))
    np.testing.assert_allclose(acc, np.arange(0, 2000, 2) * 0.01, atol=1e-9)
    assert anchors == list(range(0, 1000, 10))
    assert page["units"] == {"acc_x": "m/s^2", "gyr_x": "rad/s"}


def test_raw_samples_of_a_range_of_arrivals(client: TestClient) -> None:
    page = client.get(
        f"{P}/streams/1/samples",
        params={"from": "2026-11-20T08:00:02Z", "to": "2026-11-20T08:00:03Z"},
    ).json()
    assert set(range(200, 300)) <= set(page["index"])
    assert len(page["index"]) < 200


def test_devices_and_sessions(client: TestClient) -> None:
    assert client.get(f"{P}/devices").json()["items"][0]["id"] == "NT-1"
    (session,) = client.get(f"{P}/sessions").json()["items"]
    assert session["alignment_id"] == "a1"
    assert session["end_utc"] is None


def test_openapi_is_complete(client: TestClient) -> None:
    document = client.get("/api/v1/openapi.json").json()
    ids = []
    for path, methods in document["paths"].items():
        for operation in methods.values():
            ids.append(operation["operationId"])
            assert operation["summary"], path
            assert operation["description"], path
            for status in ("403", "404", "422", "500"):
                assert "application/problem+json" in operation["responses"][status]["content"]
            for parameter in operation.get("parameters", []):
                assert parameter.get("description"), (path, parameter["name"])
    assert len(ids) == len(set(ids))
    day = document["components"]["schemas"]["Day"]["properties"]
    assert day["worn_s"]["x-unit"] == "second"
    assert "degree" in day["rotation_p50_deg"]["description"]
    assert len(json.dumps(document)) < MAX_BODY_BYTES


def test_annotations_are_written_listed_and_taken_back(
    runtime: Runtime, tmp_path: Path, client: TestClient
) -> None:
    with Catalog(tmp_path) as catalog:
        catalog.save_patient(Patient("p1", "Sam", "Europe/Berlin"))
        runtime.catalog = catalog
        made = client.post(f"{P}/annotations", json={"kind": "pain", "level": 7, "text": "left"})
        assert made.status_code == 201
        assert made.json()["body"] == {"level": 7, "text": "left"}
        (held,) = client.get(f"{P}/annotations").json()["items"]
        assert held["id"] == made.json()["id"]
        assert client.get(f"{P}/annotations?kind=note").json()["items"] == []
        gone = client.delete(f"{P}/annotations/{held['id']}")
        assert gone.status_code == 204
        assert client.get(f"{P}/annotations").json()["items"] == []
        assert client.delete(f"{P}/annotations/{held['id']}").status_code == 404
        actions = [entry[2] for entry in catalog.audit_log()]
        assert actions == ["annotation.add", "annotation.remove"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kind": "other"},
        {"kind": "pain", "level": 11},
        {"kind": "note", "text": "x" * 501},
        {"kind": "note", "surprise": 1},
        {"kind": "note", "start": "2026-11-20T08:00:00"},
        {"kind": "note", "start": "2026-11-20T08:00:00Z", "end": "2026-11-20T07:00:00Z"},
    ],
)
def test_annotations_that_make_no_sense_are_refused(
    client: TestClient, body: dict[str, object]
) -> None:
    assert client.post(f"{P}/annotations", json=body).status_code == 422


def test_notes_work_without_scripts(runtime: Runtime, tmp_path: Path, client: TestClient) -> None:
    runtime.hub = LiveHub(1)
    with Catalog(tmp_path) as catalog:
        catalog.save_patient(Patient("p1", "Sam", "Europe/Berlin"))
        runtime.catalog = catalog
        page = client.post("/notes", data={"pain": "0", "text": "<b>"})
        assert page.status_code == 200
        assert "Noted: pain 0" in page.text
        assert "<b>" not in page.text
        (held,) = client.get(f"{P}/annotations").json()["items"]
        assert held["body"] == {"level": 0, "text": "<b>"}
        again = client.post(f"/notes/{held['id']}/undo")
        assert "Noted:" not in again.text
        foreign = client.post(
            "/notes", data={"kind": "spasm"}, headers={"origin": "http://evil.example"}
        )
        assert foreign.status_code == 403
        assert client.get(f"{P}/annotations").json()["items"] == []


@pytest.mark.parametrize("table", ["angles", "angles_100hz", "minutes", "days", "episodes"])
def test_tables_say_the_same_in_every_form(client: TestClient, table: str) -> None:
    answers = {
        form: client.get(f"{P}/exports/{table}", params={"format": form})
        for form in ("parquet", "arrow", "csv")
    }
    parquet = pq.read_table(io.BytesIO(answers["parquet"].content))
    arrow = pa.ipc.open_stream(answers["arrow"].content).read_all()
    assert parquet.num_rows == arrow.num_rows > 0
    assert parquet.column_names == arrow.column_names
    assert len(answers["csv"].text.strip().splitlines()) == parquet.num_rows + 1
    assert answers["csv"].headers["content-disposition"].endswith(f'p1_{table}.csv"')


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_files_say_where_they_come_from(client: TestClient, form: str) -> None:
    def schema(path: str) -> pa.Schema:
        content = client.get(f"{P}{path}", params={"format": form}).content
        if form == "arrow":
            return pa.ipc.open_stream(content).schema
        return pq.read_schema(io.BytesIO(content))

    for table in ("angles", "minutes", "days", "episodes"):
        found = schema(f"/exports/{table}")
        said = json.loads(found.metadata[b"necktrace"])
        assert (said["algo"], said["algorithm_version"]) == (ALGO, "1")
        assert (said["params_hash"], said["alignment_ids"]) == ("00000000", "a1")
        undescribed = [
            field.name
            for field in found
            if any(field.name.endswith(end) for end in ("_deg", "_s", "_ns", "_dps"))
            and not (field.metadata or {}).get(b"unit")
        ]
        assert undescribed == []
    raw = schema("/streams/1/export")
    assert raw.field("gyr_x").metadata[b"unit"] == b"rad/s"
    assert json.loads(raw.metadata[b"necktrace"])["alignment_ids"] == "a1"
    assert json.loads(raw.metadata[b"stream"])["device_id"] == "NT-1"
    timed = schema("/raw/head")
    assert timed.field("acc_x_ms2").metadata[b"unit"] == "metre/second²".encode()


def test_csv_carries_units_and_provenance_in_columns(client: TestClient) -> None:
    raw = client.get(f"{P}/streams/1/export", params={"format": "csv"}).text
    assert raw.splitlines()[0] == '"index","acc_x [m/s^2]","gyr_x [rad/s]","device_ticks","host_ns"'
    days = client.get(f"{P}/exports/days", params={"format": "csv"}).text.splitlines()
    assert days[0].endswith('"algo","alignment_ids"')
    assert days[1].endswith(f'"{ALGO}","a1"')


def test_what_is_known_is_not_sent_again(client: TestClient) -> None:
    paths = (
        *(f"{P}/{name}" for name in ("angles", "minutes", "episodes", "days", "annotations")),
        f"{P}/streams/1/samples",
        f"{P}/streams/1/export",
        f"{P}/raw/head",
        "/api/v1/patients",
    )
    for path in paths:
        first = client.get(path, params=HOUR if "patients/" in path and "days" not in path else {})
        etag = first.headers["etag"]
        again = client.get(first.url, headers={"if-none-match": f'"other", W/{etag}'})
        assert (again.status_code, again.content) == (304, b""), path
        assert again.headers["etag"] == etag
        assert client.get(first.url, headers={"if-none-match": '"x"'}).content == first.content
    other = client.get(f"{P}/streams/1/export", params={"format": "csv"}).headers["etag"]
    assert other != client.get(f"{P}/streams/1/export").headers["etag"]


def test_exports_honour_the_range(client: TestClient) -> None:
    span = {"from": "2026-11-20T08:01:00Z", "to": "2026-11-20T08:02:00Z"}
    found = client.get(f"{P}/exports/angles", params={**span, "format": "parquet"})
    assert pq.read_table(io.BytesIO(found.content)).num_rows == 60


def test_raw_export_is_the_record(client: TestClient) -> None:
    found = client.get(f"{P}/streams/1/export")
    table = pq.read_table(io.BytesIO(found.content))
    assert table.num_rows == 1000
    np.testing.assert_allclose(
        table.column("acc_x").to_numpy(), np.arange(0, 2000, 2) * 0.01, rtol=1e-6
    )
    assert client.get(f"{P}/streams/2/export").status_code == 404


def test_everything_is_a_zip_that_opens(client: TestClient) -> None:
    archive = zipfile.ZipFile(io.BytesIO(client.get(f"{P}/everything").content))
    assert archive.testzip() is None
    names = archive.namelist()
    assert any(name.endswith("catalog.json") for name in names)
    assert any(name.startswith("raw/") or "/raw/" in name for name in names)


def test_open_ranges_are_drawn_in_to_what_there_is(client: TestClient) -> None:
    everything = client.get("/api/v1/patients/p1/angles", params={"max_points": 100}).json()
    assert len(everything["t_ms"]) > 50
    since = client.get(
        "/api/v1/patients/p1/angles", params={"from": "2026-11-20T00:00:00Z", "max_points": 100}
    )
    assert len(since.json()["t_ms"]) > 50
