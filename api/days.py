"""Day summaries made of stored minutes and episodes: today as it stands, and days gone by."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from processing.summary import DaySummary, MinuteSummary, summarise_day
from storage.catalog import Patient
from storage.result_rows import MINUTE_NS, ResultBatch, restore
from storage.results import ResultStore

MARGIN_NS = 3600 * 10**9
"""Minutes around the day that help to judge wear at its edges."""


def local_midnight(day: date, zone: str) -> datetime:
    """Return the instant at which a local day begins."""
    return datetime.combine(day, time(), tzinfo=ZoneInfo(zone))


def summarise_stored_day(
    store: ResultStore,
    patient: Patient,
    day: date,
    *,
    algo: str | None = None,
    before_ns: int | None = None,
) -> DaySummary | None:
    """Return the summary of a local day as the stored minutes stand; None where there are none.

    With `before_ns` only minutes that were over by then count, and episodes that had begun.
    """
    start = local_midnight(day, patient.zone)
    end = local_midnight(day + timedelta(days=1), patient.zone)
    t0_ns, t1_ns = int(start.timestamp()) * 10**9, int(end.timestamp()) * 10**9
    rows = store.minutes(patient.id, t0_ns - MARGIN_NS, t1_ns + MARGIN_NS, algo=algo)
    known_ns = t1_ns + MARGIN_NS if before_ns is None else before_ns
    over = [row for row in rows if row.t_ns + MINUTE_NS <= known_ns]
    minutes = [restore(MinuteSummary, row) for row in over]
    if not any(t0_ns <= minute.t_ns < t1_ns for minute in minutes):
        return None
    episodes = [
        episode
        for episode in store.episodes(patient.id, t0_ns - MARGIN_NS, t1_ns, algo=algo)
        if episode.end_ns > t0_ns and episode.start_ns < known_ns
    ]
    return summarise_day(minutes, episodes, day_start=start, day_end=end)


def store_day(store: ResultStore, patient: Patient, algo: str, day: date) -> DaySummary | None:
    """Summarise a local day and keep the result; None where nothing was recorded."""
    summary = summarise_stored_day(store, patient, day)
    if summary is not None:
        store.put(ResultBatch(patient.id, algo, days=(summary,)))
    return summary


def close_days(store: ResultStore, patient: Patient, algo: str, today: date, back: int = 7) -> int:
    """Keep the summaries of the last days before today; return how many there are.

    Days are summarised once they are over, so this is to be called after each midnight and at
    each start.
    """
    found = [store_day(store, patient, algo, today - timedelta(days=i)) for i in range(1, back + 1)]
    return sum(1 for summary in found if summary is not None)
