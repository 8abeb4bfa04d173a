"""Figures day by day: charts over calendar days, each with its strip of worn time and trust."""

from collections.abc import Sequence
from datetime import date, timedelta

from api.clinic.charts import Day, LineChart, Mark, Series, line_chart
from api.clinic.figures import FIGURES, Figure
from api.clinic.injections import Injection
from api.clinic.patient_days import ClinicDay
from api.clinic.periods import Period
from api.web import texts

FULL_DAY_S = 12 * 3600.0
"""Worn time that fills the strip below a chart."""
TREND_FIGURES = ("deviation", "near", "posture", "jerk", "tremor")


def strip_of(day: ClinicDay, x: float) -> Day:
    """Return what the strip shows of a day."""
    kind = "counts" if day.counts_rotation else "no_rotation" if day.counts else "short"
    return Day(x, day.summary.worn_s / FULL_DAY_S, kind)  # type: ignore[arg-type]  # the three kinds


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
        ticks.append((float(length - back), texts.day_short(day)))
    marks = [
        Mark(i.day.toordinal() - origin, "injection", t("clinic.mark.injection")) for i in held
    ]
    near = [Mark(c.toordinal() - origin, "neutral", "N") for c in changes]
    worn = [strip_of(d, d.day.toordinal() - origin) for d in shown]

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
