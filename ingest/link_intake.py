"""What a link does with what its sensor sends: decode, count, enter in the ledger, hand on."""

import logging
from collections.abc import Callable, Sequence

from ingest.drivers.driver import Driver, SensorEvent, SensorPacket
from ingest.drivers.inbox import Inbox, MonotonicNs
from ingest.ledger import SampleLedger
from ingest.link_counters import LinkCounters
from ingest.link_state import LinkEvent
from ingest.link_voice import LinkVoice
from ingest.seldom import SeldomLog

LinkOutput = SensorEvent | LinkEvent
Emit = Callable[[Sequence[LinkOutput]], None]
"""Receives everything a link has to say, in order; called in the event loop, must not block."""

_log = logging.getLogger("ingest.link")


class LinkIntake:
    """Takes in the packets of one link, over all of its connections.

    Parameters
    ----------
    role
        What the sensor is for; names it in logs.
    emit
        Receives what was decoded, in order.
    ledger
        Where held samples are entered; None where nobody asks for them.
    voice
        Says where the link stands; its context goes into every log line.
    monotonic_ns
        The link's clock.
    report_s
        Least time between two lines of counters in the log.
    """

    def __init__(
        self,
        role: str,
        emit: Emit,
        *,
        ledger: SampleLedger | None,
        voice: LinkVoice,
        monotonic_ns: MonotonicNs,
        report_s: float,
    ) -> None:
        self.counters = LinkCounters()
        self.seldom = SeldomLog(_log, monotonic_ns)
        self._role = role
        self._emit = emit
        self._ledger = ledger
        self._voice = voice
        self._now = monotonic_ns
        self._report_s = report_s
        self._reported_ns = monotonic_ns()
        self._overflowed = 0

    def begin(self) -> None:
        """Begin a connection, with an inbox that has lost nothing yet."""
        self._overflowed = 0

    def drain(self, driver: Driver, inbox: Inbox) -> None:
        """Decode what waits in the inbox and deliver it."""
        waiting = inbox.drain()
        if not waiting:
            return
        if inbox.overflow > self._overflowed:
            self._overflowed = inbox.overflow
            self.seldom.warn(
                "inbox_overflow",
                f"{self._role}: this computer was busy for more than a minute; "
                f"{inbox.overflow} packets were dropped and must come from the sensor's memory",
                self._voice.context(),
            )
        self.counters.note_lags(waiting, self._now())
        self.deliver(driver.decode(waiting))

    def deliver(self, events: Sequence[SensorEvent]) -> None:
        """Count, enter in the ledger, hand on."""
        if not events:
            return
        self.counters.note(events)
        if self._ledger is not None:
            for event in events:
                if isinstance(event, SensorPacket):
                    self._ledger.add(event.device_id, event.boot, event.first_index, event.n)
        self._emit(events)

    def report_when_due(self, driver: Driver, inbox: Inbox, device_id: str) -> None:
        """Log the counters once in a while."""
        if (self._now() - self._reported_ns) / 1e9 < self._report_s:
            return
        self._reported_ns = self._now()
        counts = driver.counters
        self.counters.malformed = counts.get("malformed", 0)
        self.counters.report(
            self._role,
            device_id,
            overflow=inbox.overflow,
            high_water=inbox.take_high_water(),
            **{f"driver_{name}": value for name, value in counts.items()},
        )
