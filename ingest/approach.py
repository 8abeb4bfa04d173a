"""From a wish to a connection: scan, choose, connect, under the lock of the radio."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from functools import partial

from ingest.candidates import Candidates, SensorWish
from ingest.drivers.inbox import MonotonicNs
from ingest.drivers.registry import DriverEntry, Registry
from ingest.errors import ConnectFailedError, DeviceGoneError, SensorNotFoundError
from ingest.interrupt import Interrupt
from ingest.link_state import LinkLimits, LinkReason, LinkState
from ingest.link_voice import LinkVoice
from ingest.radio import Radio
from ingest.transport import Advertisement, Connection

_log = logging.getLogger("ingest.link")


class Approach:
    """Finds and connects the sensor of one link, each time from the beginning."""

    def __init__(
        self,
        radio: Radio,
        registry: Registry,
        *,
        voice: LinkVoice,
        interrupt: Interrupt,
        limits: LinkLimits,
        monotonic_ns: MonotonicNs,
    ) -> None:
        self._radio = radio
        self._registry = registry
        self._voice = voice
        self._interrupt = interrupt
        self._limits = limits
        self._now = monotonic_ns
        self._candidates = Candidates(
            registry, lambda address: radio.claimed_by_other(address, voice.role)
        )

    @property
    def strangers(self) -> set[str]:
        """Addresses that turned out to belong to other sensors."""
        return self._candidates.strangers

    async def reach(
        self, wish: SensorWish, on_loss: Callable[[], None]
    ) -> tuple[DriverEntry, Connection, asyncio.Event]:
        """Scan and connect; each scan and each attempt holds the radio for itself.

        Parameters
        ----------
        wish
            Which sensor.
        on_loss
            Called when the link ends, after the returned event was set.

        Raises
        ------
        SensorNotFoundError, ConnectFailedError, ScanFailedError, AdapterUnavailableError
            No connection came about.
        StopRequestedError
            The link is to end.
        """
        advertisement, entry = await self._find(wish)
        self._voice.seen = advertisement
        self._voice.enter(LinkState.CONNECTING, LinkReason.SEEN)
        try:
            connection, lost = await self._connect(advertisement, on_loss)
        except BaseException:
            self._radio.release(advertisement.address, self._voice.role)
            raise
        return entry, connection, lost

    async def _find(self, wish: SensorWish) -> tuple[Advertisement, DriverEntry]:
        """Scan until the sensor is heard and claim it for this link."""
        kind = wish.driver or self._registry.kind_of(wish.device_id)
        async with self._holding_radio():
            if wish.address:
                # a link that a killed process left up keeps the sensor from advertising
                await self._radio.transport.disconnect_stale([wish.address])
            heard = await self._interrupt.unless(
                self._radio.transport.scan(
                    self._registry.service_uuids((kind,) if kind else ()),
                    duration_s=self._limits.scan_s,
                    until=partial(self._candidates.is_known, wish),
                )
            )
            found = self._candidates.choose(wish, heard)
            if found is None:
                raise SensorNotFoundError(f"The {self._voice.role} sensor was not found.")
            if not self._radio.claim(found[0].address, self._voice.role):
                raise DeviceGoneError("Another link took this sensor meanwhile.")
        return found

    async def _connect(
        self, advertisement: Advertisement, on_loss: Callable[[], None]
    ) -> tuple[Connection, asyncio.Event]:
        """Connect, with a few attempts; a forgotten device needs a new scan instead."""
        limits = self._limits
        begun = self._now()
        attempt = 1
        while True:
            # an event of its own: a late callback of a failed attempt must not end the next
            lost = asyncio.Event()
            try:
                async with self._holding_radio():
                    connection = await self._interrupt.unless(
                        self._radio.transport.connect(
                            advertisement,
                            timeout_s=limits.connect_s,
                            on_disconnect=partial(_notice, lost, on_loss),
                        )
                    )
            except DeviceGoneError:
                raise
            except ConnectFailedError as error:
                spent_s = (self._now() - begun) / 1e9
                _log.info(
                    "%s: connection attempt %d failed: %s",
                    self._voice.role,
                    attempt,
                    error,
                    extra=self._voice.context(attempt=attempt, elapsed_s=spent_s, raw=error.raw),
                )
                if attempt >= limits.connect_attempts or spent_s >= limits.connect_total_s:
                    raise
            else:
                return connection, lost
            attempt += 1
            await self._interrupt.unless(asyncio.sleep(limits.connect_pause_s))

    @contextlib.asynccontextmanager
    async def _holding_radio(self) -> AsyncIterator[None]:
        await self._interrupt.unless(self._radio.lock.acquire())
        try:
            yield
        finally:
            self._radio.lock.release()


def _notice(lost: asyncio.Event, on_loss: Callable[[], None]) -> None:
    lost.set()
    on_loss()
