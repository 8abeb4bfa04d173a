"""Poses, movements and slips over HTTP: in order, page by page, and how far angles are untrue."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.http.app import create_app
from api.runtime import Runtime
from ingest.slip import Slip, keep_slip
from storage.catalog import Catalog
from tests.unit.api.access.conftest import runtime_on
from tests.unit.api.conftest import T0_NS

P = "/api/v1/patients/p1/events"
MINUTE_NS = 60 * 10**9


@pytest.fixture
def own(folder: Path, tmp_path: Path) -> Iterator[Runtime]:
    yield from runtime_on(Path(shutil.copytree(folder, tmp_path / "record")))


@pytest.fixture
def owner(own: Runtime) -> Iterator[TestClient]:
    with TestClient(create_app(own), base_url="http://127.0.0.1:8765") as client:
        yield client


def slip(catalog: Catalog, minute: int) -> None:
    since_ns = T0_NS + minute * MINUTE_NS
    found = Slip("trunk", 21.24, since_ns, since_ns + 10 * MINUTE_NS, "a1")
    keep_slip(catalog, "p1", found, found.noticed_ns)


def add(catalog: Catalog, kind: str, minute: int, sigma_deg: float | None = None) -> None:
    at_ns = T0_NS + minute * MINUTE_NS
    catalog.add_span("p1", kind, at_ns, at_ns + 5 * 10**9, sigma_deg=sigma_deg)


def kinds(answer: dict[str, Any]) -> list[str]:
    return [item["kind"] for item in answer["items"]]


def test_each_kind_says_what_it_knows(own: Runtime, owner: TestClient) -> None:
    add(own.catalog, "neutral_pose", 0, 2.0)
    add(own.catalog, "nod", 1)
    slip(own.catalog, 5)
    pose, nod, slipped = owner.get(P).json()["items"]
    assert (pose["kind"], pose["sigma_deg"], pose["made_good_utc"]) == ("neutral_pose", 2.0, None)
    assert (nod["kind"], nod["sigma_deg"], nod["sensor"]) == ("nod", None, None)
    assert slipped == {
        "kind": "sensor_slipped",
        "start_utc": "2026-11-20T08:05:00.000Z",
        "end_utc": "2026-11-20T08:15:00.000Z",
        "sigma_deg": None,
        "sensor": "trunk",
        "off_deg": 21.2,
        "made_good_utc": None,
    }
    add(own.catalog, "midline_pose", 30)
    made_good = owner.get(P).json()["items"][2]["made_good_utc"]
    assert made_good == "2026-11-20T08:30:00.000Z"


def test_a_range_has_the_slips_that_reach_into_it(own: Runtime, owner: TestClient) -> None:
    slip(own.catalog, 0)
    add(own.catalog, "midline_pose", 40)
    add(own.catalog, "nod", 50)

    def within(start: str, end: str) -> list[str]:
        span = {"from": f"2026-11-20T{start}Z", "to": f"2026-11-20T{end}Z"}
        return kinds(owner.get(P, params=span).json())

    assert within("08:20:00", "08:45:00") == ["sensor_slipped", "midline_pose"]
    assert within("08:20:00", "08:30:00") == ["sensor_slipped"]
    assert within("08:41:00", "09:00:00") == ["nod"]


def test_pages_lose_nothing_and_repeat_nothing(own: Runtime, owner: TestClient) -> None:
    for minute in (0, 1, 2, 2, 2, 3, 4):
        add(own.catalog, f"kind{len(own.catalog.spans('p1'))}", minute)
    seen: list[str] = []
    params: dict[str, Any] = {"limit": 3}
    for _ in range(9):
        page = owner.get(P, params=params).json()
        seen += kinds(page)
        if page["next"] is None:
            break
        params["cursor"] = page["next"]
    assert seen == [f"kind{k}" for k in range(7)]
    assert owner.get(P, params={"cursor": "x"}).status_code == 400
