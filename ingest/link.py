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
from dataclasses import replace
from functools import partial

from ingest.approach import Approach
from ingest.candidates import SensorWish
from ingest.drivers.driver import (
    Driver,
    SensorIdentity,
    StreamStarted,
)
from ingest.drivers.inbox import Inbox, MonotonicNs
from ingest.drivers.registry import DriverEntry, Registry
from ingest.errors import (
    AdapterUnavailableError,
    IngestError,
    LinkLostError,
    SilentLinkError,
    WrongSensorError,
)
from ingest.fetch import fetch_missing
from ingest.interrupt import Interrupt, StopRequestedError
from ingest.ledger import SampleLedger
from ingest.link_failures import Outcome, outcome_of
from ingest.link_intake import Emit, LinkIntake
from ingest.link_state import LinkLimits, LinkReason, LinkState
from ingest.link_voice import LinkVoice
from ingest.radio import Radio
from ingest.transport import AdapterState, Connection

_log = logging.getLogger("ingest.link")

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
        self.identity: SensorIdentity | None = None
        self._radio = radio
        self._ledger = ledger
        self._limits = limits or LinkLimits()
        self._now = monotonic_ns
        # jitter spreads reconnections; it needs no secrecy
        self._rng = rng or random.Random()  # noqa: S311
        self._interrupt = Interrupt()
        self._retry = asyncio.Event()
        self._voice = LinkVoice(role, lambda event: emit([event]), monotonic_ns)
        self._voice.device_id = wish.device_id
        self._intake = LinkIntake(
            role,
            emit,
            ledger=ledger,
            voice=self._voice,
            monotonic_ns=monotonic_ns,
            report_s=self._limits.report_s,
        )
        self.counters = self._intake.counters
        self._approach = Approach(
            radio,
            registry,
            voice=self._voice,
            interrupt=self._interrupt,
            limits=self._limits,
            monotonic_ns=monotonic_ns,
        )
        self._inbox: Inbox | None = None
        self._fetching: StreamStarted | None = None

    @property
    def state(self) -> LinkState:
        """Where the link stands."""
        return self._voice.state

    @property
    def catching_up_s(self) -> float | None:
        """Signal that waits in the sensor's memory and is being fetched, s; None: nothing does."""
        started = self._fetching
        if started is None or self._ledger is None:
            return None
        end = self._ledger.held(started.device_id, started.boot).end
        upto = max(started.next_index or 0, end)
        samples = self._ledger.waiting(started.device_id, started.boot, upto, started.earlier)
        return None if samples is None else samples / started.streams[0].rate_hz

    def stop(self) -> None:
        """Ask the link to end; `run` returns within `LinkLimits.stop_s`."""
        self._interrupt.request()
        self._wake()

    def _wake(self) -> None:
        """Let a waiting stream look around."""
        if self._inbox is not None:
            self._inbox.wake()

    def retry(self) -> None:
        """Try again at once after REFUSED or during BACKOFF, because a person asked for it."""
        self._approach.strangers.clear()
        self._retry.set()

    async def run(self) -> None:
        """Keep the sensor streaming until `stop`; failures are events, never exceptions."""
        self._voice.enter(LinkState.SCANNING, LinkReason.WANTED)
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
            self._voice.enter(LinkState.STOPPING, LinkReason.STOP_REQUESTED)
        self._voice.enter(LinkState.ENDED, LinkReason.STOPPED)

    async def _once(self) -> None:
        """Go from the adapter to the end of one connection."""
        await self._wait_for_adapter()
        if self.state is not LinkState.SCANNING:
            self._voice.enter(LinkState.SCANNING, LinkReason.RETRY)
        entry, connection, lost = await self._approach.reach(self.wish, self._wake)
        self.counters.connections += 1
        try:
            await self._session(entry, connection, lost)
        finally:
            self._inbox = None
            self._fetching = None
            with contextlib.suppress(Exception):
                async with asyncio.timeout(self._limits.disconnect_s):
                    await connection.disconnect()
            self._radio.release(connection.address, self.role)

    async def _wait_for_adapter(self) -> None:
        while True:
            status = await self._interrupt.unless(self._radio.transport.adapter_state())
            if status.ready:
                if self.state is LinkState.NO_ADAPTER:
                    self._voice.enter(LinkState.SCANNING, LinkReason.ADAPTER_READY)
                return
            if self.state is not LinkState.NO_ADAPTER:
                reason = _ADAPTER_REASONS.get(status.state, LinkReason.SERVICE_MISSING)
                self._voice.enter(
                    LinkState.NO_ADAPTER, reason, message=status.detail, remedy=status.remedy
                )
            await self._interrupt.unless(asyncio.sleep(self._limits.adapter_recheck_s))

    async def _session(
        self, entry: DriverEntry, connection: Connection, lost: asyncio.Event
    ) -> None:
        limits = self._limits
        seen_ns = self._voice.entered_ns
        self._voice.enter(LinkState.IDENTIFYING, LinkReason.CONNECTED)
        inbox = Inbox(monotonic_ns=self._now)
        self._inbox = inbox
        self._intake.begin()
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
        self._voice.enter(LinkState.SUBSCRIBING, LinkReason.IDENTIFIED)
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
            extra=self._voice.context(
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
        self._voice.device_id = identity.device_id
        self._intake.deliver([started])
        self._voice.enter(LinkState.STREAMING, LinkReason.STARTED)
        fetching = None
        if self._ledger is not None and started.identity.has_backfill:
            self._fetching = started
            fetching = asyncio.create_task(
                fetch_missing(
                    driver,
                    self._ledger,
                    started,
                    drain=partial(self._intake.drain, driver, inbox),
                    deliver=self._intake.deliver,
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
            self._intake.drain(driver, inbox)
            if not self._interrupt.requested:
                self._intake.deliver(driver.flush())
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
                    extra=self._voice.context(event="late_loop"),
                )
                trust_from = now - int((patience_s - 2 * limits.watchdog_tick_s) * 1e9)
            last_turn = now
            self._intake.drain(driver, inbox)
            if self._voice.failures and (now - began) / 1e9 > limits.backoff_reset_s:
                self._voice.failures = 0
            self._intake.report_when_due(driver, inbox, self.wish.device_id)
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
                self._intake.seldom.warn(
                    "tend_failed", f"{self.role}: {error}", self._voice.context()
                )

    async def _finish(self, driver: Driver, inbox: Inbox) -> None:
        """End the stream on purpose; what the sensor still sent is kept."""
        self._voice.enter(LinkState.STOPPING, LinkReason.STOP_REQUESTED)
        try:
            async with asyncio.timeout(self._limits.stop_s - self._limits.disconnect_s):
                await driver.stop()
        except (TimeoutError, IngestError) as error:
            _log.warning(
                "%s: stopping: %s", self.role, error, extra=self._voice.context(raw=str(error))
            )
        self._intake.drain(driver, inbox)
        self._intake.deliver(driver.flush())

    async def _after_failure(self, error: Exception, outcome: Outcome) -> None:
        """Say what happened, then wait: for a person, for the adapter, or for a while."""
        address = self._voice.address
        self.counters.failures += 1
        if isinstance(error, AdapterUnavailableError):
            return
        if isinstance(error, WrongSensorError):
            self._approach.strangers.add(address)
        if isinstance(error, SilentLinkError):
            self.counters.stalls += 1
            self._voice.enter(LinkState.STALLED, outcome.reason, error=error)
            await self._radio.note_stall(address, self._now())
        try:
            if outcome.refused:
                self._voice.enter(LinkState.REFUSED, outcome.reason, error=error)
                await self._interrupt.unless(self._retry.wait())
            else:
                self._voice.failures += 1
                self._voice.enter(LinkState.BACKOFF, outcome.reason, error=error)
                with contextlib.suppress(TimeoutError):
                    await self._interrupt.unless(self._retry.wait(), timeout_s=self._pause_s())
        except StopRequestedError:
            return
        self._retry.clear()

    def _pause_s(self) -> float:
        steps = self._limits.backoff_s
        step_s = steps[min(self._voice.failures, len(steps)) - 1]
        return step_s * (1 + self._limits.backoff_jitter * (2 * self._rng.random() - 1))
