"""Everything that the patient page and the report show, worked out once for both."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from api.clinic.charts import LineChart, Mark, Series, line_chart
from api.clinic.figures import FIGURES, Figure
from api.clinic.injections import Injection, injections
from api.clinic.patient_days import (
    ClinicDay,
    Counting,
    clinic_days,
    counting_of,
    neutral_changes,
    reach,
    trend_days,
)
from api.clinic.periods import Comparison, Period, compare, default_periods
from api.clinic.words import best_words, shift_words, turn_words, weeks
from api.queries import today_in
from api.runtime import Runtime
from api.web import texts
from processing.trend import Cycle, TrendParams, cycles
from storage.catalog import Patient

FULL_DAY_S = 12 * 3600.0
"""Worn time that fills the strip below a chart."""
CYCLE_WEEKS = 16
TREND_FIGURES = ("deviation", "near", "posture", "jerk", "tremor")
PARAMS = TrendParams()


@dataclass(frozen=True, slots=True)
class TrustShare:
    """Worn time and how well turning was known, over a stretch of days."""

    days: int
    counted: int
    worn_s: float
    good: float
    """Percent of the time."""
    fair: float
    poor: float

    @property
    def words(self) -> str:
        """All of it in a sentence."""
        return texts.text(
            "clinic.trust",
            counted=self.counted,
            days=self.days,
            worn=texts.duration(self.worn_s),
            good=f"{self.good:.0f}",
            fair=f"{self.fair:.0f}",
            poor=f"{self.poor:.0f}",
        )


@dataclass(frozen=True, slots=True)
class PatientView:
    """One patient, as the clinician sees them today."""

    patient: Patient
    today: date
    counting: Counting
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
    trends: tuple[LineChart, ...]
    trend_span: Period
    comparison: Comparison
    trust: TrustShare
    """Of the last four weeks."""
    new_neutrals: tuple[date, ...]


def trust_share(days: Sequence[ClinicDay]) -> TrustShare:
    """Return worn time and trust of some days."""
    parts = [
        sum(getattr(d.summary, f"heading_{name}_s") for d in days)
        for name in ("good", "fair", "poor")
    ]
    whole = sum(parts) or 1.0
    good, fair, poor = (100.0 * part / whole for part in parts)
    worn_s = sum(d.summary.worn_s for d in days)
    return TrustShare(len(days), sum(d.counts for d in days), worn_s, good, fair, poor)


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
    counting = counting_of(runtime.catalog, patient.id)
    first, last = reach(today)
    if periods is not None:
        first, last = min(first, periods[0].first), max(last, periods[1].last, periods[0].last)
    days = tuple(clinic_days(runtime, patient, first, last, counting))
    shown = tuple(d for d in days if d.day <= today)
    held = tuple(i for i in injections(runtime.catalog, patient) if i.day <= today)
    figure = FIGURES[figure_key]
    found = cycles_of(shown, held, figure, counting)
    changes = tuple(neutral_changes(shown))
    earlier, later = periods or default_periods(today, held)
    trend_first = today - timedelta(days=7 * weeks_shown - 1)
    if shown:
        trend_first = max(trend_first, min(shown[0].day, today - timedelta(days=27)))
    span = Period(trend_first, today)
    return PatientView(
        patient=patient,
        today=today,
        counting=counting,
        days=shown,
        injections=held,
        since_last=(today - held[-1].day).days if held else None,
        figure=figure,
        cycle=found[-1] if found else None,
        cycle_facts=cycle_facts(figure, found[-1]) if found else (),
        cycle_chart=cycle_chart(figure, found, shown) if found else None,
        trends=tuple(trend_charts(shown, span, held, changes)),
        trend_span=span,
        comparison=compare(runtime, patient, days, earlier, later, counting),
        trust=trust_share([d for d in shown if d.day > today - timedelta(days=28)]),
        new_neutrals=tuple(day for day in changes if day >= span.first),
    )


def cycles_of(
    days: Sequence[ClinicDay], held: Sequence[Injection], figure: Figure, counting: Counting
) -> tuple[Cycle, ...]:
    """Return the courses after the injections, by one figure."""
    if figure.better is None:
        return ()
    rows = trend_days(days, figure, counting)
    return cycles(PARAMS, rows, [i.day.toordinal() for i in held], figure.better)


def cycle_facts(figure: Figure, cycle: Cycle) -> tuple[tuple[str, str], ...]:
    """Return what is said about a cycle, name and words."""
    t = texts.text
    none = t("clinic.turn.none", why=t("clinic.turn.no_baseline"))
    base = t("clinic.baseline", value=figure.write(cycle.baseline), n=cycle.baseline_n)
    last_day = cycle.end - cycle.injected - 1
    return (
        (t("clinic.fact.baseline"), none if cycle.baseline is None else base),
        (t("clinic.fact.best"), best_words(figure, cycle)),
        (t("clinic.fact.change"), shift_words(figure, cycle.change)),
        (t("clinic.fact.onset"), turn_words(cycle.onset)),
        (t("clinic.fact.wearing_off"), turn_words(cycle.wearing_off)),
        (t("clinic.fact.until"), t(f"clinic.ended.{cycle.ended_by}", day=max(0, last_day))),
    )


def cycle_chart(figure: Figure, found: Sequence[Cycle], days: Sequence[ClinicDay]) -> LineChart:
    """Return the overlay of all cycles on days since the injection."""
    t = texts.text
    latest = found[-1]
    length = max(7 * CYCLE_WEEKS, *(c.end - c.injected for c in found))
    length = min(length, 2 * 7 * CYCLE_WEEKS)
    series = [
        Series(
            "past", [(d.day - c.injected, d.value) for d in c.smooth], name=t("clinic.cycle.past")
        )
        for c in found[:-1]
    ]
    series += [
        Series(
            "dots",
            [(d.day - latest.injected, d.value) for d in latest.days],
            name=t("clinic.cycle.days"),
        ),
        Series(
            "line",
            [(d.day - latest.injected, d.value) for d in latest.smooth],
            name=t("clinic.cycle.median"),
        ),
    ]
    marks = [Mark(0, "injection", t("clinic.mark.injection"))]
    for key, turn in (("onset", latest.onset), ("wearing_off", latest.wearing_off)):
        if turn.day is not None:
            marks.append(Mark(turn.day, "turn", t(f"clinic.mark.{key}")))
    ticks = [(7.0 * w, t("clinic.tick.week", n=w)) for w in range(0, length // 7 + 1, 4)]
    facts = "; ".join(f"{name}: {words}" for name, words in cycle_facts(figure, latest))
    worn = [
        (d.day.toordinal() - latest.injected, d.summary.worn_s / FULL_DAY_S)
        for d in days
        if d.day.toordinal() < latest.end
    ]
    return line_chart(
        "cycle", figure.name, figure.unit.strip() or figure.unit, f"{figure.name}. {facts}",
        series, span=(-PARAMS.baseline_d, length), ticks=ticks, marks=marks, worn=worn,
    )  # fmt: skip


def trend_charts(
    days: Sequence[ClinicDay],
    span: Period,
    held: Sequence[Injection],
    changes: Sequence[date],
) -> list[LineChart]:
    """Return one chart per figure and one of the three angles, over calendar days."""
    t = texts.text
    origin = span.first.toordinal()
    length = (span.last - span.first).days
    shown = [d for d in days if span.first <= d.day <= span.last]
    every = max(7, -(-length // 5 // 7) * 7)
    ticks = []
    for back in range(0, length + 1, every):
        day = span.last - timedelta(days=back)
        ticks.append((float(length - back), f"{day.day} {day:%b}"))
    marks = [
        Mark(i.day.toordinal() - origin, "injection", t("clinic.mark.injection")) for i in held
    ]
    near = [Mark(c.toordinal() - origin, "neutral", "N") for c in changes]
    worn = [(d.day.toordinal() - origin, d.summary.worn_s / FULL_DAY_S) for d in shown]

    def broken(figure: Figure) -> list[tuple[float, float | None]]:
        points: list[tuple[float, float | None]] = []
        before: ClinicDay | None = None
        for d in shown:
            x = float(d.day.toordinal() - origin)
            if before is not None and figure.per_neutral and before.n_id != d.n_id:
                points.append((x - 0.5, None))
            points.append((x, d.value(figure)))
            before = d
        return points

    def chart(
        key: str, name: str, unit: str, series: list[Series], summary: str, tied: bool
    ) -> LineChart:
        return line_chart(
            f"trend-{key}", name, unit, summary, series, span=(0.0, float(length)), ticks=ticks,
            marks=[*marks, *(near if tied else ())], worn=worn,
        )  # fmt: skip

    made = []
    for key in TREND_FIGURES:
        figure = FIGURES[key]
        series = [Series("dots", broken(figure), name=figure.name)]
        if key == "jerk":
            band = [
                (float(d.day.toordinal() - origin), low, high)
                for d in shown
                if d.counts
                and (low := d.summary.jerk_per_evaluable_h_low) is not None
                and (high := d.summary.jerk_per_evaluable_h_high) is not None
            ]
            series = [Series("dots", broken(figure), band=band, name=figure.name)]
        summary = _summary(figure, shown)
        unit = figure.unit.strip()
        made.append(chart(key, figure.name, unit, series, summary, figure.per_neutral))
    angles = [
        Series(key, broken(FIGURES[key]), name=FIGURES[key].name)
        for key in ("rotation", "lateral", "flexion")
    ]
    summary = " ".join(_summary(FIGURES[key], shown) for key in ("rotation", "lateral", "flexion"))
    made.append(chart("angles", t("clinic.angles"), "°", angles, summary, tied=True))
    return made


def _summary(figure: Figure, days: Sequence[ClinicDay]) -> str:
    values = [v for d in days if (v := d.value(figure)) is not None]
    if not values:
        return texts.text("clinic.trend.none", name=figure.name)
    return texts.text(
        "clinic.trend.summary",
        name=figure.name,
        n=len(values),
        low=figure.write(min(values)),
        high=figure.write(max(values)),
        last=figure.write(values[-1]),
    )


def since_words(view: PatientView) -> str:
    """Return how long ago the last injection was."""
    if view.since_last is None:
        return texts.text("clinic.injection.none")
    return texts.text("clinic.injection.since", weeks=weeks(view.since_last))
