"""The first run: which sensors to record from, chosen on a page before recording begins."""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Final, Literal

from api.guided.replacing import begin_anew
from firmware_protocol.devices.descriptions import describe
from ingest.discovery import FoundSensor, scan_sensors
from ingest.drivers.catalogue import SUPPORTED
from ingest.errors import IngestError, NodUnclearError, UnknownSensorError
from ingest.live import Role
from ingest.nod import NOD_S, Assigned, NodVerdict, assign_by_nod
from ingest.pairing import PairedSensor, pair_sensor
from ingest.sources.virtual_body import ROLES, device_id
from ingest.transport import Transport
from storage.catalog import Catalog, Device, Patient

_log = logging.getLogger(__name__)

SCAN_S: Final = 6.0
"""Most sensors are heard within 2 s; a person waits."""
READY_S: Final = 3.0
"""Time to see the sentence before the nod is watched; a page that reloads needs two."""
VIRTUAL: Final = "virtual"
"""Model of simulated sensors."""
SIMULATED: Final = "simulated"
"""Setting of a patient who is none: everything recorded in this folder is made up."""
DEMO: Final = "demo"
"""The patient of `necktrace demo`, whose folder holds nothing of a real person either."""
SEED: Final = 2


@dataclass(frozen=True, slots=True)
class NodView:
    """How far finding out by a nod is, for the page."""

    state: Literal["connecting", "get_ready", "now", "failed"]
    before: str = ""
    """What the last try amounted to (`NodVerdict`), empty before the first."""
    trouble: str = ""
    """Why it failed, where it was not for the nod."""


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
    nod_s : float
        How long a nod is watched.
    """

    def __init__(
        self,
        catalog: Catalog,
        patient: str,
        transport: Transport,
        window: Callable[[str], AbstractAsyncContextManager[None]] | None,
        *,
        nod_s: float = NOD_S,
    ) -> None:
        self._catalog = catalog
        self._patient = patient
        self._transport = transport
        self._window = window
        self._radio = asyncio.Lock()
        self._nod_s = nod_s
        self._nodding: asyncio.Task[None] | None = None
        self.nod: NodView | None = None
        """How far finding out by a nod is; None where nothing is under way or it is done."""
        self.chosen = asyncio.Event()
        """Set when recording may begin."""
        self.ready: float | None = None
        """Share of what is compiled before recording begins; None where nothing has to be."""

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
            found = await self._paired(address)
        return keep_paired(self._catalog, as_device(found, self._patient, role))

    async def _paired(self, address: str) -> PairedSensor:
        return await pair_sensor(
            self._transport,
            SUPPORTED,
            address,
            monotonic_ns=time.monotonic_ns,
            window=self._window,
        )

    def start_nod(self, addresses: tuple[str, str]) -> bool:
        """Begin to find out by a nod which of two sensors is worn on the head; False while busy.

        `nod` tells how far it is.
        """
        if self._nodding is not None and not self._nodding.done():
            return False
        self.nod = NodView("connecting")
        self._nodding = asyncio.create_task(self._by_nod(addresses))
        return True

    async def _by_nod(self, addresses: tuple[str, str]) -> None:
        async def ask(_number: int, before: NodVerdict | None) -> None:
            self.nod = NodView("get_ready", before or "")
            await asyncio.sleep(READY_S)
            self.nod = NodView("now", before or "")

        try:
            async with self._radio:
                first, second = addresses
                sensors = (await self._paired(first), await self._paired(second))
                assigned = await assign_by_nod(
                    self._transport, SUPPORTED, sensors, ask, watch_s=self._nod_s
                )
            keep_assigned(self._catalog, self._patient, assigned)
            self.nod = None
        except IngestError as error:
            verdict = error.verdict if isinstance(error, NodUnclearError) else ""
            trouble = str(error) if verdict else f"{error} {error.remedy}".strip()
            self.nod = NodView("failed", verdict, trouble)
        except Exception:
            _log.exception("finding out by a nod ended in an unforeseen way")
            self.nod = NodView("failed")
            raise

    async def end(self) -> None:
        """Let go of the sensors; whatever was under way ends."""
        if self._nodding is not None:
            self._nodding.cancel()
            await asyncio.gather(self._nodding, return_exceptions=True)

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


def as_device(paired: PairedSensor, patient: str, role: str) -> Device:
    """Return a paired sensor as the catalogue keeps it."""
    identity = paired.identity
    return Device(
        id=identity.device_id, patient=patient, role=role, address=paired.address,
        model=identity.model,
    )  # fmt: skip


def keep_assigned(catalog: Catalog, patient: str, assigned: Assigned) -> tuple[Device, Device]:
    """Keep both sensors of a person; return head, then trunk."""
    return (
        keep_paired(catalog, as_device(assigned.head, patient, "head")),
        keep_paired(catalog, as_device(assigned.trunk, patient, "trunk")),
    )


def keep_paired(catalog: Catalog, device: Device) -> Device:
    """Keep a sensor as the only one of its role; what is known of the unit stays.

    Raises
    ------
    UnknownSensorError
        It has no gyroscope and is to be worn on the head.
    """
    model = describe(device.id, device.model)
    if device.role == "head" and model is not None and not model.has_gyr:
        raise UnknownSensorError(
            f"The {model.name} has no gyroscope: it cannot follow the head.",
            remedy="Wear it on the trunk, and another sensor on the head.",
        )
    known = catalog.devices()
    before = [d.id for d in known if d.patient == device.patient and d.role == device.role]
    for other in known:
        if other.id == device.id:
            device = replace(device, calibration=other.calibration, boots=other.boots)
        elif other.patient == device.patient and other.role == device.role:
            catalog.save_device(replace(other, role=None))
    catalog.save_device(device)
    if device.patient is not None and device.role is not None and before != [device.id]:
        begin_anew(catalog, device.patient, device.role, time.time_ns())
    return device
