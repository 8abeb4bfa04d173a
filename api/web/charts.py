"""Bar charts as plain geometry for the templates: they need no script and print well."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

WIDTH = 340.0
HEIGHT = 150.0
_LEFT = 34.0
_BASE = HEIGHT - 24.0
_TOP = 8.0


@dataclass(frozen=True, slots=True)
class DayValue:
    """What one bar stands for."""

    day: date
    value: float | None
    """None where there is none; drawn as a dash, never as zero."""
    weak: bool
    """Too little data for a judgement; drawn hatched."""
    text: str
    """The value in words."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar in drawing coordinates."""

    x: float
    y: float
    width: float
    height: float
    hit_x: float
    hit_width: float
    value: float | None
    weak: bool
    label: str
    tick: str
    href: str


@dataclass(frozen=True, slots=True)
class GridLine:
    """A horizontal line with its number."""

    y: float
    text: str


@dataclass(frozen=True, slots=True)
class BarChart:
    """Everything the template draws."""

    id: str
    title: str
    unit: str
    summary: str
    bars: tuple[Bar, ...]
    grid: tuple[GridLine, ...]
    second: bool
    """Use the second colour."""
    width: float = WIDTH
    height: float = HEIGHT
    left: float = _LEFT
    base: float = _BASE


def nice_ceiling(value: float) -> float:
    """Return the next of 1, 2, 2.5, 5, 10 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 1.0
    while power * 10 < value:
        power *= 10
    while power >= value:
        power /= 10
    for step in (1.0, 2.0, 2.5, 5.0, 10.0):
        if step * power >= value:
            return step * power
    return 10.0 * power


def bar_chart(
    chart_id: str,
    title: str,
    unit: str,
    values: Sequence[DayValue],
    *,
    top: float | None = None,
    second: bool = False,
) -> BarChart:
    """Return a chart with one bar per day.

    Parameters
    ----------
    chart_id : str
        Unique in the page.
    title, unit : str
        What the bars show.
    values : sequence of DayValue
        In order of time.
    top : float, optional
        Upper end of the scale; a round number above the largest value where not given.
    second : bool
        Use the second colour.
    """
    known = [v.value for v in values if v.value is not None]
    # below 1 a scale would blow a minute of today up to the height of a day
    ceiling = top if top is not None else nice_ceiling(max([1.0, *known]))
    step = (WIDTH - _LEFT) / max(1, len(values))
    every = max(1, -(-len(values) // 15))
    bars = []
    for i, item in enumerate(values):
        share = min(1.0, max(0.0, (item.value or 0.0) / ceiling))
        height = max(1.5, share * (_BASE - _TOP))
        wide = min(34.0, step * 0.66)
        shown_tick = (len(values) - 1 - i) % every == 0
        bars.append(
            Bar(
                x=round(_LEFT + step * i + (step - wide) / 2, 2),
                y=round(_BASE - height, 2),
                width=round(wide, 2),
                height=round(height, 2),
                hit_x=round(_LEFT + step * i, 2),
                hit_width=round(step, 2),
                value=item.value,
                weak=item.weak,
                label=item.text,
                tick=str(item.day.day) if shown_tick else "",
                href=f"/history/{item.day.isoformat()}",
            )
        )
    grid = tuple(
        GridLine(y=round(_BASE - f * (_BASE - _TOP), 2), text=f"{f * ceiling:g}")
        for f in (0.0, 0.5, 1.0)
    )
    return BarChart(chart_id, title, unit, f"{title} ({unit})", tuple(bars), grid, second)


def last_days(last: date, count: int) -> list[date]:
    """Return `count` days in order, ending with `last`."""
    return [last - timedelta(days=count - 1 - i) for i in range(count)]
