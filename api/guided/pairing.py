"""The first run: which sensors to record from, chosen on a page before recording begins."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Final

from ingest.discovery import FoundSensor, scan_sensors
from ingest.drivers.catalogue import SUPPORTED
from ingest.live import Role
from ingest.pairing import pair_sensor
from ingest.sources.virtual_body import ROLES, device_id
from ingest.transport import Transport
from storage.catalog import Catalog, Device, Patient

SCAN_S: Final = 6.0
"""Most sensors are heard within 2 s; a person waits."""
VIRTUAL: Final = "virtual"
"""Model of simulated sensors."""
SIMULATED: Final = "simulated"
"""Setting of a patient who is none: everything recorded in this folder is made up."""
SEED: Final = 2


def is_simulated(patient: Patient) -> bool:
    """Return whether a folder's person is simulated."""
    return bool(patient.settings.get(SIMULATED))


class PairingDesk:
    """Scans and pairs while nothing is recorded yet.

    Parameters
    ----------
    catalog : Catalog
    patient : str
    transport : Transport
        The radio, used by nobody else until `chosen` is set.
    window : callable
        Makes the computer accept the pairing of one address.
    """

    def __init__(
        self,
        catalog: Catalog,
        patient: str,
        transport: Transport,
        window: Callable[[str], AbstractAsyncContextManager[None]] | None,
    ) -> None:
        self._catalog = catalog
        self._patient = patient
        self._transport = transport
        self._window = window
        self._radio = asyncio.Lock()
        self.chosen = asyncio.Event()
        """Set when recording may begin."""

    def paired(self) -> dict[Role, Device]:
        """Return the sensors that are paired, by where they are worn."""
        held = self._catalog.devices(patient=self._patient)
        return {role: device for device in held for role in ROLES if device.role == role}

    async def scan(self) -> list[FoundSensor]:
        """Listen for sensors.

        Raises
        ------
        AdapterUnavailableError, ScanFailedError
            The radio cannot be used; the message says what to do.
        """
        async with self._radio:
            return await scan_sensors(self._transport, SUPPORTED, SCAN_S)

    async def pair(self, address: str, role: Role) -> Device:
        """Pair the sensor at an address as the one worn on head or trunk.

        Raises
        ------
        IngestError
            It was not heard, is not supported, or refuses.
        """
        async with self._radio:
            found = await pair_sensor(
                self._transport,
                SUPPORTED,
                address,
                monotonic_ns=time.monotonic_ns,
                window=self._window,
            )
        return keep_paired(
            self._catalog,
            Device(
                id=found.identity.device_id,
                patient=self._patient,
                role=role,
                address=found.address,
                model=found.identity.model,
            ),
        )

    def simulate(self) -> None:
        """Record a simulated person from now on; only where nothing real was recorded."""
        patient = self._catalog.patient(self._patient)
        label = patient.label or "Simulated person"
        settings = {**patient.settings, SIMULATED: True}
        self._catalog.save_patient(replace(patient, label=label, settings=settings))
        for role in ROLES:
            made = f"v1-{device_id(role, SEED).hex()}"
            keep_paired(self._catalog, Device(made, self._patient, role, model=VIRTUAL))
        self.chosen.set()

    def begin(self) -> bool:
        """Let recording begin with what is paired; False where no head sensor is."""
        if "head" not in self.paired():
            return False
        self.chosen.set()
        return True


def keep_paired(catalog: Catalog, device: Device) -> Device:
    """Keep a sensor as the only one of its role; what is known of the unit stays."""
    for other in catalog.devices():
        if other.id == device.id:
            device = replace(device, calibration=other.calibration, boots=other.boots)
        elif other.patient == device.patient and other.role == device.role:
            catalog.save_device(replace(other, role=None))
    catalog.save_device(device)
    return device
