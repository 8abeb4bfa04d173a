"""Server-Sent Events: one frame is complete, ids let a reader go on, silence is no end."""

import asyncio
import json

import pytest
from fastapi.testclient import TestClient

from api.http.app import create_app
from api.routes.live import frame_event, parse_last_event_id, view_event
from api.runtime import HistoryProgress, Runtime
from ingest.live import LiveFrame, LiveHub, SensorLive


def frame(age_s: float = 0.02) -> LiveFrame:
    sensors = {
        role: SensorLive(role, "streaming", age_s=age_s, stale=age_s > 2.0, samples=10)
        for role in ("head", "trunk")
    }
    return LiveFrame(
        event_id=7,
        published_utc_ns=1_000_000_000,
        sample_utc_ns=900_000_000,
        patient_id="p1",
        rotation_right_deg=25.25,
        q_shown=(1.0, 0.0, 0.0, 0.0),
        heading_sigma_deg=2.0,
        head=sensors["head"],
        trunk=sensors["trunk"],
    )


def parsed(event: bytes) -> tuple[dict[str, str], dict[str, object]]:
    lines = event.decode().strip().split("\n")
    fields = dict(line.split(": ", 1) for line in lines)
    body: dict[str, object] = json.loads(fields.pop("data"))
    return fields, body


def test_frame_event_is_complete() -> None:
    fields, body = parsed(frame_event(frame()))
    assert fields == {"event": "frame", "id": "7"}
    assert body["rotation_right_deg"] == 25.25
    assert body["flexion_deg"] is None
    assert body["stale"] is False
    assert parsed(frame_event(frame(age_s=3.0)))[1]["stale"] is True


def test_progress_event() -> None:
    fields, body = parsed(
        view_event("progress", HistoryProgress(state="running", days_done=3, days=14))
    )
    assert fields == {"event": "progress"}
    assert body["days_done"] == 3


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (None, None),
        ("12", 12),
        ("-1", None),
        ("x", None),
        ("", None),
        ("9" * 30, None),
        ("²", None),
    ],
)
def test_last_event_id(text: str | None, number: int | None) -> None:
    assert parse_last_event_id(text) == number


async def test_stream_begins_with_the_newest_frame_and_ends_with_the_hub(runtime: Runtime) -> None:
    from httpx import ASGITransport, AsyncClient

    hub = LiveHub(100)
    runtime.hub = hub
    hub.publish(frame())
    transport = ASGITransport(app=create_app(runtime), client=("127.0.0.1", 1))

    async def read(headers: dict[str, str]) -> str:
        async with AsyncClient(transport=transport, base_url="http://127.0.0.1:8765") as client:
            return (await client.get("/api/v1/live", headers=headers)).text

    reading = asyncio.create_task(read({}))
    caught_up = asyncio.create_task(read({"last-event-id": "100"}))
    while hub.subscribers < 2:  # noqa: ASYNC110  the hub has no event for it
        await asyncio.sleep(0.01)
    hub.publish(frame())
    await asyncio.sleep(0.2)
    hub.close()
    assert [line for line in (await reading).splitlines() if line.startswith("id")] == [
        "id: 100",
        "id: 101",
    ]
    assert "id: 100" not in await caught_up


def test_health_tells_of_a_silent_sensor(runtime: Runtime) -> None:
    runtime.hub = LiveHub(1)
    client = TestClient(create_app(runtime), base_url="http://127.0.0.1:8765")
    assert client.get("/api/v1/health").json()["status"] == "stale"
    runtime.hub.publish(frame())
    body = client.get("/api/v1/health").json()
    assert body["status"] == "ok"
    assert body["links"][0]["samples"] == 10
    runtime.hub.publish(frame(age_s=4.0))
    assert client.get("/api/v1/health").json()["status"] == "stale"
