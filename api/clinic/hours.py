"""Hour by day: how far the head was from neutral, from stored minutes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from api import queries
from api.runtime import Runtime
from storage.catalog import Patient

LEAST_S = 300.0
"""Evaluable seconds an hour needs to be shown."""
BOUNDS_DEG = (5.0, 10.0, 15.0, 20.0, 30.0)
"""Steps of the scale, degrees of deviation."""


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour of one day."""

    hour: int
    deviation_deg: float | None
    """Mean over the hour's evaluable time; None where there is too little."""
    level: int
    """0 where nothing is known, else 1 to 6."""


@dataclass(frozen=True, slots=True)
class HourRow:
    """One day."""

    day: date
    hours: tuple[Hour, ...]


def hour_rows(runtime: Runtime, patient: Patient, days: Sequence[date]) -> tuple[HourRow, ...]:
    """Return a row of 24 hours per day, in the patient's zone.

    An hour that daylight saving repeats holds both; one that it skips stays empty.
    """
    if not days:
        return ()
    span = queries.day_range(days[0], days[-1], patient.zone)
    zone = ZoneInfo(patient.zone)
    sums: dict[tuple[date, int], list[float]] = {}
    for minute in runtime.results.minutes(patient.id, span.t0_ns, span.t1_ns, texts=False):
        mean = minute.values.get("deviation_mean_deg")
        seconds = minute.values.get("evaluable_s")
        if mean is None or not seconds:
            continue
        local = datetime.fromtimestamp(minute.t_ns / 1e9, tz=zone)
        held = sums.setdefault((local.date(), local.hour), [0.0, 0.0])
        held[0] += mean * seconds
        held[1] += seconds
    return tuple(
        HourRow(day, tuple(_hour(sums.get((day, h)), h) for h in range(24))) for day in days
    )


def known_hours(rows: Sequence[HourRow]) -> range:
    """Return the hours from the first to the last in which any day knows something."""
    known = [each.hour for row in rows for each in row.hours if each.deviation_deg is not None]
    return range(min(known), max(known) + 1) if known else range(24)


def _hour(held: list[float] | None, hour: int) -> Hour:
    if held is None or held[1] < LEAST_S:
        return Hour(hour, None, 0)
    mean = held[0] / held[1]
    return Hour(hour, mean, 1 + sum(mean >= bound for bound in BOUNDS_DEG))
