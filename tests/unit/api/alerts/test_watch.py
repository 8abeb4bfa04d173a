"""From live frames to the page and to a receiver: looked at, kept, sent once, snoozed."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from fastapi.testclient import TestClient

from api.alerts.keeping import alerts_of
from api.alerts.watch import AlertWatch, observe
from api.http.app import create_app
from api.runtime import Runtime
from api.settings import load_settings
from ingest.live import LiveFrame, LiveHub, SensorLive, TodayCounters
from storage.catalog import Catalog, Patient
from storage.embedded import EmbeddedStore
from storage.record import RecordReader, RecordWriter
from tests.support.receivers import HttpReceiver, http_receiver

PATIENT = Patient("p1", "Sam", "Europe/Berlin")
NOON = datetime(2026, 11, 20, 13, 0, tzinfo=ZoneInfo(PATIENT.zone))
TODAY = TodayCounters("2026-11-20", recorded_s=3600.0)
FINE = LiveFrame(
    1,
    0,
    0,
    "p1",
    worn=True,
    head=SensorLive("head", "streaming", stale=False, battery_fraction=0.8),
    trunk=SensorLive("trunk", "streaming", stale=False, battery_fraction=0.8),
    today=TODAY,
)
AWAY = replace(FINE, head=SensorLive("head", "backoff", stale=True))


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with http_receiver() as made:
        yield made


@pytest.fixture
def runtime(tmp_path: Path, receiver: HttpReceiver) -> Iterator[Runtime]:
    RecordWriter(tmp_path, background=False).close()
    store = EmbeddedStore(tmp_path)
    settings = load_settings(
        data_dir=tmp_path, zone=PATIENT.zone, port=8765, alert_webhook_url=receiver.url
    )
    with RecordReader(tmp_path) as record, Catalog(tmp_path) as catalog:
        catalog.save_patient(PATIENT)
        yield Runtime(settings, "up", record, store, catalog, LiveHub(1), port=8765)
    store.close()


def look_for(watch: AlertWatch, begin: datetime, minutes: int) -> datetime:
    """Look every half minute; return when."""
    for half in range(2 * minutes):
        watch.look(begin + timedelta(seconds=30 * half))
    return begin + timedelta(minutes=minutes)


def test_a_lost_link_is_told_once_and_kept_for_the_page(
    runtime: Runtime, receiver: HttpReceiver
) -> None:
    assert runtime.hub is not None
    watch = AlertWatch(runtime, PATIENT, lambda: None)
    runtime.hub.publish(FINE)
    now = look_for(watch, NOON, 5)
    assert alerts_of(runtime.catalog, "p1") == []
    runtime.hub.publish(AWAY)
    now = look_for(watch, now, 9)
    assert receiver.posted == []
    now = look_for(watch, now, 3)
    assert [alert.key for alert in alerts_of(runtime.catalog, "p1")] == ["link_lost/head"]
    now = look_for(watch, now, 60)
    assert len(receiver.posted) == 1
    assert b"p1" not in receiver.posted[0].body
    assert b"Sam" not in receiver.posted[0].body
    runtime.hub.publish(FINE)
    look_for(watch, now, 3)
    assert alerts_of(runtime.catalog, "p1") == []


def test_a_receiver_that_fails_is_tried_again_later_and_not_about_what_is_over(
    runtime: Runtime, receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert runtime.hub is not None
    receiver.status = 500
    watch = AlertWatch(runtime, PATIENT, lambda: None)
    runtime.hub.publish(AWAY)
    now = look_for(watch, NOON, 15)
    assert len(receiver.posted) == 1, "not at every look"
    monkeypatch.setattr("api.alerts.watch.RETRY_S", 0.0)
    receiver.status = 200
    now = look_for(watch, now, 2)
    assert len(receiver.posted) == 2
    look_for(watch, now, 5)
    assert len(receiver.posted) == 2


def test_the_page_shows_it_and_snoozes_it(runtime: Runtime, receiver: HttpReceiver) -> None:
    assert runtime.hub is not None
    watch = AlertWatch(runtime, PATIENT, lambda: None)
    now = datetime.now(ZoneInfo(PATIENT.zone))
    head = replace(FINE.head, battery_fraction=0.05)
    recorded = TodayCounters(now.date().isoformat(), recorded_s=3600.0)
    runtime.hub.publish(replace(FINE, head=head, today=recorded))
    look_for(watch, now, 2)
    with TestClient(create_app(runtime), base_url="http://127.0.0.1:8765") as client:
        page = client.get("/").text
        assert "Charge the head sensor" in page
        assert "Send no messages for 4 hours" in page
        page = client.post("/alerts/battery/snooze", data={"hours": "4"}).text
        assert "No messages about this until" in page
        listed = client.get("/api/v1/patients/p1/alerts").json()
        (item,) = listed["items"]
        assert (item["kind"], item["role"]) == ("battery", "head")
        assert item["snoozed_until_utc"] == listed["snoozed_until_utc"]["battery"]
        ended = client.put("/api/v1/patients/p1/alerts/battery/snooze", json={"hours": 0})
        assert ended.json()["snoozed_until_utc"] == {}
        unheard = "/api/v1/patients/p1/alerts/mood/snooze"
        assert client.put(unheard, json={"hours": 1}).status_code == 422
        assert client.post("/alerts/battery/snooze", data={"hours": "1e9"}).status_code == 422


def test_what_was_told_is_not_told_again_after_a_restart(
    runtime: Runtime, receiver: HttpReceiver
) -> None:
    assert runtime.hub is not None
    runtime.hub.publish(AWAY)
    now = look_for(AlertWatch(runtime, PATIENT, lambda: None), NOON, 12)
    assert len(receiver.posted) == 1
    again = AlertWatch(runtime, PATIENT, lambda: None)
    again.load()
    look_for(again, now, 30)
    assert len(receiver.posted) == 1


def test_an_empty_day_counts_from_what_was_stored() -> None:
    seen = observe(None, TODAY, NOON, free_bytes=10**12, disk_refuses=False)
    assert seen.recorded_today_s == 3600.0
    assert seen.sensors == ()
    next_day = observe(FINE, None, NOON + timedelta(days=1), free_bytes=None, disk_refuses=False)
    assert next_day.recorded_today_s == 0.0
    assert observe(AWAY, None, NOON, free_bytes=None, disk_refuses=False).sensors[0].linked is False
