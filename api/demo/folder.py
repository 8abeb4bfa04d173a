"""Whose folder it is: the simulated patient's, with an injection in the past, or nobody's yet."""

from datetime import timedelta
from pathlib import Path

from api.clinic.injections import add_injection
from api.demo.person import INJECTED_DAYS_AGO, LABEL, PATIENT_ID
from api.errors import DemoError
from api.hub.recording import local_today
from api.thresholds import Thresholds, save_thresholds
from storage.catalog import Catalog, Patient

SHORT_DAY_H = 0.5
"""Worn time from which the simulated patient's days of one hour count."""


def demo_patient(catalog: Catalog, folder: Path, zone: str) -> Patient:
    """Return the simulated patient of a folder that holds nobody else."""
    for patient in catalog.patients():
        if patient.id != PATIENT_ID:
            raise DemoError(
                f"{folder} holds the record of {patient.label or patient.id}; the demonstration "
                "never mixes with it. Give another folder with --data-dir."
            )
        return patient
    made = Patient(PATIENT_ID, LABEL, zone)
    catalog.save_patient(made)
    _past_injection(catalog, made)
    return made


def _past_injection(catalog: Catalog, patient: Patient) -> None:
    """Write down what the simulated course is that of, and that its days are short."""
    day = local_today(patient) - timedelta(days=INJECTED_DAYS_AGO)
    product, muscles = "botulinum toxin (simulated)", "splenius capitis right (simulated)"
    add_injection(
        catalog, patient, day, product=product, units=150.0, muscles=muscles, actor="demo"
    )
    wanted = Thresholds(least_worn_h=SHORT_DAY_H)
    save_thresholds(catalog, patient.id, wanted, "demo")
