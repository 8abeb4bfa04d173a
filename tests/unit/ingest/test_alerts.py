"""Alerts: told once, after a while, over after a while, never in a storm."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.alerts import (
    SECOND_NS,
    Alert,
    AlertKind,
    AlertParams,
    AlertState,
    Observation,
    SensorSeen,
    active,
    due,
    in_quiet_hours,
    mark_sent,
    step,
)

P = AlertParams()
FINE = Observation(
    now_ns=0,
    local_minute=13 * 60,
    sensors=(SensorSeen("head", True, 0.9), SensorSeen("trunk", True, 0.9)),
    worn=True,
    recorded_today_s=3600.0,
    free_bytes=10**12,
)


def head(seen: Observation, *, linked: bool = True, battery: float | None = 0.9) -> Observation:
    return replace(seen, sensors=(SensorSeen("head", linked, battery), seen.sensors[1]))


STATES = [FINE, head(FINE, linked=False), head(FINE, battery=0.01)]


class Clock:
    """Feeds observations every ten seconds and sends what is due."""

    def __init__(self) -> None:
        self.state = AlertState()
        self.now_s = 1_000_000
        self.sent: list[tuple[float, str]] = []
        self.snoozed: dict[str, int] = {}
        self.quiet = False

    def run(self, seconds: float, seen: Observation) -> list[str]:
        for _ in range(round(seconds / 10)):
            self.now_s += 10
            now_ns = self.now_s * SECOND_NS
            self.state = step(P, self.state, replace(seen, now_ns=now_ns))
            messages = due(P, self.state, now_ns, snoozed=self.snoozed, quiet=self.quiet)
            self.state = mark_sent(self.state, messages, now_ns)
            self.sent += [(self.now_s, alert.key) for alert in messages]
        return [alert.key for alert in active(self.state)]


@pytest.mark.parametrize(
    ("bad", "key", "patience_s"),
    [
        (head(FINE, battery=0.1), "battery/head", P.battery_s),
        (head(FINE, linked=False), "link_lost/head", P.link_lost_s),
        (replace(FINE, worn=False), "off_body", P.off_body_s),
        (replace(FINE, recorded_today_s=0.0), "nothing_today", 0.0),
        (replace(FINE, free_bytes=10**8), "disk", 0.0),
        (replace(FINE, disk_refuses=True), "disk", 0.0),
    ],
)
def test_each_is_raised_after_its_time_and_over_after_a_minute(
    bad: Observation, key: str, patience_s: float
) -> None:
    clock = Clock()
    assert clock.run(600, FINE) == []
    assert clock.run(patience_s, bad) == []
    assert clock.run(20, bad) == [key]
    assert clock.run(3600, bad) == [key]
    assert clock.run(50, FINE) == [key]
    assert clock.run(30, FINE) == []
    assert [k for _, k in clock.sent] == [key]


def test_between_the_thresholds_it_stays_what_it_was() -> None:
    clock = Clock()
    middle = head(FINE, battery=0.2)
    assert clock.run(600, middle) == []
    clock.run(120, head(FINE, battery=0.14))
    assert clock.run(600, middle) == ["battery/head"]
    assert clock.run(600, head(FINE, battery=None)) == ["battery/head"]


def test_a_link_that_comes_and_goes_makes_no_storm() -> None:
    clock = Clock()
    for _ in range(20):  # away for eleven minutes, back for two
        clock.run(660, head(FINE, linked=False))
        clock.run(120, FINE)
    assert len(clock.sent) == 2
    assert clock.sent[1][0] - clock.sent[0][0] >= P.again_s


def test_what_is_short_is_not_told() -> None:
    clock = Clock()
    for _ in range(30):
        clock.run(540, head(FINE, linked=False))
        clock.run(60, FINE)
    assert clock.sent == []


def test_snooze_holds_until_its_end_and_quiet_hours_too() -> None:
    clock = Clock()
    low = head(FINE, battery=0.05)
    clock.snoozed = {"battery": (clock.now_s + 7200) * SECOND_NS}
    assert clock.run(3600, low) == ["battery/head"]
    assert clock.sent == []
    clock.quiet = True
    clock.run(7200, low)
    assert clock.sent == []
    clock.quiet = False
    clock.run(60, low)
    assert [key for _, key in clock.sent] == ["battery/head"]


def test_what_ended_in_quiet_hours_is_never_sent() -> None:
    clock = Clock()
    clock.quiet = True
    clock.run(1800, head(FINE, linked=False))
    clock.run(120, FINE)
    clock.quiet = False
    assert clock.run(600, FINE) == []
    assert clock.sent == []


def test_sensors_that_are_away_are_not_called_unworn() -> None:
    clock = Clock()
    away = (SensorSeen("head", False, None), SensorSeen("trunk", False, None))
    keys = clock.run(7200, replace(FINE, sensors=away, worn=False))
    assert keys == ["link_lost/head", "link_lost/trunk"]


def test_the_morning_is_no_empty_day() -> None:
    clock = Clock()
    nothing = replace(FINE, recorded_today_s=0.0, local_minute=11 * 60 + 59)
    assert clock.run(600, nothing) == []
    assert clock.run(10, replace(nothing, local_minute=12 * 60)) == ["nothing_today"]


def test_state_survives_being_kept() -> None:
    clock = Clock()
    clock.run(900, head(FINE, linked=False))
    assert AlertState.from_json(clock.state.to_json()) == clock.state
    assert AlertState.from_json({"disk": {"unheard": 1}}) == AlertState()
    assert AlertState.from_json([1, 2]) == AlertState()
    assert AlertState.from_json(None) == AlertState()


@settings(max_examples=25)
@given(st.lists(st.sampled_from(STATES), min_size=6, max_size=12))
def test_messages_about_one_thing_keep_their_distance(seen: list[Observation]) -> None:
    clock = Clock()
    for each in seen:
        clock.run(700, each)
    for key in {k for _, k in clock.sent}:
        at = [t for t, k in clock.sent if k == key]
        assert all(b - a >= P.again_s for a, b in pairwise(at))


def test_quiet_hours_may_span_midnight() -> None:
    night = (22 * 60, 7 * 60)
    assert [in_quiet_hours(night, h * 60) for h in (21, 22, 0, 6, 7)] == [
        False,
        True,
        True,
        True,
        False,
    ]
    assert in_quiet_hours((60, 120), 60)
    assert not in_quiet_hours((60, 120), 120)
    assert not in_quiet_hours(None, 0)


def test_an_alert_names_its_sensor() -> None:
    assert Alert(AlertKind.BATTERY, "head", 0).key == "battery/head"
    assert Alert(AlertKind.DISK, "", 0).key == "disk"
