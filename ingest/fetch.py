"""Fetches from a sensor's memory what the host missed, one request at a time, below live data."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from ingest.drivers.driver import (
    BackfillOutcome,
    BackfillReport,
    Driver,
    SensorEvent,
    StreamStarted,
)
from ingest.drivers.inbox import MonotonicNs
from ingest.errors import IngestError
from ingest.ledger import SampleLedger, Wanted
from ingest.link_state import LinkLimits

_log = logging.getLogger("ingest.link")

CHUNK_SAMPLES = 30_000
"""Largest request: five minutes at 100 Hz. Larger ones lose more when the link breaks, smaller
ones spend more time on round trips."""


async def fetch_missing(
    driver: Driver,
    ledger: SampleLedger,
    started: StreamStarted,
    *,
    drain: Callable[[], None],
    deliver: Callable[[Sequence[SensorEvent]], None],
    now: MonotonicNs,
    limits: LinkLimits,
) -> None:
    """Fetch until cancelled: first what was missed while away, then gaps seen live.

    Frames reach the ledger through the link like all others (`drain` decodes those that wait);
    this only asks, and settles what the sensor turns out not to have.
    """
    device_id, boot = started.device_id, started.boot
    live_from = started.next_index or 0
    while True:
        upto = max(live_from, ledger.held(device_id, boot).end)
        wanted = next(ledger.to_fetch(device_id, boot, upto), None)
        if wanted is None:
            await asyncio.sleep(limits.backfill_recheck_s)
            continue
        try:
            report = await _fetch(driver, ledger, device_id, wanted, drain, now)
        except IngestError as error:
            _log.warning("backfill: %s", error, extra={"event": "backfill", "boot": wanted.boot})
            await asyncio.sleep(limits.backfill_retry_s)
            continue
        deliver([report])
        if report.outcome in {"interrupted", "refused"}:
            await asyncio.sleep(limits.backfill_retry_s)


async def _fetch(
    driver: Driver,
    ledger: SampleLedger,
    device_id: str,
    wanted: Wanted,
    drain: Callable[[], None],
    now: MonotonicNs,
) -> BackfillReport:
    """Ask for one range and settle it in the ledger."""
    first, last = wanted.first_index, wanted.last_index
    if last is not None:
        last = min(last, first + CHUNK_SAMPLES - 1)
    held = ledger.held(device_id, wanted.boot)
    before = len(held)
    outcome: BackfillOutcome = await driver.backfill(wanted.boot, first, last)
    drain()
    stop = held.end if last is None else last + 1
    if outcome in {"complete", "gone"}:
        lost = ledger.give_up(device_id, wanted.boot, first, max(stop, first))
        if last is None:
            ledger.close(device_id, wanted.boot)
        outcome = "gone" if lost else "complete"
    report = BackfillReport(
        device_id=device_id,
        boot=wanted.boot,
        first_index=first,
        last_index=max(stop - 1, first),
        outcome=outcome,
        n_samples=len(held) - before,
        host_mono_ns=now(),
    )
    _log.info(
        "backfill of boot %d, %d..%s: %s, %d samples",
        wanted.boot,
        first,
        last,
        outcome,
        report.n_samples,
        extra={"event": "backfill", "device_id": device_id, "outcome": outcome},
    )
    return report
