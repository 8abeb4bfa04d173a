"""The life of one link: find the sensor, connect, identify, start, watch, and begin again.

`SensorLink.run` goes through the states of `ingest.link_state` until it is stopped. It never
trusts "connected": what counts is data. Every connection uses a fresh scan result and a fresh
client, failures wait 1 to 30 s, and a fault of one sensor never touches the other's link.

    NO_ADAPTER -> SCANNING -> CONNECTING -> IDENTIFYING -> SUBSCRIBING -> STREAMING
         ^            ^                                                       |
         |            +------ BACKOFF <------------- STALLED <----------------+
         REFUSED: only a person leads out of it       STOPPING -> ENDED from everywhere
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from ingest.candidates import Candidates, SensorWish
from ingest.drivers.driver import Driver, SensorEvent, SensorIdentity, SensorPacket
from ingest.drivers.inbox import Inbox, MonotonicNs
from ingest.drivers.registry import DriverEntry, Registry
from ingest.errors import (
    AdapterUnavailableError,
    BluetoothError,
    ConnectFailedError,
    DeviceGoneError,
    IngestError,
    LinkLostError,
    SensorNotFoundError,
    SilentLinkError,
    WrongSensorError,
)
from ingest.fetch import fetch_missing
from ingest.interrupt import Interrupt, StopRequestedError
from ingest.ledger import SampleLedger
from ingest.link_counters import LinkCounters
from ingest.link_failures import Outcome, outcome_of
from ingest.link_state import LinkEvent, LinkLimits, LinkReason, LinkState
from ingest.radio import Radio
from ingest.seldom import SeldomLog
from ingest.transport import AdapterState, Advertisement, Connection

_log = logging.getLogger("ingest.link")

LinkOutput = SensorEvent | LinkEvent
Emit = Callable[[Sequence[LinkOutput]], None]
"""Receives everything a link has to say, in order; called in the event loop, must not block."""

_ADAPTER_REASONS = {
    AdapterState.POWERED_OFF: LinkReason.ADAPTER_OFF,
    AdapterState.NO_ADAPTER: LinkReason.ADAPTER_MISSING,
    AdapterState.DENIED: LinkReason.DENIED,
}


class SensorLink:
    """Keeps one sensor connected and streaming until stopped.

    Parameters
    ----------
    role
        What the sensor is for, `head` or `trunk`; names the link in events and logs.
    radio
        Shared by all links of the adapter.
    registry
        Kinds of sensors that may be used.
    wish
        Which sensor.
    emit
        Receives `SensorEvent` and `LinkEvent` objects in order.
    ledger
        Held samples; given, what is missing is fetched from the sensor's memory.
    limits, monotonic_ns, rng
        Times, clock and jitter; tests pass their own.
    """

    def __init__(
        self,
        role: str,
        radio: Radio,
        *,
        registry: Registry,
        wish: SensorWish,
        emit: Emit,
        ledger: SampleLedger | None = None,
        limits: LinkLimits | None = None,
        monotonic_ns: MonotonicNs = time.monotonic_ns,
        rng: random.Random | None = None,
    ) -> None:
        self.role = role
        self.wish = wish
        self.state = LinkState.SCANNING
        self.identity: SensorIdentity | None = None
        self.counters = LinkCounters()
        self._radio = radio
        self._registry = registry
        self._emit = emit
        self._ledger = ledger
        self._limits = limits or LinkLimits()
        self._now = monotonic_ns
        # jitter spreads reconnections; it needs no secrecy
        self._rng = rng or random.Random()  # noqa: S311
        self._interrupt = Interrupt()
        self._retry = asyncio.Event()
        self._candidates = Candidates(registry, lambda a: radio.claimed_by_other(a, role))
        self._failures = 0
        self._entered_ns = monotonic_ns()
        self._seen: Advertisement | None = None
        self._inbox: Inbox | None = None
        self._seldom = SeldomLog(_log, monotonic_ns)
        self._reported_ns = monotonic_ns()

    def stop(self) -> None:
        """Ask the link to end; `run` returns within `LinkLimits.stop_s`."""
        self._interrupt.request()
        if self._inbox is not None:
            self._inbox.wake()

    def retry(self) -> None:
        """Try again at once after REFUSED or during BACKOFF, because a person asked for it."""
        self._candidates.strangers.clear()
        self._retry.set()

    async def run(self) -> None:
        """Keep the sensor streaming until `stop`; failures are events, never exceptions."""
        self._enter(LinkState.SCANNING, LinkReason.WANTED)
        while not self._interrupt.requested:
            try:
                await self._once()
            except StopRequestedError:
                break
            except Exception as error:
                outcome = outcome_of(error)
                if outcome.unexpected:
                    _log.exception("the %s link failed in an unforeseen way", self.role)
                await self._after_failure(error, outcome)
        if self.state is not LinkState.STOPPING:
            self._enter(LinkState.STOPPING, LinkReason.STOP_REQUESTED)
        self._enter(LinkState.ENDED, LinkReason.STOPPED)

    async def _once(self) -> None:
        """Go from the adapter to the end of one connection."""
        await self._wait_for_adapter()
        entry, connection, lost = await self._seek_and_connect()
        try:
            await self._session(entry, connection, lost)
        finally:
            self._inbox = None
            with contextlib.suppress(Exception):
                async with asyncio.timeout(self._limits.disconnect_s):
                    await connection.disconnect()
            self._radio.release(connection.address, self.role)

    async def _wait_for_adapter(self) -> None:
        while True:
            status = await self._interrupt.unless(self._radio.transport.adapter_state())
            if status.ready:
                if self.state is LinkState.NO_ADAPTER:
                    self._enter(LinkState.SCANNING, LinkReason.ADAPTER_READY)
                return
            if self.state is not LinkState.NO_ADAPTER:
                reason = _ADAPTER_REASONS.get(status.state, LinkReason.SERVICE_MISSING)
                self._enter(
                    LinkState.NO_ADAPTER, reason, message=status.detail, remedy=status.remedy
                )
            await self._interrupt.unless(asyncio.sleep(self._limits.adapter_recheck_s))

    async def _seek_and_connect(self) -> tuple[DriverEntry, Connection, asyncio.Event]:
        """Scan and connect; each scan and each attempt holds the radio for itself."""
        limits = self._limits
        if self.state is not LinkState.SCANNING:
            self._enter(LinkState.SCANNING, LinkReason.RETRY)
        kind = self.wish.driver or self._registry.kind_of(self.wish.device_id)
        async with self._holding_radio():
            if self.wish.address:
                # a link that a killed process left up keeps the sensor from advertising
                await self._radio.transport.disconnect_stale([self.wish.address])
            heard = await self._interrupt.unless(
                self._radio.transport.scan(
                    self._registry.service_uuids((kind,) if kind else ()),
                    duration_s=limits.scan_s,
                    until=partial(self._candidates.is_known, self.wish),
                )
            )
            found = self._candidates.choose(self.wish, heard)
            if found is None:
                raise SensorNotFoundError(f"The {self.role} sensor was not found.")
            advertisement, entry = found
            if not self._radio.claim(advertisement.address, self.role):
                raise DeviceGoneError("Another link took this sensor meanwhile.")
        self._seen = advertisement
        self._enter(LinkState.CONNECTING, LinkReason.SEEN)
        try:
            connection, lost = await self._connect(advertisement)
        except BaseException:
            self._radio.release(advertisement.address, self.role)
            raise
        return entry, connection, lost

    async def _connect(self, advertisement: Advertisement) -> tuple[Connection, asyncio.Event]:
        limits = self._limits
        begun = self._now()
        for attempt in range(1, limits.connect_attempts + 1):
            lost = asyncio.Event()
            try:
                async with self._holding_radio():
                    connection = await self._interrupt.unless(
                        self._radio.transport.connect(
                            advertisement,
                            timeout_s=limits.connect_s,
                            on_disconnect=self._notice_loss(lost),
                        )
                    )
            except DeviceGoneError:
                raise
            except ConnectFailedError as error:
                spent_s = (self._now() - begun) / 1e9
                _log.info(
                    "%s: connection attempt %d failed: %s",
                    self.role,
                    attempt,
                    error,
                    extra=self._context(attempt=attempt, elapsed_s=spent_s, raw=error.raw),
                )
                if attempt == limits.connect_attempts or spent_s >= limits.connect_total_s:
                    raise
                await self._interrupt.unless(asyncio.sleep(limits.connect_pause_s))
            else:
                self.counters.connections += 1
                return connection, lost
        raise AssertionError("unreachable")

    def _notice_loss(self, lost: asyncio.Event) -> Callable[[], None]:
        def on_disconnect() -> None:
            lost.set()
            if self._inbox is not None:
                self._inbox.wake()

        return on_disconnect

    async def _session(
        self, entry: DriverEntry, connection: Connection, lost: asyncio.Event
    ) -> None:
        limits = self._limits
        seen_ns = self._entered_ns
        self._enter(LinkState.IDENTIFYING, LinkReason.CONNECTED)
        inbox = Inbox(monotonic_ns=self._now)
        self._inbox = inbox
        driver = entry.make(connection, inbox, self._now)
        identify_s = limits.pairing_s if entry.may_pair else limits.identify_s
        identity = await self._interrupt.unless(driver.identify(), timeout_s=identify_s, lost=lost)
        if self.wish.device_id and identity.device_id != self.wish.device_id:
            raise WrongSensorError(
                f"This is {identity.model} {identity.serial or identity.device_id}, "
                f"not the {self.role} sensor.",
                device_id=identity.device_id,
            )
        self.identity = identity
        self._enter(LinkState.SUBSCRIBING, LinkReason.IDENTIFIED)
        started = await self._interrupt.unless(
            driver.start(self.wish.rate_hz), timeout_s=limits.start_s, lost=lost
        )
        # the device may have been recognised by address before; from now on it must be this one
        self.wish = replace(
            self.wish, device_id=identity.device_id, address=connection.address, driver=entry.name
        )
        _log.info(
            "%s: %s %s streams",
            self.role,
            identity.model,
            identity.serial,
            extra=self._context(
                event="link_connected",
                firmware=identity.firmware,
                protocol=identity.protocol,
                boot=started.boot,
                next_index=started.next_index,
                rates_hz=[each.rate_hz for each in started.streams],
                since_seen_s=(self._now() - seen_ns) / 1e9,
                details=identity.details,
            ),
        )
        self._deliver([started])
        self._enter(LinkState.STREAMING, LinkReason.STARTED)
        fetching = None
        if self._ledger is not None and identity.has_backfill:
            fetching = asyncio.create_task(
                fetch_missing(
                    driver,
                    self._ledger,
                    started,
                    drain=partial(self._drain, driver, inbox),
                    deliver=self._deliver,
                    now=self._now,
                    limits=limits,
                )
            )
        tending: asyncio.Task[None] | None = None
        try:
            tending = asyncio.create_task(self._tend(driver))
            await self._stream(driver, inbox, lost)
        finally:
            for task in (fetching, tending):
                if task is not None:
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError, Exception):
                        await task
            self._drain(driver, inbox)
        await self._finish(driver, inbox)

    async def _stream(self, driver: Driver, inbox: Inbox, lost: asyncio.Event) -> None:
        """Decode and watch until stopped; link loss and silence are raised."""
        limits = self._limits
        began = last_turn = self._now()
        patience_s = max(limits.watchdog_s, 5 * driver.packet_period_s)
        trust_from = began
        while not self._interrupt.requested:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(limits.watchdog_tick_s):
                    await inbox.wait()
            if not (lost.is_set() or self._interrupt.requested):
                await asyncio.sleep(limits.drain_s)
            now = self._now()
            if (now - last_turn) / 1e9 > limits.watchdog_tick_s + limits.late_loop_s:
                # the loop itself was late: what it missed is still queued in the system
                _log.warning(
                    "the event loop was busy for %.1f s",
                    (now - last_turn) / 1e9,
                    extra=self._context(event="late_loop"),
                )
                trust_from = now - int((patience_s - 2 * limits.watchdog_tick_s) * 1e9)
            last_turn = now
            self._drain(driver, inbox)
            if self._failures and (now - began) / 1e9 > limits.backoff_reset_s:
                self._failures = 0
            self._report_when_due(driver, inbox)
            if lost.is_set():
                raise LinkLostError("The link was lost.", address=self.wish.address)
            silence_s = (now - max(inbox.last_data_ns or began, trust_from)) / 1e9
            if silence_s > patience_s:
                raise SilentLinkError(
                    f"The sensor is connected but sent nothing for {silence_s:.0f} s.",
                    address=self.wish.address,
                )

    async def _tend(self, driver: Driver) -> None:
        """Let the driver do its housekeeping; a failure there does not end the data."""
        while True:
            await asyncio.sleep(1.0)
            try:
                await driver.tend()
            except IngestError as error:
                self._seldom.warn("tend_failed", f"{self.role}: {error}", self._context())

    async def _finish(self, driver: Driver, inbox: Inbox) -> None:
        """End the stream on purpose; what the sensor still sent is kept."""
        self._enter(LinkState.STOPPING, LinkReason.STOP_REQUESTED)
        try:
            async with asyncio.timeout(self._limits.stop_s - self._limits.disconnect_s):
                await driver.stop()
        except (TimeoutError, IngestError) as error:
            _log.warning("%s: stopping: %s", self.role, error, extra=self._context(raw=str(error)))
        self._drain(driver, inbox)

    def _drain(self, driver: Driver, inbox: Inbox) -> None:
        waiting = inbox.drain()
        if not waiting:
            return
        self.counters.note_lags(waiting, self._now())
        self._deliver(driver.decode(waiting))

    def _deliver(self, events: Sequence[SensorEvent]) -> None:
        """Count, enter in the ledger, hand on."""
        if not events:
            return
        self.counters.note(events)
        if self._ledger is not None:
            for event in events:
                if isinstance(event, SensorPacket):
                    self._ledger.add(event.device_id, event.boot, event.first_index, event.n)
        self._emit(events)

    async def _after_failure(self, error: Exception, outcome: Outcome) -> None:
        """Say what happened, then wait: for a person, for the adapter, or for a while."""
        address = self._seen.address if self._seen else ""
        self.counters.failures += 1
        if isinstance(error, AdapterUnavailableError):
            return
        if isinstance(error, WrongSensorError):
            self._candidates.strangers.add(address)
        if isinstance(error, SilentLinkError):
            self.counters.stalls += 1
            self._enter(LinkState.STALLED, outcome.reason, error=error)
            await self._radio.note_stall(address, self._now())
        try:
            if outcome.refused:
                self._enter(LinkState.REFUSED, outcome.reason, error=error)
                await self._interrupt.unless(self._retry.wait())
            else:
                self._failures += 1
                self._enter(LinkState.BACKOFF, outcome.reason, error=error)
                with contextlib.suppress(TimeoutError):
                    await self._interrupt.unless(self._retry.wait(), timeout_s=self._pause_s())
        except StopRequestedError:
            return
        self._retry.clear()

    def _pause_s(self) -> float:
        steps = self._limits.backoff_s
        step_s = steps[min(self._failures, len(steps)) - 1]
        return step_s * (1 + self._limits.backoff_jitter * (2 * self._rng.random() - 1))

    @contextlib.asynccontextmanager
    async def _holding_radio(self) -> AsyncIterator[None]:
        await self._interrupt.unless(self._radio.lock.acquire())
        try:
            yield
        finally:
            self._radio.lock.release()

    def _report_when_due(self, driver: Driver, inbox: Inbox) -> None:
        if (self._now() - self._reported_ns) / 1e9 < self._limits.report_s:
            return
        self._reported_ns = self._now()
        counts = driver.counters
        self.counters.malformed = counts.get("malformed", 0)
        self.counters.report(
            self.role,
            self.wish.device_id,
            overflow=inbox.overflow,
            high_water=inbox.take_high_water(),
            **{f"driver_{name}": value for name, value in counts.items()},
        )

    def _enter(
        self,
        state: LinkState,
        reason: LinkReason,
        *,
        error: Exception | None = None,
        message: str = "",
        remedy: str = "",
    ) -> None:
        """Change the state, log it and tell."""
        now = self._now()
        event = LinkEvent(
            role=self.role,
            state=state,
            previous=self.state,
            reason=reason,
            host_mono_ns=now,
            message=(str(error) or type(error).__name__) if error is not None else message,
            remedy=error.remedy if isinstance(error, IngestError) else remedy,
            raw=error.raw if isinstance(error, BluetoothError) else "",
            device_id=self.wish.device_id,
            address=self._seen.address if self._seen else "",
            rssi_dbm=self._seen.rssi_dbm if self._seen else None,
            attempt=self._failures,
            elapsed_s=(now - self._entered_ns) / 1e9,
        )
        self.state = state
        self._entered_ns = now
        _log.info(
            "%s link: %s (%s)%s",
            self.role,
            state.value,
            reason.value,
            f": {event.message}" if event.message else "",
            extra=self._context(
                event="link_state",
                reason=reason.value,
                raw=event.raw,
                elapsed_s=event.elapsed_s,
                attempt=event.attempt,
            ),
        )
        self._emit([event])

    def _context(self, **more: Any) -> dict[str, Any]:
        """Return what every log record of the link carries."""
        return {
            "role": self.role,
            "state": self.state.value,
            "device_id": self.wish.device_id,
            "address": self._seen.address if self._seen else "",
            "rssi_dbm": self._seen.rssi_dbm if self._seen else None,
            **more,
        }
