"""Pairing: make a sensor known to this computer, and find out which of two is on the head.

Who is paired is remembered by the caller as a `SensorWish`; what makes a pairing safe is that only
the sensor a person chose is connected, identified and, where it has one, bonded.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import numpy as np

from ingest.candidates import SensorWish
from ingest.drivers.driver import SensorIdentity, SensorPacket, StreamStarted
from ingest.drivers.inbox import Inbox, MonotonicNs
from ingest.drivers.registry import Registry
from ingest.errors import PairingRequiredError, SensorNotFoundError, UnknownSensorError
from ingest.link import LinkOutput
from ingest.transport import Advertisement, Connection, Transport

PairingWindow = Callable[[str], AbstractAsyncContextManager[None]]
"""Makes the computer accept the pairing of one address; `ingest.sources.ble.pairing_window`."""

NOD_RATIO = 3.0
"""How much more the nodding sensor must have turned. Smaller confuses a nod with the trunk's own
sway, larger asks for violent nods."""
NOD_LEAST_DPS = 20.0
"""Least mean rate of a nod; a person sitting still stays below 5 deg/s."""


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


class NodWatch:
    """Tells which sensor nodded; give it the events of both links while the person nods."""

    def __init__(self) -> None:
        self._scales: dict[str, tuple[list[int], float]] = {}
        self._sums: defaultdict[str, float] = defaultdict(float)
        self._samples: defaultdict[str, int] = defaultdict(int)

    def __call__(self, outputs: Sequence[LinkOutput]) -> None:
        """Take events, as a link's `emit`."""
        for event in outputs:
            if isinstance(event, StreamStarted):
                self._begin(event)
            elif isinstance(event, SensorPacket):
                self._add(event)

    def begin_watch(self) -> None:
        """Forget what moved so far: now the person is asked to nod."""
        self._sums.clear()
        self._samples.clear()

    def mean_rates_dps(self) -> Mapping[str, float]:
        """Return the mean angular rate of each sensor, gyroscope offset included, deg/s."""
        return {device: self._sums[device] / n for device, n in self._samples.items() if n > 0}

    def nodded(self) -> str | None:
        """Return the device that clearly moved more, None where no one did."""
        rates = sorted(self.mean_rates_dps().items(), key=lambda item: -item[1])
        if len(rates) < 2 or rates[0][1] < NOD_LEAST_DPS:
            return None
        return rates[0][0] if rates[0][1] >= NOD_RATIO * rates[1][1] else None

    def _begin(self, started: StreamStarted) -> None:
        for stream in started.streams:
            columns = [i for i, c in enumerate(stream.channels) if c.name.startswith("gyr_")]
            if columns:
                scale_dps = float(np.degrees(stream.channels[columns[0]].scale))
                self._scales[f"{started.device_id}/{stream.stream}"] = (columns, scale_dps)

    def _add(self, packet: SensorPacket) -> None:
        known = self._scales.get(f"{packet.device_id}/{packet.stream}")
        if known is None:
            return
        columns, scale_dps = known
        rates = packet.samples[:, columns].astype(np.float64) * scale_dps
        self._sums[packet.device_id] += float(np.linalg.norm(rates, axis=1).sum())
        self._samples[packet.device_id] += packet.n
