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

RELEASE_S = 600.0
"""How long an ended boot is held before the sensor may forget it. Shorter risks samples that are
not on disk yet, longer fills the sensor."""


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
    held_since: dict[int, int] = {}
    while True:
        upto = max(live_from, ledger.held(device_id, boot).end)
        wanted = next(ledger.to_fetch(device_id, boot, upto, started.earlier), None)
        if wanted is None:
            await _release(driver, ledger, started, held_since, now)
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


async def _release(
    driver: Driver,
    ledger: SampleLedger,
    started: StreamStarted,
    held_since: dict[int, int],
    now: MonotonicNs,
) -> None:
    """Let the sensor forget ended boots that have been held for a while."""
    for boot in started.earlier or ():
        if not ledger.is_closed(started.device_id, boot):
            continue
        if now() - held_since.setdefault(boot, now()) < RELEASE_S * 1e9:
            continue
        held_since[boot] = 2**62
        try:
            await driver.release(boot)
        except IngestError as error:
            _log.warning("the sensor does not forget boot %d: %s", boot, error)


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
    if outcome == "complete":
        outcome = await _ask_again(driver, ledger, device_id, wanted.boot, first, last, drain)
    stop = held.end if last is None else last + 1
    gone: tuple[tuple[int, int], ...] = ()
    if outcome in {"complete", "gone"}:
        gone = tuple(ledger.missing(device_id, wanted.boot, first, max(stop, first)))
        ledger.give_up(device_id, wanted.boot, first, max(stop, first))
        if last is None:
            ledger.close(device_id, wanted.boot)
        outcome = "gone" if gone else "complete"
    report = BackfillReport(
        device_id=device_id,
        boot=wanted.boot,
        first_index=first,
        last_index=max(stop - 1, first),
        outcome=outcome,
        n_samples=len(held) - before,
        host_mono_ns=now(),
        gone=gone,
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


async def _ask_again(
    driver: Driver,
    ledger: SampleLedger,
    device_id: str,
    boot: int,
    first: int,
    last: int | None,
    drain: Callable[[], None],
) -> BackfillOutcome:
    """Ask for what a finished transfer left out, until the sensor has nothing more of it.

    A stored frame may be lost on its way, in the sensor's queue or in ours, while the sensor still
    holds its samples; only what it does not send when asked for alone is gone.
    """
    held = ledger.held(device_id, boot)
    while True:
        before = len(held)
        stop = max(held.end if last is None else last + 1, first)
        holes: list[tuple[int, int | None]] = [
            (a, b - 1) for a, b in ledger.missing(device_id, boot, first, stop)
        ]
        if last is None:
            holes.append((stop, None))
        for a, b in holes:
            outcome = await driver.backfill(boot, a, b)
            drain()
            if outcome in {"interrupted", "refused"}:
                return outcome
        if len(held) == before:
            return "complete"
