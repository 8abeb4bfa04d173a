"""Week and cycle in plain language: better, worse, or cannot say yet, with the reason.

The same days and the same intervals as the clinician's pages. Never a diagnosis: a difference is
said only where its interval leaves no room for none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from api.clinic.cycle_view import cycles_of
from api.clinic.figures import FIGURES, Figure
from api.clinic.injections import injections
from api.clinic.patient_days import (
    ClinicDay,
    clinic_days,
    reach,
    trend_days,
)
from api.queries import today_in
from api.runtime import Runtime
from api.thresholds import Thresholds, thresholds_of
from api.web import texts
from processing.shift import shift
from processing.trend import Turn
from storage.catalog import Patient

WEEK_D: Final = 7
BEFORE_D: Final = 28
LEAST_DAYS: Final = 4
"""Days that count of the last week, and before it (clinical specification, section 9)."""
TOLD: Final = ("near", "posture", "jerk", "tremor")
"""Figures that a patient is told about, the most telling first."""

Verdict = Literal["better", "worse", "unclear"]


@dataclass(frozen=True, slots=True)
class Said:
    """One figure in words."""

    name: str
    verdict: Verdict
    words: str
    why: str
    """Of a verdict that cannot be given; else what it rests on."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What a patient is told."""

    week: tuple[Said, ...]
    cycle: tuple[str, ...]
    """Sentences about the time since the last injection; empty where none is entered."""


def progress_of(runtime: Runtime, patient: Patient) -> Progress:
    """Return the last week against the four before, and the cycle so far."""
    today = today_in(patient.zone)
    thresholds = thresholds_of(runtime.catalog, patient.id)
    days = clinic_days(runtime, patient, *reach(today), thresholds)
    week = tuple(_week(FIGURES[key], days, thresholds, today) for key in TOLD)
    return Progress(week, _cycle(runtime, patient, days, thresholds, today))


def _week(figure: Figure, days: Sequence[ClinicDay], thresholds: Thresholds, today: date) -> Said:
    t = texts.text
    from_day = today.toordinal() - WEEK_D
    rows = [
        row
        for row in trend_days(days, figure, thresholds)
        if row.value is not None and from_day - BEFORE_D < row.day <= today.toordinal()
    ]
    newest = rows[-1].n_id if rows else ""
    same = [(row.day, row.value) for row in rows if row.n_id == newest and row.value is not None]
    recent = [value for day, value in same if day > from_day]
    before = [value for day, value in same if day <= from_day]
    if len(recent) < LEAST_DAYS:
        hours = f"{thresholds.least_worn_h:g}"
        why = t("week.why.recent", n=len(recent), least=LEAST_DAYS, hours=hours)
        return _said(figure, "unclear", why)
    if len(before) < LEAST_DAYS:
        neutral = any(row.n_id != newest for row in rows)
        why = t(
            "week.why.neutral" if neutral else "week.why.before", n=len(before), least=LEAST_DAYS
        )
        return _said(figure, "unclear", why)
    change = shift(before, recent)
    if not change.established:
        return _said(figure, "unclear", t("week.why.within"))
    assert change.low is not None
    assert change.high is not None
    good = (change.estimate > 0) == (figure.better == "higher")
    way = "more" if change.estimate > 0 else "less"
    low, high = sorted(abs(_told(figure, each)) for each in (change.low, change.high))
    amount = t(
        f"week.{way}.{figure.key}",
        n=_amount(abs(_told(figure, change.estimate))),
        low=_amount(low),
        high=_amount(high),
    )
    based = t("week.rests_on", change=amount, recent=len(recent), before=len(before))
    return _said(figure, "better" if good else "worse", based)


def _told(figure: Figure, change: float) -> float:
    """Return a change per hour: of a share in percent, minutes."""
    return 0.6 * change if figure.unit.endswith("%") else change


def _amount(value: float) -> str:
    """Return a number as people say it: whole from 3 on, below with one decimal."""
    return f"{value:.0f}" if value >= 3.0 else f"{value:.1f}"


def _said(figure: Figure, verdict: Verdict, why: str) -> Said:
    name = texts.text(f"week.figure.{figure.key}")
    return Said(name, verdict, texts.text(f"week.verdict.{verdict}"), why)


def _cycle(
    runtime: Runtime,
    patient: Patient,
    days: Sequence[ClinicDay],
    thresholds: Thresholds,
    today: date,
) -> tuple[str, ...]:
    t = texts.text
    held = [each for each in injections(runtime.catalog, patient) if each.day <= today]
    if not held:
        return ()
    since_d = (today - held[-1].day).days
    found = cycles_of(days, held, FIGURES["deviation"], thresholds)
    lines = [t("cycle.since", day=since_d)]
    if not found:
        return (*lines, t("cycle.cannot.no_baseline"))
    latest = found[-1]
    lines.append(_turned("onset", latest.onset))
    if latest.onset.day is not None:
        lines.append(_turned("wearing_off", latest.wearing_off))
    return tuple(lines)


def _turned(what: str, turn: Turn) -> str:
    t = texts.text
    if turn.day is None:
        return (
            t(f"cycle.{what}.not_reached")
            if turn.reason == "not_reached"
            else t(f"cycle.cannot.{turn.reason}")
        )
    until = t("cycle.open") if turn.high is None else str(turn.high)
    low = turn.day if turn.low is None else turn.low
    return t(f"cycle.{what}", day=turn.day, low=low, high=until)
