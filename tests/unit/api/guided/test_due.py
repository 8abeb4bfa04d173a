"""When a reference pose is asked for: turning not told well, not often, not after "not now"."""

from dataclasses import replace

import pytest

from api.guided.due import EVERY_S, SIGMA_DEG, reset_due
from ingest.live import LiveFrame, SensorLive

NOW_NS = 10**18
WORN = LiveFrame(
    0, NOW_NS, NOW_NS, "p1", heading_sigma_deg=SIGMA_DEG + 0.1, worn=True,
    alignment_quality="good", head=SensorLive("head", "streaming", stale=False),
    trunk=SensorLive("trunk", "streaming", stale=False),
)  # fmt: skip


def due(frame: LiveFrame | None, *, last_s: float | None = None, snoozed_s: float = -1.0) -> bool:
    return reset_due(
        frame,
        now_ns=NOW_NS,
        last_ns=None if last_s is None else NOW_NS - round(last_s * 1e9),
        snoozed_until_ns=NOW_NS + round(snoozed_s * 1e9),
    )


def test_asked_for_where_turning_is_not_told_well() -> None:
    assert due(WORN)
    assert not due(replace(WORN, heading_sigma_deg=SIGMA_DEG))


@pytest.mark.parametrize(
    "frame",
    [
        None,
        replace(WORN, heading_sigma_deg=None),
        replace(WORN, worn=False),
        replace(WORN, alignment_quality="low"),
        replace(WORN, head=SensorLive("head", "stalled", stale=True)),
    ],
)
def test_not_asked_for_where_a_pose_would_not_help(frame: LiveFrame | None) -> None:
    assert not due(frame)


def test_at_most_every_ten_minutes_and_not_while_snoozed() -> None:
    assert not due(WORN, last_s=EVERY_S - 1.0)
    assert due(WORN, last_s=EVERY_S + 1.0)
    assert not due(WORN, snoozed_s=1.0)
