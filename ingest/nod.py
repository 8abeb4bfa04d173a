"""Which of two sensors is on the head: both stream, the person nods, and one of them moves."""

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from ingest.drivers.driver import SensorPacket, StreamStarted
from ingest.drivers.inbox import MonotonicNs
from ingest.drivers.registry import Registry
from ingest.errors import NodUnclearError, SilentLinkError
from ingest.link import SensorLink
from ingest.link_intake import LinkOutput
from ingest.link_state import LinkEvent, LinkLimits
from ingest.pairing import PairedSensor
from ingest.radio import Radio
from ingest.transport import Transport

NOD_RATIO = 3.0
"""How much more the nodding sensor must have turned back and forth. Smaller confuses a nod with the
trunk's own sway, larger asks for violent nods."""
NOD_LEAST_DPS = 8.0
"""Least unrest of a nod, deg/s. A person sitting still stays below 3 deg/s; two nods of 10 deg
by a stiff neck in 6 s make about 12. Smaller takes a twitch for a nod, larger excludes stiff
necks."""
NOD_S = 6.0
"""How long to watch: time for two slow nods after the sentence was read. Shorter hurries, longer
dilutes the nods with rest."""
TRIES = 3
"""How often to ask before a person has to say it."""
_RATE_HZ = 50.0


class NodVerdict(StrEnum):
    """What a watch amounts to."""

    CLEAR = "clear"
    STILL = "still"
    """No sensor moved enough."""
    BOTH = "both"
    """Both moved alike: the trunk nodded too, or both are in one hand."""
    SILENT = "silent"
    """A sensor sent nothing to judge by."""


@dataclass(slots=True)
class _Unrest:
    """Sums over the angular rates of one sensor; a constant offset drops out."""

    n: int
    total: "np.ndarray[tuple[int], np.dtype[np.float64]]"
    squares: float

    @property
    def dps(self) -> float:
        """Root mean square about the mean, all axes together."""
        mean = self.total / self.n
        return math.sqrt(max(0.0, self.squares / self.n - float(mean @ mean)))


class NodWatch:
    """Tells which sensor nodded; give it the events of both links while the person nods."""

    def __init__(self) -> None:
        self._scales: dict[str, tuple[list[int], float]] = {}
        self._rates: dict[str, _Unrest] = {}

    def __call__(self, outputs: Sequence[LinkOutput]) -> None:
        """Take events, as a link's `emit`."""
        for event in outputs:
            if isinstance(event, StreamStarted):
                self._begin(event)
            elif isinstance(event, SensorPacket):
                self._add(event)

    @property
    def heard(self) -> set[str]:
        """Devices that sent angular rates since the watch began."""
        return set(self._rates)

    def begin_watch(self) -> None:
        """Forget what moved so far: now the person is asked to nod."""
        self._rates.clear()

    def unrest_dps(self) -> Mapping[str, float]:
        """Return how much each sensor turned back and forth, deg/s; its offset does not count."""
        return {device: sums.dps for device, sums in self._rates.items()}

    def verdict(self) -> tuple[NodVerdict, str]:
        """Return what the watch amounts to, and the device that nodded where that is clear."""
        rates = sorted(self.unrest_dps().items(), key=lambda item: -item[1])
        if len(rates) < 2:
            return NodVerdict.SILENT, ""
        (most, most_dps), (_, other_dps) = rates[:2]
        if most_dps < NOD_LEAST_DPS:
            return NodVerdict.STILL, ""
        if most_dps < NOD_RATIO * other_dps:
            return NodVerdict.BOTH, ""
        return NodVerdict.CLEAR, most

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
        # one half of a joined pair may be missing
        rates = rates[np.isfinite(rates).all(axis=1)]
        if not len(rates):
            return
        sums = self._rates.setdefault(packet.device_id, _Unrest(0, np.zeros(3), 0.0))
        sums.n += len(rates)
        sums.total += rates.sum(axis=0)
        sums.squares += float(np.sum(rates * rates))


