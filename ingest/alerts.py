"""What a person should be told about the equipment, and when: pure rules over observations.

An alert is raised when its condition has held for a while and is over when the opposite has held
for a while; between the two thresholds it stays what it was. So a value that trembles around a
threshold, or a link that comes and goes, tells a person once. Snooze and quiet hours keep an alert
from being sent, never from being seen on the page. Nothing here is about the patient's health, and
none of it is an emergency alarm.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

SECOND_NS = 1_000_000_000


class AlertKind(StrEnum):
    """What an alert is about; people snooze by it."""

    BATTERY = "battery"
    OFF_BODY = "off_body"
    LINK_LOST = "link_lost"
    NOTHING_TODAY = "nothing_today"
    DISK = "disk"


@dataclass(frozen=True, slots=True)
class AlertParams:
    """Thresholds and times; `raise` side first, then the side that ends it."""

    battery_low: float = 0.15
    """Charge below which a person is told, 0..1. Higher warns earlier and more often."""
    battery_ok: float = 0.25
    """Charge from which it is over; must lie above, since a battery recovers without load."""
    battery_s: float = 60.0
    """How long it must be low. Levels come about once a minute, so this is one or two of them."""
    off_body_s: float = 1200.0
    """How long the sensors must lie still. Shorter tells of every shower, longer loses the day."""
    link_lost_s: float = 600.0
    """How long a sensor must be away. Shorter tells of every walk to the kitchen."""
    disk_low_bytes: int = 1_000_000_000
    """Free space below which a person is told; about five days of two sensors."""
    disk_ok_bytes: int = 2_000_000_000
    nothing_from_minute: int = 12 * 60
    """Minute of the local day from which an empty day is told."""
    nothing_below_s: float = 60.0
    """Recorded time below which a day counts as empty."""
    over_s: float = 60.0
    """How long a condition must be gone for its alert to be over."""
    again_s: float = 4 * 3600.0
    """Least time between two messages about the same thing. Shorter is an alarm storm where
    something comes and goes."""


@dataclass(frozen=True, slots=True)
class SensorSeen:
    """One sensor at a moment."""

    role: str
    linked: bool
    """Whether it is delivering."""
    battery: float | None
    """0..1; None where it is not known."""


@dataclass(frozen=True, slots=True)
class Observation:
    """The equipment at a moment; None where something is not known."""

    now_ns: int
    local_minute: int
    """Minutes since local midnight."""
    sensors: tuple[SensorSeen, ...]
    worn: bool | None
    recorded_today_s: float | None
    free_bytes: int | None
    disk_refuses: bool = False
    """Samples wait in memory because they cannot be written."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Where one alert stands."""

    bad_since_ns: int | None = None
    good_since_ns: int | None = None
    raised_ns: int | None = None
    """None while it is not an alert."""
    told: bool = False
    """Whether this alert was sent."""
    sent_ns: int | None = None
    """When the last message about it went out, of this alert or an earlier one."""


