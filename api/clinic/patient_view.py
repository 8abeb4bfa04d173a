"""Everything that the patient page and the report show, worked out once for both."""

from dataclasses import dataclass
from datetime import date, timedelta

from api.clinic.charts import LineChart
from api.clinic.cycle_view import (
    CYCLE_WEEKS,
    CycleRow,
    cycle_chart,
    cycle_facts,
    cycle_rows,
    cycles_of,
)
from api.clinic.done import Adherence, Judged, lately_exercised, lately_judged
from api.clinic.figures import FIGURES, Figure
from api.clinic.hours import HourRow, hour_rows, known_hours
from api.clinic.injections import Injection, injections
from api.clinic.patient_days import ClinicDay, clinic_days, neutral_changes, reach
from api.clinic.periods import Comparison, Period, compare, default_periods
from api.clinic.reasons import FIGURE, Standing, since_last, standing
from api.clinic.slips import Slips, slips
from api.clinic.trend_view import trend_charts
from api.clinic.trust import TrustShare, trust_share
from api.clinic.words import weeks
from api.queries import day_range, today_in
from api.runtime import Runtime
from api.thresholds import Thresholds, thresholds_of
from api.web import texts
from processing.trend import Cycle
from storage.catalog import Patient

HOUR_DAYS = 28
LEAST_HOUR_DAYS = 7


@dataclass(frozen=True, slots=True)
class PatientView:
    """One patient, as the clinician sees them today."""

    patient: Patient
    today: date
    thresholds: Thresholds
    standing: Standing
    days: tuple[ClinicDay, ...]
    injections: tuple[Injection, ...]
    since_last: int | None
    """Days since the last injection."""
    figure: Figure
    """What the cycle is judged by."""
    cycle: Cycle | None
    """The latest one."""
    cycle_facts: tuple[tuple[str, str], ...]
    """Name and words."""
    cycle_chart: LineChart | None
    cycle_rows: tuple[CycleRow, ...]
    """All cycles, newest first."""
    cycle_trust: TrustShare
    """Of the latest cycle with its baseline."""
    trends: tuple[LineChart, ...]
    trend_span: Period
    trend_trust: TrustShare
    comparison: Comparison
    hours: tuple[HourRow, ...]
    exercised: Adherence
    judged: Judged
    trust: TrustShare
    """Of the last four weeks."""
    new_neutrals: tuple[date, ...]
    slips: Slips
    """Of the trends' range."""

    @property
    def since_words(self) -> str:
        """How long ago the last injection was."""
        if self.since_last is None:
            return texts.text("clinic.injection.none")
        return texts.text("clinic.injection.since", weeks=weeks(self.since_last))

    @property
    def hours_known(self) -> range:
        """Hours of the day that the heat map shows."""
        return known_hours(self.hours)

    @property
    def neutral_words(self) -> str:
        """What new neutral positions mean for what is shown; empty where there was none."""
        if not self.new_neutrals:
            return ""
        key = "joined" if self.thresholds.across_neutrals else "apart"
        last = texts.day_name(self.new_neutrals[-1].isoformat())
        return texts.text(f"clinic.neutrals.{key}", n=len(self.new_neutrals), last=last)


def patient_view(
    runtime: Runtime,
    patient: Patient,
    *,
    figure_key: str = "deviation",
    periods: tuple[Period, Period] | None = None,
    weeks_shown: int = CYCLE_WEEKS,
    until: date | None = None,
) -> PatientView:
    """Return everything about one patient.

    Parameters
    ----------
    figure_key : str
        Key of a figure with a better and a worse side.
    periods : tuple of Period, optional
        Earlier and later one to compare.
    weeks_shown : int
        How far back the trends reach.
    until : date, optional
        Last day looked at; today where not given.
    """
    today = until or today_in(patient.zone)
    thresholds = thresholds_of(runtime.catalog, patient.id)
    first, last = reach(today)
    if periods is not None:
        first, last = min(first, periods[0].first), max(last, periods[1].last, periods[0].last)
    days = tuple(clinic_days(runtime, patient, first, last, thresholds))
    shown = tuple(d for d in days if d.day <= today)
    held = tuple(i for i in injections(runtime.catalog, patient) if i.day <= today)
    figure = FIGURES[figure_key]
    found = cycles_of(shown, held, figure, thresholds)
    judged_by = found if figure is FIGURE else cycles_of(shown, held, FIGURE, thresholds)
    changes = tuple(neutral_changes(shown))
    earlier, later = periods or default_periods(today, held)
    trend_first = today - timedelta(days=7 * weeks_shown - 1)
    if shown:
        trend_first = max(trend_first, min(shown[0].day, today - timedelta(days=27)))
    span = Period(trend_first, today)
    cycle_days = [d for d in shown if found and found[-1].days and _within(d, found[-1])]
    within = day_range(span.first, span.last, patient.zone)
    return PatientView(
        patient=patient,
        today=today,
        thresholds=thresholds,
        standing=standing(today, shown, judged_by, thresholds),
        days=shown,
        injections=held,
        since_last=since_last(today, held),
        figure=figure,
        cycle=found[-1] if found else None,
        cycle_facts=cycle_facts(figure, found[-1]) if found else (),
        cycle_chart=cycle_chart(figure, found, shown) if found else None,
        cycle_rows=cycle_rows(figure, found, held),
        cycle_trust=trust_share(cycle_days),
        trends=tuple(trend_charts(shown, span, held, changes)),
        trend_span=span,
        trend_trust=trust_share([d for d in shown if d.day >= span.first]),
        comparison=compare(runtime, patient, days, earlier, later, thresholds),
        hours=hour_rows(runtime, patient, _hour_days(shown, today)),
        exercised=lately_exercised(runtime, patient, today),
        judged=lately_judged(runtime, patient, today),
        trust=trust_share([d for d in shown if d.day > today - timedelta(days=28)]),
        new_neutrals=tuple(day for day in changes if day >= span.first),
        slips=slips(runtime.catalog, patient, within.t0_ns, within.t1_ns),
    )


def _within(day: ClinicDay, cycle: Cycle) -> bool:
    return cycle.days[0].day <= day.day.toordinal() < cycle.end


def _hour_days(shown: tuple[ClinicDay, ...], today: date) -> list[date]:
    """Return the days of the heat map: four weeks, fewer where less was recorded."""
    if not shown:
        return []
    first = min(shown[0].day, today - timedelta(days=LEAST_HOUR_DAYS - 1))
    first = max(first, today - timedelta(days=HOUR_DAYS - 1))
    return [first + timedelta(days=i) for i in range((today - first).days + 1)]
