"""What every process that records has in common, demonstration or not."""

import asyncio
import contextlib
import logging
import time
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from api.days import close_days, summarise_stored_day
from api.runtime import Runtime
from api.thresholds import is_asked_for, pipeline_params, thresholds_of
from api.units import learn_lines
from ingest.day_provenance import day_of_ns, day_provenance
from ingest.errors import ReprocessError
from ingest.live import TodayCounters
from ingest.reprocess_version import params_of
from processing.pipeline import ALGORITHM_VERSION, PipelineParams
from processing.state import encode
from processing.summary import DaySummary
from storage.catalog import Catalog, Patient
from storage.due import mark_due
from storage.errors import WriterLockedError
from storage.record import lock_holder
from storage.results import ResultStore

_log = logging.getLogger("api.hub.recording")

CLOSE_EVERY_S = 600.0
LEARN_FIRST_S = 3600.0
LEARN_EVERY_S = 86_400.0
DAYS_BACK = 2
"""Days before today that are closed at a start."""


def refuse_second_collector(folder: Path) -> None:
    """Say at once who records, before anything is served."""
    holder = lock_holder(folder) if folder.exists() else None
    if holder is not None:
        raise WriterLockedError(folder, holder.pid, holder.since, holder.command)


def local_today(patient: Patient) -> date:
    """Return the date in the patient's zone."""
    return datetime.now(ZoneInfo(patient.zone)).date()


def episode_counts(summary: DaySummary | None) -> dict[str, int | None]:
    """Return candidate episodes by kind; None where none could be looked for."""
    return {
        kind: None if summary is None else getattr(summary, f"{kind}_n")
        for kind in ("jerk", "posture", "tremor")
    }


def today_so_far(
    runtime: Runtime, patient: Patient, before_ns: int | None = None
) -> TodayCounters | None:
    """Return what of today's results was stored before this start, or is of before a time."""
    today = local_today(patient)
    summary = summarise_stored_day(runtime.results, patient, today, before_ns=before_ns)
    if summary is None:
        return None
    return TodayCounters(
        local_date=today.isoformat(),
        recorded_s=summary.recorded_s,
        worn_s=summary.worn_s,
        evaluable_s=summary.evaluable_s,
        episodes={kind: n for kind, n in episode_counts(summary).items() if n},
    )


def params_in_force(store: ResultStore, catalog: Catalog, patient: str) -> PipelineParams:
    """Return the parameters that recording goes on with.

    A patient's own thresholds, once changed, hold from the next recording on, which has everything
    before it made again (`begin_with_thresholds`). Otherwise new results go on as the shown ones
    were made, also where those were made with a file of parameters.
    """
    wanted = pipeline_params(thresholds_of(catalog, patient))
    if is_asked_for(catalog, patient):
        return wanted
    current = next((row for row in store.book.algorithms(patient) if row.current), None)
    if current is None or current.params_hash == wanted.hash:
        return wanted
    try:
        return params_of(current)
    except ReprocessError:
        return PipelineParams()  # another version of the program made them


def begin_with_thresholds(store: ResultStore, catalog: Catalog, patient: str) -> None:
    """Have what was recorded so far made again where thresholds were changed, beside recording."""
    if is_asked_for(catalog, patient) and store.book.current(patient) is not None:
        mark_due(catalog, patient, 0)


async def keep_days(runtime: Runtime, patient: Patient, params: PipelineParams) -> None:
    """Keep the summaries of days that are over, and where they come from."""
    algo = params.algorithm_id
    while True:
        today = local_today(patient)
        await asyncio.to_thread(close_days, runtime.results, patient, algo, today, DAYS_BACK)
        for back in range(1, DAYS_BACK + 1):
            await asyncio.to_thread(_note_day, runtime, patient, algo, today - timedelta(days=back))
        await asyncio.sleep(CLOSE_EVERY_S)


async def learn_temperature(runtime: Runtime, patient: Patient) -> None:
    """Learn once a day how the bias of the patient's sensors follows their temperature."""
    await asyncio.sleep(LEARN_FIRST_S)
    while True:
        units = await asyncio.to_thread(
            learn_lines, runtime.record, runtime.catalog, patient.id, now_ns=time.time_ns()
        )
        if units:
            _log.info("learnt how the bias of %s follows temperature", ", ".join(units))
        await asyncio.sleep(LEARN_EVERY_S)


def _note_day(runtime: Runtime, patient: Patient, algo: str, day: date) -> None:
    """Write down where a day's live results come from, once."""
    book = runtime.results.book
    version = book.current(patient.id) or algo
    begin, end = day_of_ns(day, patient.zone)
    if book.provenance(patient.id, begin, end, algo=version):
        return
    worn = runtime.catalog.wear_sessions(patient.id, begin, end)
    ids = [session.alignment_id for session in worn if session.alignment_id is not None]
    row = day_provenance(runtime.record, patient.id, patient.zone, day, ids, "live")
    if row.notes["units"]:
        book.set_provenance(patient.id, version, [row])


async def until(stop: asyncio.Event, seconds: float | None) -> None:
    """Wait for `stop`, or for the time to be up."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


def register_algorithm(store: ResultStore, patient: str, params: PipelineParams) -> None:
    """Name the version of the chain that results come from."""
    store.book.register(
        patient,
        params.algorithm_id,
        version=ALGORITHM_VERSION,
        params_hash=params.hash,
        params={"params": encode(params)},
    )
