"""A recording follows what the person says: no begins none and ends one, yes goes on."""

import asyncio
from typing import Literal

from api.errors import ApiError
from storage.catalog import Catalog, Patient
from storage.consent import is_withdrawn
from storage.errors import CatalogError

CONSENT_EVERY_S = 1.0


def refuse_withdrawn(catalog: Catalog, patient: Patient) -> None:
    """Record nothing of somebody who does not want it.

    Raises
    ------
    ApiError
        Consent to processing was withdrawn.
    """
    if is_withdrawn(catalog, patient.id, "processing"):
        raise ApiError(
            f"{patient.label or patient.id} withdrew the consent to recording: start `necktrace "
            "serve` and give it again under Settings, or choose another folder with --data-dir."
        )


def is_erased(catalog: Catalog, patient: str) -> bool:
    """Return whether a patient was deleted."""
    try:
        catalog.patient(patient)
    except CatalogError:
        return True
    return False


async def until_withdrawn(catalog: Catalog, patient: str) -> None:
    """Wait until the patient withdraws, here or in another process."""
    while not is_withdrawn(catalog, patient, "processing"):  # noqa: ASYNC110  a row of a database tells nobody
        await asyncio.sleep(CONSENT_EVERY_S)


async def until_erased(catalog: Catalog, patient: str) -> None:
    """Wait until the patient is deleted, here or in another process."""
    while not is_erased(catalog, patient):  # noqa: ASYNC110  as above
        await asyncio.sleep(CONSENT_EVERY_S)


async def until_decided(catalog: Catalog, patient: str) -> Literal["agreed", "erased"]:
    """Wait, after a withdrawal, until the patient agrees again or is deleted."""
    while is_withdrawn(catalog, patient, "processing"):  # noqa: ASYNC110  as above
        await asyncio.sleep(CONSENT_EVERY_S)
    # what was said goes with the patient: nothing said is no yes
    return "erased" if is_erased(catalog, patient) else "agreed"
