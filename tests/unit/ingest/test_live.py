"""The live hub: newest frame only, rising ids, nobody waits for a reader."""

import asyncio

import pytest

from ingest.live import LiveFrame, LiveHub, SensorLive, heading_quality


def frame(**changes: object) -> LiveFrame:
    base: dict[str, object] = {
        "event_id": 0,
        "published_utc_ns": 2_000_000_000,
        "sample_utc_ns": 1_900_000_000,
        "patient_id": "p1",
    }
    return LiveFrame(**(base | changes))  # type: ignore[arg-type]  # fields by name in a scenario


async def test_every_reader_gets_the_frame_with_a_rising_id() -> None:
    hub = LiveHub(first_event_id=100)
    with hub.subscribe() as one, hub.subscribe() as two:
        hub.publish(frame())
        first = (await one.next(1.0), await two.next(1.0))
        hub.publish(frame())
        second = (await one.next(1.0), await two.next(1.0))
    assert [f.event_id for f in first if f] == [100, 100]
    assert [f.event_id for f in second if f] == [101, 101]
    assert hub.subscribers == 0


async def test_a_slow_reader_gets_only_the_newest() -> None:
    hub = LiveHub(first_event_id=0)
    with hub.subscribe() as slow:
        for flexion in range(5):
            hub.publish(frame(flexion_deg=float(flexion)))
        newest = await slow.next(1.0)
        assert newest is not None
        assert newest.flexion_deg == 4.0
        assert slow.skipped == 4
        assert await slow.next(0.01) is None
        assert not slow.closed


async def test_a_late_reader_starts_with_the_latest_unless_it_has_seen_it() -> None:
    hub = LiveHub(first_event_id=7)
    hub.publish(frame())
    with hub.subscribe() as fresh, hub.subscribe(last_event_id=7) as returning:
        assert (await fresh.next(1.0)) is hub.latest
        assert await returning.next(0.01) is None


async def test_closing_ends_the_iteration_after_the_last_frame() -> None:
    hub = LiveHub(first_event_id=0)
    seen: list[int] = []

    async def read() -> None:
        with hub.subscribe() as subscription:
            async for published in subscription:
                seen.append(published.event_id)

    reader = asyncio.create_task(read())
    await asyncio.sleep(0)
    hub.publish(frame())
    await asyncio.sleep(0)
    hub.publish(frame())
    hub.close()
    await asyncio.wait_for(reader, 1.0)
    assert seen == [0, 1]
    with hub.subscribe(last_event_id=1) as after:
        assert await after.next() is None
        assert after.closed


def test_latency_counts_from_the_newest_sample() -> None:
    assert frame().latency_s == pytest.approx(0.1)
    assert frame(sample_utc_ns=None).latency_s is None


def test_a_frame_is_stale_when_a_configured_sensor_is() -> None:
    fresh = SensorLive("head", "streaming", stale=False)
    silent = SensorLive("trunk", "backoff", stale=True)
    assert not frame(head=fresh).stale
    assert frame(head=fresh, trunk=silent).stale


@pytest.mark.parametrize(
    ("sigma", "word"), [(None, None), (5.0, "good"), (5.1, "fair"), (10.0, "fair"), (10.1, "poor")]
)
def test_heading_quality_thresholds(sigma: float | None, word: str | None) -> None:
    assert heading_quality(sigma) == word
