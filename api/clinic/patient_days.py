"""A patient's days as a clinician counts them: with their neutral, and whether they count."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Final

from api import queries
from api.clinic.figures import Figure
from api.runtime import Runtime
from api.thresholds import Thresholds
from processing.summary.types import DaySummary
from processing.trend import TrendDay
from storage.catalog import Patient

_ROTATION_SHARE: Final = 4.0 / 6.0
"""Share of the least worn time that needs heading fair or better: 4 of 6 hours."""
REACH_D: Final = 400


@dataclass(frozen=True, slots=True)
class ClinicDay:
    """A day summary, the neutral it is relative to, and whether it counts."""

    summary: DaySummary
    n_id: str
    mixed: bool
    """The neutral was taken anew within the day."""
    counts: bool
    counts_rotation: bool

    @property
    def day(self) -> date:
        """The local date."""
        return date.fromisoformat(self.summary.date)

    def value(self, figure: Figure) -> float | None:
        """Return a figure, None where the day does not count for it."""
        enough = self.counts_rotation if figure.needs_rotation else self.counts
        if not enough or (figure.per_neutral and self.mixed):
            return None
        return figure.pick(self.summary)


def clinic_days(
    runtime: Runtime, patient: Patient, first: date, last: date, thresholds: Thresholds
) -> list[ClinicDay]:
    """Return the days of [first, last] that have a summary, in order."""
    found = queries.days(runtime, patient, first, last)
    if not found:
        return []
    neutral_of = {each.id: each.n_id for each in runtime.catalog.alignments(patient.id)}
    sessions = [
        (each.start_ns, neutral_of[each.alignment_id])
        for each in runtime.catalog.wear_sessions(patient.id)
        if each.alignment_id in neutral_of
    ]
    return [_clinic_day(each, sessions, thresholds) for each in found]


def _clinic_day(
    summary: DaySummary, sessions: Sequence[tuple[int, str]], thresholds: Thresholds
) -> ClinicDay:
    begun = [n_id for start, n_id in sessions if summary.t_ns <= start < summary.end_ns]
    before = [n_id for start, n_id in sessions if start < summary.t_ns]
    n_ids = begun or before[-1:] or [""]
    worn_h = summary.worn_s / 3600.0
    heading_h = (summary.heading_good_s + summary.heading_fair_s) / 3600.0
    counts = worn_h >= thresholds.least_worn_h
    return ClinicDay(
        summary=summary,
        n_id=n_ids[-1],
        mixed=len(set(n_ids)) > 1,
        counts=counts,
        counts_rotation=counts and heading_h >= _ROTATION_SHARE * thresholds.least_worn_h,
    )


def trend_days(
    days: Sequence[ClinicDay], figure: Figure, thresholds: Thresholds
) -> tuple[TrendDay, ...]:
    """Return a figure's days for `processing.trend`."""
    free = not figure.per_neutral or thresholds.across_neutrals
    return tuple(
        TrendDay(each.day.toordinal(), each.value(figure), "" if free else each.n_id)
        for each in days
    )


def neutral_changes(days: Sequence[ClinicDay]) -> list[date]:
    """Return the days on which angles are relative to another neutral than the day before."""
    return [
        after.day for before, after in pairwise(days) if before.n_id != after.n_id or after.mixed
    ]


def reach(today: date) -> tuple[date, date]:
    """Return the first and last day that clinical pages look at."""
    return today - timedelta(days=REACH_D), today
