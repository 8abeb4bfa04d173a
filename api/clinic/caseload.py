"""Who needs a look, and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median

from api.clinic.figures import FIGURES
from api.clinic.injections import injections
from api.clinic.patient_days import ClinicDay, clinic_days, counting_of, reach, trend_days
from api.clinic.patient_view import TrustShare, cycles_of, trust_share
from api.queries import today_in
from api.runtime import Runtime
from processing.trend import Cycle, Shift, shift
from storage.catalog import Patient

SILENT_D = 3
"""Days without data before it is a reason to look."""
POOR_PERCENT = 30.0
"""Share of the last week with heading poor that is a reason to look."""
WEEK_D = 7
BEFORE_D = 28


@dataclass(frozen=True, slots=True)
class Case:
    """One patient of the caseload."""

    patient: Patient
    last_day: date | None
    """Latest day with worn time."""
    silent_d: int | None
    since_injection_d: int | None
    recent: float | None
    """Median deviation of the last week's days, degrees."""
    change: Shift | None
    """Last week against the four weeks before."""
    trust: TrustShare
    """Of the last week."""
    reasons: tuple[str, ...]
    """Codes, weightiest first: `no_data`, `worse`, `wearing_off`, `poor_trust`."""


def caseload(runtime: Runtime, patients: Sequence[Patient]) -> list[Case]:
    """Return the patients, those with the weightiest reasons first."""
    order = ("no_data", "worse", "wearing_off", "poor_trust")
    cases = [case_of(runtime, patient) for patient in patients]

    def weight(case: Case) -> tuple[tuple[int, ...], str]:
        missing = tuple(0 if code in case.reasons else 1 for code in order)
        return (0 if case.reasons else 1, *missing), case.patient.label

    return sorted(cases, key=weight)


def case_of(runtime: Runtime, patient: Patient) -> Case:
    """Return one patient's line."""
    today = today_in(patient.zone)
    counting = counting_of(runtime.catalog, patient.id)
    days = clinic_days(runtime, patient, *reach(today), counting)
    held = [i for i in injections(runtime.catalog, patient) if i.day <= today]
    figure = FIGURES["deviation"]
    rows = trend_days(days, figure, counting)
    newest = next((r.n_id for r in reversed(rows) if r.value is not None), "")
    week_from = today.toordinal() - WEEK_D
    usable = [r for r in rows if r.value is not None and r.n_id == newest]
    recent = [r.value for r in usable if r.day > week_from and r.value is not None]
    before = [
        r.value for r in usable if week_from - BEFORE_D < r.day <= week_from and r.value is not None
    ]
    found = cycles_of(days, held, figure, counting)
    worn = [d.day for d in days if d.summary.worn_s > 0.0]
    change = shift(before, recent) if before and recent else None
    trust = trust_share([d for d in days if d.day > today - timedelta(days=WEEK_D)])
    silent = (today - worn[-1]).days if worn else None
    return Case(
        patient=patient,
        last_day=worn[-1] if worn else None,
        silent_d=silent,
        since_injection_d=(today - held[-1].day).days if held else None,
        recent=median(recent) if recent else None,
        change=change,
        trust=trust,
        reasons=_reasons(days, silent, change, found, trust),
    )


def _reasons(
    days: Sequence[ClinicDay],
    silent: int | None,
    change: Shift | None,
    found: Sequence[Cycle],
    trust: TrustShare,
) -> tuple[str, ...]:
    reasons = []
    if silent is None or silent >= SILENT_D:
        reasons.append("no_data")
    if change is not None and change.established and change.estimate > 0.0:
        reasons.append("worse")
    if found and found[-1].wearing_off.day is not None:
        reasons.append("wearing_off")
    if days and trust.poor >= POOR_PERCENT:
        reasons.append("poor_trust")
    return tuple(reasons)
