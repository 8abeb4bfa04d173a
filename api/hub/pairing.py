"""Pairing a sensor for the patient of a data folder."""

import time

from api.errors import ApiError
from api.guided.pairing import as_device, keep_assigned, keep_paired
from api.settings import Settings
from ingest.discovery import FoundSensor, scan_sensors
from ingest.drivers.catalogue import SUPPORTED
from ingest.nod import Ask, assign_by_nod
from ingest.pairing import PairedSensor, pair_sensor
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


async def heard_pair(seconds: float) -> tuple[FoundSensor, FoundSensor]:
    """Return the two sensors that are around.

    Raises
    ------
    ApiError
        There are not two, or more.
    IngestError
        The radio cannot be used.
    """
    found = await scan_sensors(BleTransport(), SUPPORTED, seconds)
    usable = [each for each in found if each.recognised]
    if len(usable) == 2:
        return usable[0], usable[1]
    if not usable:
        raise ApiError(
            "no usable sensor was heard: switch both on, end their connections to a phone, bring "
            "them close, and look with `necktrace scan`."
        )
    listed = ", ".join(f"{each.address} ({each.model}, {each.name})" for each in usable)
    if len(usable) == 1:
        raise ApiError(
            f"only one usable sensor was heard: {listed}. Switch the other one on, or pair this "
            f"one alone: `necktrace pair {usable[0].address} --role head`."
        )
    raise ApiError(
        f"{len(usable)} usable sensors were heard: {listed}. Say which two are yours: "
        "`necktrace pair ADDRESS ADDRESS`."
    )


async def pair_by_nod(
    settings: Settings,
    addresses: tuple[str, str],
    ask: Ask,
    *,
    watch_s: float,
    scan_s: float,
) -> tuple[Device, Device]:
    """Pair the sensors at two addresses and find out by a nod which is worn on the head.

    Returns
    -------
    tuple of Device
        Head, then trunk; nothing is kept unless both are clear.

    Raises
    ------
    IngestError
        One was not heard, is not supported, refuses, or the nod was not clear.
    """
    first, second = addresses
    one, other = await _paired(first, scan_s), await _paired(second, scan_s)
    assigned = await assign_by_nod(BleTransport(), SUPPORTED, (one, other), ask, watch_s=watch_s)
    with Catalog(settings.data_dir) as catalog:
        return keep_assigned(catalog, first_patient(catalog, settings.zone_name).id, assigned)


async def _paired(address: str, scan_s: float) -> PairedSensor:
    return await pair_sensor(
        BleTransport(),
        SUPPORTED,
        address,
        monotonic_ns=time.monotonic_ns,
        window=pairing_window,
        scan_s=scan_s,
    )


async def pair_as(settings: Settings, address: str, role: str, *, scan_s: float) -> Device:
    """Pair the sensor at an address and keep it as the one worn on head or trunk.

    Raises
    ------
    IngestError
        It was not heard, is not supported, or refuses.
    """
    paired = await _paired(address, scan_s)
    with Catalog(settings.data_dir) as catalog:
        patient = first_patient(catalog, settings.zone_name)
        return keep_paired(catalog, as_device(paired, patient.id, role))
