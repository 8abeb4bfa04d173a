"""Pairing a sensor for the patient of a data folder."""

import time

from api.errors import ApiError
from api.guided.pairing import keep_paired
from api.settings import Settings
from ingest.drivers.catalogue import SUPPORTED
from ingest.pairing import pair_sensor
from ingest.sources.ble import BleTransport, pairing_window
from storage.catalog import Catalog, Device, Patient

FIRST_PATIENT = "p1"


def first_patient(catalog: Catalog, zone: str) -> Patient:
    """Return the patient of a home's folder, made where there is none yet."""
    held = catalog.patients()
    if len(held) > 1:
        raise ApiError("this folder holds more than one patient; a home records one.")
    if held:
        return held[0]
    patient = Patient(FIRST_PATIENT, "", zone)
    catalog.save_patient(patient)
    return patient


async def pair_as(settings: Settings, address: str, role: str) -> Device:
    """Pair the sensor at an address and keep it as the one worn on head or trunk.

    Raises
    ------
    IngestError
        It was not heard, is not supported, or refuses.
    """
    paired = await pair_sensor(
        BleTransport(),
        SUPPORTED,
        address,
        monotonic_ns=time.monotonic_ns,
        window=pairing_window,
    )
    with Catalog(settings.data_dir) as catalog:
        patient = first_patient(catalog, settings.zone_name)
        return keep_paired(
            catalog,
            Device(
                id=paired.identity.device_id,
                patient=patient.id,
                role=role,
                address=paired.address,
                model=paired.identity.model,
            ),
        )
