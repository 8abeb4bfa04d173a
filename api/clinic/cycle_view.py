"""Courses after the injections, by one figure: overlaid in a chart, and one by one in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from api.clinic.charts import LineChart, Mark, Series, line_chart
from api.clinic.figures import Figure
from api.clinic.injections import Injection
from api.clinic.patient_days import ClinicDay, trend_days
from api.clinic.trend_view import strip_of
from api.clinic.words import best_words, shift_words, turn_words
from api.thresholds import Thresholds
from api.web import texts
from processing.trend import Cycle, TrendParams, cycles

CYCLE_WEEKS = 16
PARAMS = TrendParams()


@dataclass(frozen=True, slots=True)
class CycleRow:
    """One cycle in words."""

    day: date
    given: tuple[str, ...]
    """Product, units and muscles of each injection of that day."""
    baseline: str
    best: str
    change: str
    onset: str
    wearing_off: str


def cycles_of(
    days: Sequence[ClinicDay], held: Sequence[Injection], figure: Figure, thresholds: Thresholds
) -> tuple[Cycle, ...]:
    """Return the courses after the injections, by one figure."""
    if figure.better is None:
        return ()
    rows = trend_days(days, figure, thresholds)
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
        strip_of(d, d.day.toordinal() - latest.injected)
        for d in days
        if d.day.toordinal() < latest.end
    ]
    return line_chart(
        "cycle", figure.name, figure.unit.strip() or figure.unit, f"{figure.name}. {facts}",
        series, span=(-PARAMS.baseline_d, length), ticks=ticks, marks=marks, worn=worn,
    )  # fmt: skip


def cycle_rows(
    figure: Figure, found: Sequence[Cycle], held: Sequence[Injection]
) -> tuple[CycleRow, ...]:
    """Return the cycles in words, newest first."""
    rows = []
    for cycle in reversed(found):
        day = date.fromordinal(cycle.injected)
        base = texts.text("unit.none")
        if cycle.baseline is not None:
            base = texts.text(
                "clinic.baseline", value=figure.write(cycle.baseline), n=cycle.baseline_n
            )
        rows.append(
            CycleRow(
                day=day,
                given=tuple(given_words(each) for each in held if each.day == day),
                baseline=base,
                best=best_words(figure, cycle),
                change=shift_words(figure, cycle.change),
                onset=turn_words(cycle.onset),
                wearing_off=turn_words(cycle.wearing_off),
            )
        )
    return tuple(rows)


def given_words(injection: Injection) -> str:
    """Return product, units and muscles, as entered."""
    units = injection.units
    parts = [
        injection.product,
        "" if units is None else texts.text("clinic.units", n=f"{units:g}"),
        injection.muscles,
    ]
    return ", ".join(part for part in parts if part)
