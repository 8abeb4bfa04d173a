"""A patient's days as a clinician counts them: with their neutral, and whether they count."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Final

from api import queries
from api.clinic.figures import Figure
from api.runtime import Runtime
from processing.summary.types import DaySummary
from processing.trend import TrendDay
from storage.catalog import Catalog, Patient

LEAST_WORN_H: Final = 6.0
"""Default of a valid day (clinical specification, section 9)."""
_ROTATION_SHARE: Final = 4.0 / 6.0
"""Share of the least worn time that needs heading fair or better: 4 of 6 hours."""
REACH_D: Final = 400


@dataclass(frozen=True, slots=True)
class Counting:
    """Which days count for this patient; a clinician may change it."""

    least_worn_h: float = LEAST_WORN_H
    across_neutrals: bool = False
    """Join days of different neutrals; every change is marked all the same."""


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


def scope_of(patient_id: str) -> str:
    """Return where a patient's clinical settings are kept."""
    return f"clinic/{patient_id}"


def counting_of(catalog: Catalog, patient_id: str) -> Counting:
    """Return which days count for a patient."""
    held = catalog.settings(scope_of(patient_id))
    return Counting(
        least_worn_h=float(held.get("least_worn_h", LEAST_WORN_H)),
        across_neutrals=bool(held.get("across_neutrals", False)),
    )


def save_counting(catalog: Catalog, patient_id: str, wanted: Counting, actor: str) -> None:
    """Keep which days count; what it was before stands in the audit log."""
    before = counting_of(catalog, patient_id)
    scope = scope_of(patient_id)
    catalog.set_setting(scope, "least_worn_h", wanted.least_worn_h)
    catalog.set_setting(scope, "across_neutrals", wanted.across_neutrals)
    catalog.audit(
        actor,
        "clinic.counting",
        patient_id,
        {
            "before": {"h": before.least_worn_h, "across": before.across_neutrals},
            "after": {"h": wanted.least_worn_h, "across": wanted.across_neutrals},
        },
    )


def clinic_days(
    runtime: Runtime, patient: Patient, first: date, last: date, counting: Counting
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
    return [_clinic_day(each, sessions, counting) for each in found]


def _clinic_day(
    summary: DaySummary, sessions: Sequence[tuple[int, str]], counting: Counting
) -> ClinicDay:
    begun = [n_id for start, n_id in sessions if summary.t_ns <= start < summary.end_ns]
    before = [n_id for start, n_id in sessions if start < summary.t_ns]
    n_ids = begun or before[-1:] or [""]
    worn_h = summary.worn_s / 3600.0
    heading_h = (summary.heading_good_s + summary.heading_fair_s) / 3600.0
    counts = worn_h >= counting.least_worn_h
    return ClinicDay(
        summary=summary,
        n_id=n_ids[-1],
        mixed=len(set(n_ids)) > 1,
        counts=counts,
        counts_rotation=counts and heading_h >= _ROTATION_SHARE * counting.least_worn_h,
    )


def trend_days(
    days: Sequence[ClinicDay], figure: Figure, counting: Counting
) -> tuple[TrendDay, ...]:
    """Return a figure's days for `processing.trend`."""
    free = not figure.per_neutral or counting.across_neutrals
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
