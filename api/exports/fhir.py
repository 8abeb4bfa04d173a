"""Daily observations as a FHIR R4B bundle.

No LOINC code says "head turned against the trunk, median of a day" or "candidate episodes per
evaluable hour", and a code that nearly fits would be read as what it is not: the codes are our own,
the units UCUM. A day without enough worn time says so instead of a value.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from processing.summary.types import DaySummary

MEDIA_TYPE: Final = "application/fhir+json"
CODES: Final = "urn:necktrace:observation"
_UCUM: Final = "http://unitsofmeasure.org"
_HL7: Final = "http://terminology.hl7.org/CodeSystem"


@dataclass(frozen=True, slots=True)
class _Part:
    field: str
    code: str
    text: str
    unit: str
    ucum: str
    scale: float = 1.0


PARTS: Final = (
    _Part("worn_s", "worn", "Time the sensors were worn", "h", "h", 1 / 3600),
    _Part("evaluable_s", "evaluable", "Time from which angles were found", "h", "h", 1 / 3600),
    _Part("completeness", "completeness", "Share of the samples that arrived", "%", "%", 100.0),
    _Part("near_neutral_fraction", "near-neutral", "Share of time near neutral", "%", "%", 100.0),
    _Part("rotation_p50_deg", "rotation-median", "Rotation, median, right positive", "°", "deg"),
    _Part("lateral_p50_deg", "lateral-median", "Lateral tilt, median, right positive", "°", "deg"),
    _Part("flexion_p50_deg", "flexion-median", "Flexion, median, chin down positive", "°", "deg"),
    _Part("deviation_p50_deg", "deviation-median", "Angle from neutral, median", "°", "deg"),
    *(
        _Part(
            f"{kind}_per_evaluable_h",
            f"candidate-{kind}-rate",
            f"Candidate episodes ({kind}) per evaluable hour",
            "/h",
            "/h",
        )
        for kind in ("jerk", "posture", "tremor")
    ),
)


def daily_bundle(
    patient_id: str, days: Sequence[DaySummary], algo: str | None, *, back: timedelta | None = None
) -> dict[str, Any]:
    """Return a collection of one Observation per local day, and the Patient they are about.

    Parameters
    ----------
    patient_id : str
        As it is to appear.
    days : sequence of DaySummary
    algo : str, optional
        Version of the results.
    back : timedelta, optional
        By how much dates are moved back.
    """
    moved = back or timedelta()
    resource_id = "".join(c if c.isascii() and c.isalnum() else "-" for c in patient_id)[:40]
    person = {
        "resourceType": "Patient",
        "id": resource_id,
        "identifier": [{"system": "urn:necktrace:patient", "value": patient_id}],
    }
    entries = [person, *(_observation(resource_id, day, algo, moved) for day in days)]
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {"fullUrl": f"urn:necktrace:{each['resourceType']}:{each['id']}", "resource": each}
            for each in entries
        ],
    }


def _observation(
    resource_id: str, day: DaySummary, algo: str | None, back: timedelta
) -> dict[str, Any]:
    shown = (date.fromisoformat(day.date) - back).isoformat()
    made: dict[str, Any] = {
        "resourceType": "Observation",
        "id": f"{resource_id}-{shown}",
        "status": "final" if day.sufficient else "preliminary",
        "category": [{"coding": [{"system": f"{_HL7}/observation-category", "code": "activity"}]}],
        "code": {
            "coding": [{"system": CODES, "code": "head-posture-day"}],
            "text": "Head posture against the trunk over one local day, from worn sensors",
        },
        "subject": {"reference": f"urn:necktrace:Patient:{resource_id}"},
        "effectivePeriod": {"start": _instant(day.t_ns, back), "end": _instant(day.end_ns, back)},
        "component": [_component(part, getattr(day, part.field)) for part in PARTS],
    }
    if algo is not None:
        made["method"] = {"text": f"necktrace, version {algo} of the results"}
    if day.reasons:
        made["note"] = [{"text": reason} for reason in day.reasons]
    return made


def _component(part: _Part, value: float | None) -> dict[str, Any]:
    code = {"coding": [{"system": CODES, "code": part.code}], "text": part.text}
    if value is None:
        absent = {"coding": [{"system": f"{_HL7}/data-absent-reason", "code": "unknown"}]}
        return {"code": code, "dataAbsentReason": absent}
    quantity = {
        "value": round(value * part.scale, 6),
        "unit": part.unit,
        "system": _UCUM,
        "code": part.ucum,
    }
    return {"code": code, "valueQuantity": quantity}


def _instant(t_ns: int, back: timedelta) -> str:
    return (datetime.fromtimestamp(t_ns // 10**9, UTC) - back).isoformat().replace("+00:00", "Z")
