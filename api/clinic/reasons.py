"""Why a patient needs a look: codes for sorting, and the numbers behind each in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median
from typing import Final, Literal

from api.clinic.figures import FIGURES
from api.clinic.injections import Injection
from api.clinic.patient_days import ClinicDay, trend_days
from api.clinic.trust import TrustShare, trust_share
from api.clinic.words import interval, turn_words
from api.thresholds import Thresholds
from api.web import texts
from processing.shift import Shift, shift
from processing.trend import Cycle

Code = Literal["no_data", "worse", "wearing_off", "poor_trust"]
ORDER: Final[tuple[Code, ...]] = ("no_data", "worse", "wearing_off", "poor_trust")
"""Weightiest first."""
WEEK_D: Final = 7
BEFORE_D: Final = 28
FIGURE: Final = FIGURES["deviation"]


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason."""

    code: Code
    words: str
    """With its numbers."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a patient stands today."""

    last_day: date | None
    """Latest day with worn time."""
    silent_d: int | None
    recent: float | None
    """Median deviation of the last week's days, degrees."""
    change: Shift | None
    """Last week against the four weeks before."""
    trust: TrustShare
    """Of the last week."""
    reasons: tuple[Reason, ...]


def standing(
    today: date,
    days: Sequence[ClinicDay],
    cycles: Sequence[Cycle],
    thresholds: Thresholds,
) -> Standing:
    """Return how a patient stands and what is to be looked at.

    Parameters
    ----------
    cycles : sequence of Cycle
        By `FIGURE`.
    """
    rows = trend_days(days, FIGURE, thresholds)
    newest = next((r.n_id for r in reversed(rows) if r.value is not None), "")
    week_from = today.toordinal() - WEEK_D
    usable = [(r.day, r.value) for r in rows if r.value is not None and r.n_id == newest]
    recent = [value for day, value in usable if day > week_from]
    before = [value for day, value in usable if week_from - BEFORE_D < day <= week_from]
    worn = [d.day for d in days if d.summary.worn_s > 0.0]
    change = shift(before, recent) if before and recent else None
    trust = trust_share([d for d in days if d.day > today - timedelta(days=WEEK_D)])
    silent = (today - worn[-1]).days if worn else None
    return Standing(
        last_day=worn[-1] if worn else None,
        silent_d=silent,
        recent=median(recent) if recent else None,
        change=change,
        trust=trust,
        reasons=_reasons(silent, change, cycles, trust, thresholds),
    )


def _reasons(
    silent: int | None,
    change: Shift | None,
    cycles: Sequence[Cycle],
    trust: TrustShare,
    thresholds: Thresholds,
) -> tuple[Reason, ...]:
    t = texts.text
    found = []
    if silent is None:
        found.append(Reason("no_data", t("clinic.because.never")))
    elif silent >= thresholds.silent_d:
        found.append(Reason("no_data", t("clinic.because.no_data", n=silent)))
    worse = change is not None and change.established
    if change is not None and worse and change.estimate > max(0.0, thresholds.least_worse_deg):
        by = FIGURE.signed(change.estimate)
        said = t("clinic.because.worse", by=by, interval=interval(FIGURE, change))
        found.append(Reason("worse", said))
    if cycles and cycles[-1].wearing_off.day is not None:
        said = t("clinic.because.wearing_off", turn=turn_words(cycles[-1].wearing_off))
        found.append(Reason("wearing_off", said))
    if trust.days and trust.poor >= thresholds.poor_percent:
        found.append(Reason("poor_trust", t("clinic.because.poor_trust", n=f"{trust.poor:.0f}")))
    return tuple(found)


def since_last(today: date, held: Sequence[Injection]) -> int | None:
    """Return the days since the last injection."""
    return (today - held[-1].day).days if held else None
