"""Who needs a look, and why."""

from collections.abc import Sequence
from dataclasses import dataclass

from api.clinic.cycle_view import cycles_of
from api.clinic.injections import injections
from api.clinic.patient_days import clinic_days, reach
from api.clinic.reasons import FIGURE, ORDER, Standing, since_last, standing
from api.queries import today_in
from api.runtime import Runtime
from api.thresholds import thresholds_of
from storage.catalog import Patient


@dataclass(frozen=True, slots=True)
class Case:
    """One patient of the caseload."""

    patient: Patient
    standing: Standing
    since_injection_d: int | None

    @property
    def codes(self) -> tuple[str, ...]:
        """Codes of the reasons, weightiest first."""
        return tuple(reason.code for reason in self.standing.reasons)

    @property
    def weight(self) -> tuple[int, ...]:
        """Sorts the weightiest reasons first."""
        return (0 if self.codes else 1, *(0 if code in self.codes else 1 for code in ORDER))


def caseload(runtime: Runtime, patients: Sequence[Patient]) -> list[Case]:
    """Return the patients, those with the weightiest reasons first."""
    cases = [case_of(runtime, patient) for patient in patients]
    return sorted(cases, key=lambda case: (case.weight, case.patient.label))


def case_of(runtime: Runtime, patient: Patient) -> Case:
    """Return one patient's line."""
    today = today_in(patient.zone)
    thresholds = thresholds_of(runtime.catalog, patient.id)
    days = clinic_days(runtime, patient, *reach(today), thresholds)
    held = [i for i in injections(runtime.catalog, patient) if i.day <= today]
    found = cycles_of(days, held, FIGURE, thresholds)
    return Case(patient, standing(today, days, found, thresholds), since_last(today, held))