@dataclass(frozen=True, slots=True)
class Assigned:
    """Which sensor is worn where."""

    head: PairedSensor
    trunk: PairedSensor


Ask = Callable[[int, NodVerdict | None], Awaitable[None]]
"""Asks the person to nod now: number of the try from 1, and what the one before amounted to."""


async def assign_by_nod(
    transport: Transport,
    registry: Registry,
    sensors: tuple[PairedSensor, PairedSensor],
    ask: Ask,
    *,
    watch_s: float = NOD_S,
    patience_s: float = 60.0,
    limits: LinkLimits | None = None,
    monotonic_ns: MonotonicNs = time.monotonic_ns,
) -> Assigned:
    """Connect both sensors, ask for a nod until one of them clearly made it, let both go.

    Parameters
    ----------
    transport
        A radio that nobody else uses at the time.
    registry
        Kinds of sensors that may be used.
    sensors
        Both paired, worn by one person.
    ask
        Tells the person; the watch begins when it returns.
    watch_s
        How long to watch each time.
    patience_s
        How long both may take to stream.
    limits, monotonic_ns
        Times and clock of the links.

    Raises
    ------
    SilentLinkError
        One of them did not stream in time; the message says which, and what its link said.
    NodUnclearError
        Nobody nodded, or both did, in every try.
    """
    for one, other in (sensors, sensors[::-1]):
        if not _turns(one) and _turns(other):
            # without a gyroscope it can only be the trunk's: nothing to ask
            return Assigned(head=other, trunk=one)
    watch = NodWatch()
    async with _streaming(
        transport, registry, sensors, watch, patience_s, limits=limits, monotonic_ns=monotonic_ns
    ):
        before: NodVerdict | None = None
        for number in range(1, TRIES + 1):
            await ask(number, before)
            watch.begin_watch()
            await asyncio.sleep(watch_s)
            before, nodded = watch.verdict()
            if before is NodVerdict.CLEAR:
                first, second = sensors
                if nodded == first.identity.device_id:
                    return Assigned(head=first, trunk=second)
                return Assigned(head=second, trunk=first)
    assert before is not None
    raise NodUnclearError(before.value)


def _turns(sensor: PairedSensor) -> bool:
    """Whether a sensor measures angular rates at all."""
    return bool(sensor.identity.details.get("has_gyroscope", True))


@contextlib.asynccontextmanager
async def _streaming(
    transport: Transport,
    registry: Registry,
    sensors: tuple[PairedSensor, PairedSensor],
    watch: NodWatch,
    patience_s: float,
    *,
    limits: LinkLimits | None,
    monotonic_ns: MonotonicNs,
) -> AsyncIterator[None]:
    """Keep both sensors streaming into a watch for the length of a block."""
    radio = Radio(transport, limits=limits)
    said: dict[str, LinkEvent] = {}

    def emit(outputs: Sequence[LinkOutput]) -> None:
        watch(outputs)
        for event in outputs:
            if isinstance(event, LinkEvent) and event.message:
                said[event.role] = event

    links = [
        SensorLink(
            sensor.identity.device_id,
            radio,
            registry=registry,
            wish=sensor.wish(_RATE_HZ),
            emit=emit,
            limits=limits,
            monotonic_ns=monotonic_ns,
        )
        for sensor in sensors
    ]
    tasks = [asyncio.create_task(link.run()) for link in links]
    try:
        wanted = {sensor.identity.device_id for sensor in sensors}
        deadline = asyncio.get_running_loop().time() + patience_s
        while not wanted <= watch.heard:
            if asyncio.get_running_loop().time() >= deadline:
                late = next(s for s in sensors if s.identity.device_id not in watch.heard)
                told = said.get(late.identity.device_id)
                raise SilentLinkError(
                    f"{late.identity.model} {late.identity.serial or late.address} sent nothing. "
                    + (told.message if told else ""),
                    remedy=(told.remedy if told else "") or "Bring it closer and try again.",
                    address=late.address,
                )
            await asyncio.sleep(0.1)
        yield
    finally:
        for link in links:
            link.stop()
        await asyncio.gather(*tasks)
