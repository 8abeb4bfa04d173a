"""Injections: product, units and muscles as text, kept as treatments."""

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo

from api.http.problems import problem
from api.queries import FIRST_YEAR, LAST_YEAR, to_ns
from storage.catalog import Catalog, Patient, new_id
from storage.notes import Treatment, remove_treatment, save_treatment, treatments

KIND: Final = "injection"
_NOON: Final = time(12)
"""Entered by date: noon, so that no change of zone moves it to another day."""


@dataclass(frozen=True, slots=True)
class Injection:
    """One injection, on the patient's local day."""

    id: str
    day: date
    product: str
    units: float | None
    muscles: str


def injections(catalog: Catalog, patient: Patient) -> list[Injection]:
    """Return a patient's injections, oldest first."""
    return [
        _injection(each, patient.zone)
        for each in treatments(catalog, patient.id)
        if each.kind == KIND
    ]


def _injection(treatment: Treatment, zone: str) -> Injection:
    moment = datetime.fromtimestamp(treatment.at_ns / 1e9, tz=ZoneInfo(zone))
    units = treatment.body.get("units")
    return Injection(
        id=treatment.id,
        day=moment.date(),
        product=str(treatment.body.get("product", "")),
        units=None if units is None else float(units),
        muscles=str(treatment.body.get("muscles", "")),
    )


def add_injection(
    catalog: Catalog,
    patient: Patient,
    day: date,
    *,
    product: str,
    units: float | None,
    muscles: str,
    actor: str,
) -> Injection:
    """Write an injection down and into the audit log.

    Raises
    ------
    ProblemError
        `invalid-request`: the date lies in the future or outside any recording.
    """
    zone = ZoneInfo(patient.zone)
    if not FIRST_YEAR <= day.year <= LAST_YEAR or day > datetime.now(zone).date():
        raise problem("invalid-request", "An injection is entered on or after its day.")
    at_ns = to_ns(datetime.combine(day, _NOON, tzinfo=zone))
    body: dict[str, object] = {"product": product, "muscles": muscles}
    if units is not None:
        body["units"] = units
    made = Treatment(new_id(), patient.id, KIND, at_ns, body)
    save_treatment(catalog, made)
    catalog.audit(actor, "injection.add", patient.id, {"id": made.id, **body})
    return _injection(made, patient.zone)


def take_back(catalog: Catalog, patient: Patient, injection_id: str, actor: str) -> None:
    """Remove an injection; what it said stands in the audit log.

    Raises
    ------
    ProblemError
        `not-found`.
    """
    for each in injections(catalog, patient):
        if each.id == injection_id:
            remove_treatment(catalog, injection_id)
            detail = {"id": each.id, "day": each.day.isoformat(), "product": each.product,
                      "units": each.units, "muscles": each.muscles}  # fmt: skip
            catalog.audit(actor, "injection.remove", patient.id, detail)
            return
    raise problem("not-found", "This patient has no such injection.")
