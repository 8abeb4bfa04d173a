"""What pages and routes ask of the stores, in the patient's days and zone."""

import logging
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from api.days import summarise_stored_day
from api.http.problems import problem
from api.runtime import Runtime
from processing.errors import ProcessingError
from processing.summary.types import DaySummary
from processing.types import Episode
from storage.catalog import Patient
from storage.result_rows import restore

logger = logging.getLogger(__name__)

SECOND_NS = 1_000_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FOREVER_NS = 2**62
FIRST_YEAR = 1990
LAST_YEAR = 2200
"""Times outside these years are no recordings; refusing them keeps nanoseconds in 63 bits."""


@dataclass(frozen=True, slots=True)
class Range:
    """A half-open range of time."""

    t0_ns: int
    t1_ns: int


def to_ns(moment: datetime) -> int:
    """Return UTC nanoseconds of an aware time, exact to the microsecond."""
    return (moment - EPOCH) // timedelta(microseconds=1) * 1000


def checked_range(start: datetime | None, end: datetime | None) -> Range:
    """Return a range of time; an open end reaches as far as there is anything.

    Raises
    ------
    ProblemError
        `invalid-request` where it is empty, backwards, or outside any recording.
    """
    for moment in (start, end):
        if moment is not None and not FIRST_YEAR <= moment.year <= LAST_YEAR:
            raise problem("invalid-request", f"The year {moment.year} is outside any recording.")
    t0 = 0 if start is None else to_ns(start)
    t1 = FOREVER_NS if end is None else to_ns(end)
    if t1 <= t0:
        raise problem("invalid-request", "`to` must be later than `from`.")
    return Range(t0, t1)


def patient_or_404(runtime: Runtime, patient_id: str) -> Patient:
    """Return a patient.

    Raises
    ------
    ProblemError
        `not-found`.
    """
    for patient in runtime.catalog.patients():
        if patient.id == patient_id:
            return patient
    raise problem("not-found", f"There is no patient {patient_id[:40]!r} here.")


def held_range(runtime: Runtime, patient: Patient, wanted: Range) -> Range:
    """Return a range with its open ends drawn in to where the patient has anything."""
    newest = runtime.results.latest(patient.id)
    if len(newest.t_ns) == 0:
        return wanted
    end_ns = int(newest.t_ns[-1]) + newest.step_s * 1_000_000_000
    streams = runtime.record.streams(patient=patient.id)
    sessions = runtime.catalog.wear_sessions(patient.id)
    days = runtime.results.days(patient.id, 0, FOREVER_NS)[:1]
    first_day_ns = [(day.t_ns, day.t_ns + 26 * 3_600_000_000_000) for day in days]
    minutes = [m for a, b in first_day_ns for m in runtime.results.minutes(patient.id, a, b)[:1]]
    starts = [s.host_first_ns for s in streams if s.host_first_ns is not None]
    starts += [session.start_ns for session in sessions] + [minute.t_ns for minute in minutes]
    start_ns = min(starts, default=end_ns - 86_400_000_000_000)
    t0, t1 = max(wanted.t0_ns, start_ns), min(wanted.t1_ns, end_ns)
    return Range(t0, t1) if t0 < t1 else wanted


def midnight_ns(day: date, zone: str) -> int:
    """Return the UTC instant at which a local day begins."""
    return to_ns(datetime.combine(day, time(), tzinfo=ZoneInfo(zone)).astimezone(UTC))


def day_range(first: date, last: date, zone: str) -> Range:
    """Return the instants from the beginning of one local day to the end of another."""
    return Range(midnight_ns(first, zone), midnight_ns(last + timedelta(days=1), zone))


def today_in(zone: str) -> date:
    """Return the local date now."""
    return datetime.now(ZoneInfo(zone)).date()


def days(
    runtime: Runtime, patient: Patient, first: date, last: date, *, algo: str | None = None
) -> list[DaySummary]:
    """Return the day summaries of [first, last], those that exist, in order.

    The day under way is summarised afresh from its minutes, so that it is never behind.
    """
    span = day_range(first, last, patient.zone)
    rows = runtime.results.days(patient.id, span.t0_ns, span.t1_ns, algo=algo)
    found = [restore(DaySummary, row) for row in rows]
    today = today_in(patient.zone)
    if first <= today <= last:
        try:
            fresh = summarise_stored_day(runtime.results, patient, today, algo=algo)
        except ProcessingError as error:
            # minutes of another version of the program; reprocessing makes them new
            logger.warning("today cannot be summarised", extra={"reason": str(error)})
            fresh = None
        if fresh is not None:
            found = [day for day in found if day.date < fresh.date] + [fresh]
    return found


@dataclass(frozen=True, slots=True)
class EpisodePage:
    """Some episodes and where the next ones begin."""

    episodes: list[Episode]
    next_position: int | None
    """Start of the last episode given out; None where nothing follows."""


def episodes_newest_first(
    runtime: Runtime,
    patient: Patient,
    span: Range,
    *,
    kind: str | None = None,
    limit: int = 100,
    algo: str | None = None,
) -> EpisodePage:
    """Return at most about `limit` episodes of a range, newest first.

    Episodes that start at the same instant are never parted by a page border.
    """
    width = 86_400 * SECOND_NS
    found: list[Episode] = []
    t1 = min(span.t1_ns, _newest_ns(runtime, patient))
    while t1 > span.t0_ns and len(found) <= limit:
        t0 = max(span.t0_ns, t1 - width)
        found.extend(reversed(runtime.results.episodes(patient.id, t0, t1, kind=kind, algo=algo)))
        t1 = t0
        width *= 4
    page = found[:limit]
    rest = found[limit:]
    while rest and rest[0].start_ns == page[-1].start_ns:
        page.append(rest.pop(0))
    return EpisodePage(page, page[-1].start_ns if rest else None)


def _newest_ns(runtime: Runtime, patient: Patient) -> int:
    now_ns = to_ns(datetime.now(UTC)) + 86_400 * SECOND_NS
    latest = runtime.results.latest(patient.id)
    return max(now_ns, int(latest.t_ns[-1]) + SECOND_NS) if len(latest.t_ns) else now_ns
