"""When a reference pose is asked for: turning not told well, not often, not after "not now"."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from api.guided.due import (
    EVERY_S,
    LOST_SIGMA_DEG,
    SIGMA_DEG,
    SNOOZE_S,
    last_pose_ns,
    reset_due,
)
from api.guided.guide import Guide
from ingest.live import LiveFrame, SensorLive
from storage.catalog import Catalog, Patient

NOW_NS = 10**18
WORN = LiveFrame(
    0, NOW_NS, NOW_NS, "p1", heading_sigma_deg=SIGMA_DEG + 0.1, worn=True,
    alignment_quality="good", head=SensorLive("head", "streaming", stale=False),
    trunk=SensorLive("trunk", "streaming", stale=False),
)  # fmt: skip


def due(
    frame: LiveFrame | None,
    *,
    last_s: float | None = None,
    snoozed_s: float = -1.0,
    calibrated: bool = True,
) -> bool:
    return reset_due(
        frame,
        calibrated=calibrated,
        now_ns=NOW_NS,
        last_ns=None if last_s is None else NOW_NS - round(last_s * 1e9),
        snoozed_until_ns=NOW_NS + round(snoozed_s * 1e9),
    )


def test_asked_for_where_turning_is_not_told_well() -> None:
    assert due(WORN)
    assert not due(replace(WORN, heading_sigma_deg=SIGMA_DEG))
    assert due(replace(WORN, alignment_quality="low")), "one gate that failed is no reason"
    assert not due(WORN, calibrated=False)


@pytest.mark.parametrize(
    "frame",
    [
        None,
        replace(WORN, heading_sigma_deg=None),
        replace(WORN, worn=False),
        replace(WORN, head=SensorLive("head", "stalled", stale=True)),
    ],
)
def test_not_asked_for_where_a_pose_would_not_help(frame: LiveFrame | None) -> None:
    assert not due(frame)


def test_at_most_every_ten_minutes_and_not_while_snoozed() -> None:
    assert not due(WORN, last_s=EVERY_S - 1.0)
    assert due(WORN, last_s=EVERY_S + 1.0)
    assert not due(WORN, snoozed_s=1.0)


def test_a_restart_knows_of_a_pose_held_before(tmp_path: Path) -> None:
    with Catalog(tmp_path) as catalog:
        catalog.save_patient(Patient("p1", "", "UTC"))
        assert last_pose_ns(catalog, "p1", NOW_NS) is None
        for ago_s, kind in ((2 * EVERY_S, "midline_pose"), (90, "midline_pose"), (60, "nod")):
            start_ns = NOW_NS - round(ago_s * 1e9)
            catalog.add_span("p1", kind, start_ns, start_ns + 5_000_000_000)
        assert last_pose_ns(catalog, "p1", NOW_NS) == NOW_NS - 85_000_000_000


def test_a_lost_heading_is_asked_for_at_once() -> None:
    """Samples lost during a calibration leave a good alignment and an unknown heading."""
    lost = replace(WORN, heading_sigma_deg=LOST_SIGMA_DEG + 1.0)
    assert due(lost, last_s=5.0)
    assert not due(lost, last_s=5.0, snoozed_s=60.0)
    assert not due(WORN, last_s=5.0)


def asks(guide: Guide) -> bool:
    return guide.view.reset_due


def test_the_guide_asks_after_a_loss_and_keeps_quiet_when_told(tmp_path: Path) -> None:
    """As the page sees it: a pose a minute ago, then samples lost, then "not now"."""
    shown = SimpleNamespace(latest=WORN)
    alignment = SimpleNamespace(id="a1", method="guided")
    collector: Any = SimpleNamespace(
        now_utc_ns=lambda: NOW_NS, hub=shown, alignment=alignment, slip=None
    )
    with Catalog(tmp_path) as catalog:
        catalog.save_patient(Patient("p1", "", "UTC"))
        start_ns = NOW_NS - 60_000_000_000
        catalog.add_span("p1", "midline_pose", start_ns, start_ns + 5_000_000_000)
        guide = Guide(collector, catalog, "p1")
        assert not asks(guide), "one was held a minute ago"
        shown.latest = replace(WORN, heading_sigma_deg=LOST_SIGMA_DEG + 1.0)
        assert asks(guide)
        alignment.method = "mounting"
        assert not asks(guide), "a pose of sensors never calibrated says little"
        alignment.method = "redon"
        collector.slip = SimpleNamespace()
        assert not asks(guide), "first the sensor is put on again"
        collector.slip = None
        shown.latest = replace(shown.latest, heading_sigma_deg=LOST_SIGMA_DEG)
        assert not asks(guide), "uncertain, not lost"
        shown.latest = replace(WORN, heading_sigma_deg=LOST_SIGMA_DEG + 1.0)
        guide.snooze()
        assert not asks(guide)
        assert not asks(Guide(collector, catalog, "p1")), "nor after a restart"
        collector.now_utc_ns = lambda: NOW_NS + round(SNOOZE_S * 1e9) + 1
        assert asks(guide), "it was for half an hour"
