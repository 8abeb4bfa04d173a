"""Pairing: make a sensor known to this computer.

Who is paired is remembered by the caller as a `SensorWish`; what makes a pairing safe is that only
the sensor a person chose is connected, identified and, where it has one, bonded.
"""

import asyncio
import contextlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from ingest.candidates import SensorWish
from ingest.drivers.driver import SensorIdentity
from ingest.drivers.inbox import Inbox, MonotonicNs
from ingest.drivers.registry import Registry
from ingest.errors import PairingRequiredError, SensorNotFoundError, UnknownSensorError
from ingest.transport import Advertisement, Connection, Transport

PairingWindow = Callable[[str], AbstractAsyncContextManager[None]]
"""Makes the computer accept the pairing of one address; `ingest.sources.ble.pairing_window`."""


@dataclass(frozen=True, slots=True)
class PairedSensor:
    """A sensor that answered; enough to find it again."""

    identity: SensorIdentity
    address: str
    name: str

    def wish(self, rate_hz: float) -> SensorWish:
        """Return what a link needs to find exactly this sensor."""
        return SensorWish(
            rate_hz=rate_hz,
            device_id=self.identity.device_id,
            address=self.address,
            name=self.name,
            driver=self.identity.driver,
        )


async def pair_sensor(
    transport: Transport,
    registry: Registry,
    address: str,
    *,
    monotonic_ns: MonotonicNs,
    window: PairingWindow | None = None,
    scan_s: float = 10.0,
    window_s: float = 60.0,
) -> PairedSensor:
    """Connect to one sensor, identify it, bond where it asks for encryption, disconnect.

    Parameters
    ----------
    transport
        A radio that nobody else uses at the time.
    registry
        Kinds of sensors that may be used.
    address
        As `scan_sensors` returned it.
    monotonic_ns
        Host clock.
    window
        Accepts the pairing on this side; None where the system does it by a dialog of its own.
    scan_s
        How long to look for the sensor.
    window_s
        How long a person has to press the sensor's button.

    Raises
    ------
    SensorNotFoundError, UnknownSensorError, PairingRequiredError, PairingRefusedError
        And whatever connecting and identifying raise.
    """
    heard = await transport.scan((), duration_s=scan_s, until=lambda each: each.address == address)
    found = next((each for each in heard if each.address == address), None)
    if found is None:
        raise SensorNotFoundError(f"The sensor {address} was not heard.")
    entry = registry.recognise(found)
    if entry is None:
        raise UnknownSensorError(
            f"{found.name or address} is not a sensor that necktrace supports."
        )
    accepted = window(address) if window is not None else contextlib.nullcontext()
    async with accepted:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + window_s
        while True:
            connection = await _connected(transport, found)
            try:
                driver = entry.make(connection, Inbox(monotonic_ns=monotonic_ns), monotonic_ns)
                identity = await driver.identify()
            except PairingRequiredError:
                # the window on the sensor opens with its button, perhaps in a moment
                if loop.time() >= deadline:
                    raise
                await asyncio.sleep(1.0)
            else:
                return PairedSensor(identity, found.address, found.name or "")
            finally:
                await connection.disconnect()


async def _connected(transport: Transport, found: Advertisement) -> Connection:
    return await transport.connect(found, timeout_s=20.0, on_disconnect=lambda: None)