@dataclass(frozen=True, slots=True)
class AlertState:
    """All conditions by key: `battery/head`, `disk`."""

    conditions: Mapping[str, Condition] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as settings keep them."""
        return {
            key: {name: getattr(c, name) for name in Condition.__dataclass_fields__}
            for key, c in self.conditions.items()
        }

    @classmethod
    def from_json(cls, stored: object) -> "AlertState":
        """Return what `to_json` gave; empty where it is not that."""
        try:
            return cls({k: Condition(**v) for k, v in dict(stored or {}).items()})  # type: ignore[call-overload]  # refused below
        except (TypeError, ValueError):
            return cls()


@dataclass(frozen=True, slots=True)
class Alert:
    """Something a person should see to."""

    kind: AlertKind
    role: str
    """`head`, `trunk`, or empty where it is about no single sensor."""
    since_ns: int
    """When the condition began."""

    @property
    def key(self) -> str:
        """Name in `AlertState`."""
        return f"{self.kind}/{self.role}" if self.role else str(self.kind)


def step(params: AlertParams, state: AlertState, seen: Observation) -> AlertState:
    """Return the state after an observation.

    Parameters
    ----------
    params : AlertParams
    state : AlertState
    seen : Observation
        Later than the one before; any spacing, but what is shorter than it goes unnoticed.
    """
    now = seen.now_ns
    conditions = dict(state.conditions)
    for key, bad, patience_s in _judged(params, seen):
        c = conditions.get(key, Condition())
        if bad is True:
            since = now if c.bad_since_ns is None else c.bad_since_ns
            c = replace(c, bad_since_ns=since, good_since_ns=None)
            if c.raised_ns is None and now - since >= patience_s * SECOND_NS:
                c = replace(c, raised_ns=now, told=False)
        elif bad is False:
            since = now if c.good_since_ns is None else c.good_since_ns
            c = replace(c, good_since_ns=since)
            if c.raised_ns is None:
                c = replace(c, bad_since_ns=None)
            elif now - since >= params.over_s * SECOND_NS:
                c = replace(c, bad_since_ns=None, raised_ns=None)
        conditions[key] = c
    return AlertState(conditions)


def active(state: AlertState) -> list[Alert]:
    """Return what a person should see to now, oldest first."""
    found = []
    for key, c in state.conditions.items():
        if c.raised_ns is not None and c.bad_since_ns is not None:
            kind, _, role = key.partition("/")
            found.append(Alert(AlertKind(kind), role, c.bad_since_ns))
    return sorted(found, key=lambda alert: (alert.since_ns, alert.key))


def due(
    params: AlertParams,
    state: AlertState,
    now_ns: int,
    *,
    snoozed: Mapping[str, int],
    quiet: bool,
) -> list[Alert]:
    """Return what is to be sent now.

    Parameters
    ----------
    params : AlertParams
    state : AlertState
    now_ns : int
    snoozed : mapping
        End (UTC ns) of the snooze by kind; what is still true then is sent then.
    quiet : bool
        Whether it is a quiet hour; what is still true after it is sent after it.
    """
    if quiet:
        return []
    found = []
    for alert in active(state):
        c = state.conditions[alert.key]
        recent = c.sent_ns is not None and now_ns - c.sent_ns < params.again_s * SECOND_NS
        if not c.told and not recent and snoozed.get(alert.kind, 0) <= now_ns:
            found.append(alert)
    return found


def mark_sent(state: AlertState, alerts: Iterable[Alert], now_ns: int) -> AlertState:
    """Return the state once messages went out."""
    conditions = dict(state.conditions)
    for alert in alerts:
        conditions[alert.key] = replace(conditions[alert.key], told=True, sent_ns=now_ns)
    return AlertState(conditions)


def in_quiet_hours(hours: tuple[int, int] | None, local_minute: int) -> bool:
    """Return whether a minute of the day lies in [begin, end), which may span midnight."""
    if hours is None:
        return False
    begin, end = hours
    if begin <= end:
        return begin <= local_minute < end
    return local_minute >= begin or local_minute < end


def _judged(params: AlertParams, seen: Observation) -> Iterable[tuple[str, bool | None, float]]:
    """Yield each condition: bad, good, or None where it stays what it was; and its patience."""
    for sensor in seen.sensors:
        level = sensor.battery
        empty = None if level is None else _between(level, params.battery_low, params.battery_ok)
        yield f"{AlertKind.BATTERY}/{sensor.role}", empty, params.battery_s
        yield f"{AlertKind.LINK_LOST}/{sensor.role}", not sensor.linked, params.link_lost_s
    linked = any(sensor.linked for sensor in seen.sensors)
    off = None if seen.worn is None or not linked else not seen.worn
    yield AlertKind.OFF_BODY, off, params.off_body_s
    if seen.recorded_today_s is not None:
        late = seen.local_minute >= params.nothing_from_minute
        empty_day = late and seen.recorded_today_s < params.nothing_below_s
        yield AlertKind.NOTHING_TODAY, empty_day, 0.0
    full: bool | None = None
    if seen.free_bytes is not None:
        full = _between(seen.free_bytes, params.disk_low_bytes, params.disk_ok_bytes)
    yield AlertKind.DISK, True if seen.disk_refuses else full, 0.0


def _between(value: float, low: float, ok: float) -> bool | None:
    """Return True below `low`, False from `ok` on, None between."""
    if value < low:
        return True
    return False if value >= ok else None
