"""Two periods of days: figures side by side with their difference, and posture maps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median

from api import queries
from api.clinic.figures import FIGURES, Figure
from api.clinic.injections import Injection
from api.clinic.patient_days import ClinicDay
from api.clinic.posture_map import DayShares, MapPair, day_shares, map_pair
from api.clinic.trust import TrustShare, trust_share
from api.http.problems import problem
from api.runtime import Runtime
from api.thresholds import Thresholds
from processing.shift import Shift, shift
from processing.summary.types import PLANES, Plane
from storage.catalog import Patient

FORTNIGHT = timedelta(days=13)
MAX_DAYS = 120


@dataclass(frozen=True, slots=True)
class Period:
    """Local days, both ends included."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure in both periods."""

    figure: Figure
    before: float | None
    after: float | None
    change: Shift | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two periods."""

    before: Period
    after: Period
    before_days: tuple[ClinicDay, ...]
    """Those with a summary, counted or not."""
    after_days: tuple[ClinicDay, ...]
    rows: tuple[Compared, ...]
    maps: Mapping[Plane, MapPair | None]
    """None where a period has no day to draw in that plane."""
    across_neutrals: bool
    """The periods rest on more than one neutral."""

    @property
    def before_trust(self) -> TrustShare:
        """Worn time and trust of the earlier period."""
        return trust_share(self.before_days)

    @property
    def after_trust(self) -> TrustShare:
        """Of the later one."""
        return trust_share(self.after_days)


def default_periods(today: date, injected: Sequence[Injection]) -> tuple[Period, Period]:
    """Return the fortnight before the last injection and the last one; else the last two weeks."""
    past = [each.day for each in injected if each.day < today]
    if past:
        after_first = max(past[-1], today - FORTNIGHT)
        return Period(past[-1] - timedelta(days=14), past[-1] - timedelta(days=1)), Period(
            after_first, today
        )
    week = timedelta(days=7)
    return (
        Period(today - 2 * week + timedelta(days=1), today - week),
        Period(today - week + timedelta(days=1), today),
    )


def checked(first: date, last: date) -> Period:
    """Return a period.

    Raises
    ------
    ProblemError
        `invalid-request`: backwards, too long, or outside any recording.
    """
    inside = first.year >= queries.FIRST_YEAR and last.year <= queries.LAST_YEAR
    if not inside or not first <= last <= first + timedelta(days=MAX_DAYS):
        raise problem(
            "invalid-request", f"A period ends after it begins and has at most {MAX_DAYS} days."
        )
    return Period(first, last)


def compare(
    runtime: Runtime,
    patient: Patient,
    days: Sequence[ClinicDay],
    before: Period,
    after: Period,
    thresholds: Thresholds,
) -> Comparison:
    """Return two periods compared, figure by figure and cell by cell.

    Parameters
    ----------
    days : sequence of ClinicDay
        Of both periods at least.
    """
    earlier = tuple(d for d in days if before.first <= d.day <= before.last)
    later = tuple(d for d in days if after.first <= d.day <= after.last)
    n_ids = {d.n_id for d in [*earlier, *later] if d.counts}
    joined = len(n_ids) <= 1 or thresholds.across_neutrals
    rows = [_compared(figure, earlier, later, joined) for figure in FIGURES.values()]
    maps: dict[Plane, MapPair | None] = dict.fromkeys(PLANES)
    if joined:
        for plane in PLANES:
            a = _shares(runtime, patient, earlier, plane)
            b = _shares(runtime, patient, later, plane)
            maps[plane] = map_pair(a, b, plane=plane)
    return Comparison(
        before, after, earlier, later, tuple(rows), maps, across_neutrals=len(n_ids) > 1
    )


def _compared(
    figure: Figure, earlier: Sequence[ClinicDay], later: Sequence[ClinicDay], joined: bool
) -> Compared:
    a = [v for d in earlier if (v := d.value(figure)) is not None]
    b = [v for d in later if (v := d.value(figure)) is not None]
    fair = joined or not figure.per_neutral
    return Compared(
        figure,
        median(a) if a and fair else None,
        median(b) if b and fair else None,
        shift(a, b) if a and b and fair else None,
    )


def _shares(
    runtime: Runtime, patient: Patient, days: Sequence[ClinicDay], plane: Plane
) -> list[tuple[DayShares, float]]:
    ranges = [(d.summary.t_ns, d.summary.end_ns) for d in days if d.counts_rotation and not d.mixed]
    return [day_shares(cells) for cells in runtime.results.cells(patient.id, ranges, plane=plane)]
