"""Which patient a command means."""

from api.errors import ApiError
from storage.catalog import Catalog, Patient


def meant_patient(catalog: Catalog, patient_id: str | None) -> Patient:
    """Return the patient with this id, or the only one where none is named.

    Raises
    ------
    ApiError
        There is no such patient, or there are several to choose from; names them.
    """
    held = catalog.patients()
    if patient_id is None and len(held) == 1:
        return held[0]
    for patient in held:
        if patient.id == patient_id:
            return patient
    names = ", ".join(patient.id for patient in held) or "none"
    raise ApiError(f"name a patient with --patient; there are: {names}.")
