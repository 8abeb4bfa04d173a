"""Who is around: what `necktrace scan` and the pairing page show."""

from dataclasses import dataclass

from ingest.drivers.registry import Registry
from ingest.errors import AdapterUnavailableError
from ingest.transport import Advertisement, Transport

_BATTERY_SERVICE = "0000180f-0000-1000-8000-00805f9b34fb"
_UNSUPPORTED: dict[str, str] = {
    "326a9000-85cb-9195-d9dd-464cfbbae75a": "an MbientLab MetaMotion",
    "ef680100-9b35-4933-9b10-52ffa9740042": "a Nordic Thingy:52",
    "34c2e3bb-34aa-11eb-adc1-0242ac120002": "an OpenEarable",
    "8d53dc1d-1db7-4cd3-868b-8a527460aa84": "a device waiting for a firmware update",
    "0000180d-0000-1000-8000-00805f9b34fb": "a heart rate sensor",
}
"""Advertised services of known devices that no driver takes."""


@dataclass(frozen=True, slots=True)
class FoundSensor:
    """One device that was heard, recognised or not."""

    address: str
    name: str
    rssi_dbm: int | None
    driver: str
    """Short name of the driver, empty where the device was not recognised."""
    model: str
    battery_percent: int | None
    """Only where the device advertises it; most tell it after connecting."""
    reason: str
    """Why it was not recognised, empty where it was."""

    @property
    def recognised(self) -> bool:
        """Whether the device can be paired."""
        return bool(self.driver)


async def scan_sensors(
    transport: Transport, registry: Registry, duration_s: float, *, everybody: bool = False
) -> list[FoundSensor]:
    """Listen and return what was heard: recognised first, then by signal strength.

    Parameters
    ----------
    transport
        A radio that nobody else scans with at the time.
    registry
        Kinds of sensors that may be used.
    duration_s
        How long to listen. Most sensors are heard within 2 s, economical ones within 10 s.
    everybody
        Also return devices that are certainly something else (no name, no service).

    Raises
    ------
    AdapterUnavailableError, ScanFailedError
        The radio cannot be used.
    """
    status = await transport.adapter_state()
    if not status.ready:
        raise AdapterUnavailableError(status.detail, remedy=status.remedy)
    heard = await transport.scan((), duration_s=duration_s)
    found = [
        _judged(each, registry) for each in heard if everybody or each.name or each.service_uuids
    ]
    return sorted(
        found,
        key=lambda each: (not each.recognised, -(each.rssi_dbm or -127), each.address),
    )


def _judged(advertisement: Advertisement, registry: Registry) -> FoundSensor:
    entry = registry.recognise(advertisement)
    level = advertisement.service_data.get(_BATTERY_SERVICE, b"")
    return FoundSensor(
        address=advertisement.address,
        name=advertisement.name or "",
        rssi_dbm=advertisement.rssi_dbm,
        driver=entry.name if entry else "",
        model=entry.model if entry else "",
        battery_percent=level[0] if len(level) == 1 and level[0] <= 100 else None,
        reason="" if entry else _reason(advertisement),
    )


def _reason(advertisement: Advertisement) -> str:
    for uuid, what in _UNSUPPORTED.items():
        if uuid in advertisement.service_uuids:
            return f"This looks like {what}, which necktrace does not support."
    if not advertisement.service_uuids:
        return (
            "It advertises no service, and its name is not that of a supported sensor. If it is a "
            "sensor, wake it (button, movement) or end its connection to a phone."
        )
    services = ", ".join(sorted(uuid[4:8] for uuid in advertisement.service_uuids)[:3])
    return f"None of its advertised services ({services}) belongs to a supported sensor."
