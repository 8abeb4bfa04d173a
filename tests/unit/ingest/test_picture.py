"""What pages see of a collector: published at news and beside it, with what a slip means."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ingest import picture
from ingest.drivers.driver import StatusReport
from ingest.intake import SensorFacts
from ingest.link_state import LinkEvent, LinkReason, LinkState
from ingest.live import LiveFrame
from ingest.picture import Picture
from ingest.recorder import RecorderHealth
from ingest.slip import Slip
from ingest.worker import WorkerHealth
from tests.support.collecting import plain_setup

NOW_NS = 1_800_014_400_000_000_000
GOOD = replace(plain_setup().alignment, quality="good", warnings=())
SLIP = Slip("head", 21.25, NOW_NS - 10**9, NOW_NS, GOOD.id)
UP = LinkEvent("head", LinkState.STREAMING, LinkState.SCANNING, LinkReason.STARTED, 0)


def made() -> Picture:
    return Picture("p1", ZoneInfo("Europe/Berlin"), ("head", "trunk"))


def frame(shown: Picture, slip: Slip | None = None) -> LiveFrame:
    worker: Any = SimpleNamespace(
        facts={"head": SensorFacts(), "trunk": SensorFacts()},
        health=WorkerHealth(0, "", "", 0, 0.0),
    )
    recorder = RecorderHealth(None, 0, 0, 0, 0)
    return shown.frame(NOW_NS, {}, worker, recorder, GOOD, slip)


def test_a_link_and_a_status_show_in_the_next_frame() -> None:
    shown = made()
    assert frame(shown).head.link_state == "scanning"
    shown.take_link("head", UP)
    shown.take_status("head", StatusReport("d", 1, 0, battery_percent=80))
    found = frame(shown)
    assert (found.head.link_state, found.head.battery_fraction) == ("streaming", 0.8)
    assert found.trunk.link_state == "scanning"


def test_a_slip_is_said_under_its_calibration_alone() -> None:
    plain = frame(made())
    slipped = frame(made(), SLIP)
    assert slipped.warnings[0] == SLIP.sentence(ZoneInfo("Europe/Berlin"))
    assert (plain.alignment_quality, slipped.alignment_quality) == ("good", "low")
    other = Slip("head", 21.25, NOW_NS - 10**9, NOW_NS, "another")
    assert frame(made(), other) == plain


async def test_news_is_published_at_once_and_silence_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown, published = made(), asyncio.Event()

    async def next_one() -> None:
        async with asyncio.timeout(20.0):
            await published.wait()
        published.clear()

    monkeypatch.setattr(picture, "HEARTBEAT_S", 3600.0)
    following = asyncio.create_task(shown.follow(published.set, 0.0))
    for _ in range(2):
        await asyncio.sleep(0.0)
        assert not published.is_set(), "nothing is new"
        shown.take_link("head", UP)
        await next_one()
    following.cancel()
    monkeypatch.setattr(picture, "HEARTBEAT_S", 0.001)
    following = asyncio.create_task(shown.follow(published.set, 0.0))
    await next_one()
    await next_one()
    following.cancel()
