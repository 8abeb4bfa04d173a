"""Line charts as plain geometry for page and report: no script, prints, one place for numbers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

WIDTH: Final = 340.0
HEIGHT: Final = 190.0
LEFT: Final = 36.0
RIGHT: Final = 23.0
"""Room for half of the last tick's text."""
TOP: Final = 14.0
BASE: Final = 138.0
STRIP_Y: Final = 164.0
STRIP_HEIGHT: Final = 10.0

Style = Literal["dots", "line", "past", "rotation", "lateral", "flexion"]
"""How a series looks; each differs by shape or dashes, not only by colour."""


@dataclass(frozen=True, slots=True)
class Series:
    """Points of one figure."""

    style: Style
    points: Sequence[tuple[float, float | None]]
    """x and value; None breaks the line."""
    band: Sequence[tuple[float, float, float]] = ()
    """x, low, high; drawn behind."""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """A vertical line with a word: an injection, a new neutral, a turn of the effect."""

    x: float
    kind: Literal["injection", "neutral", "turn"]
    text: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """A series in drawing coordinates."""

    style: Style
    name: str
    path: str
    band: str
    dots: tuple[tuple[float, float], ...]


Counted = Literal["counts", "no_rotation", "short"]
"""A day counts for everything, for all but what rests on turning, or was worn too short."""


@dataclass(frozen=True, slots=True)
class Day:
    """What the strip shows of one day."""

    x: float
    share: float
    """Worn time, of a full day."""
    kind: Counted


@dataclass(frozen=True, slots=True)
class StripCell:
    """Worn time of one day, as a height; hollow where the day does not count for everything."""

    x: float
    y: float
    width: float
    height: float
    kind: Counted


@dataclass(frozen=True, slots=True)
class LineChart:
    """Everything a template or the report draws."""

    id: str
    title: str
    unit: str
    summary: str
    drawn: tuple[Drawn, ...]
    grid: tuple[tuple[float, str], ...]
    ticks: tuple[tuple[float, str], ...]
    marks: tuple[Mark, ...]
    strip: tuple[StripCell, ...]
    width: float = WIDTH
    height: float = HEIGHT
    left: float = LEFT
    top: float = TOP
    base: float = BASE
    strip_y: float = STRIP_Y


def value_range(values: Sequence[float], *, zero: bool) -> tuple[float, float, float]:
    """Return round limits around values and a round step between them."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if zero:
        low, high = min(0.0, low), max(0.0, high)
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    rough = (high - low) / 4.0
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(f * power for f in (1.0, 2.0, 2.5, 5.0, 10.0) if f * power >= rough * 0.999)
    return math.floor(low / step) * step, math.ceil(high / step) * step, step


def line_chart(
    chart_id: str,
    title: str,
    unit: str,
    summary: str,
    series: Sequence[Series],
    *,
    span: tuple[float, float],
    ticks: Sequence[tuple[float, str]],
    marks: Sequence[Mark] = (),
    worn: Sequence[Day] = (),
    zero: bool = True,
) -> LineChart:
    """Return a chart.

    Parameters
    ----------
    span : tuple of float
        First and last x.
    ticks : sequence of tuple
        x and text below the axis.
    worn : sequence of Day
        The strip below the axis.
    zero : bool
        The scale reaches down (or up) to zero.
    """
    values = [v for each in series for _, v in each.points if v is not None]
    values += [v for each in series for _, low, high in each.band for v in (low, high)]
    bottom, top, step = value_range(values, zero=zero)
    first, last = span
    per_x = (WIDTH - LEFT - 3.0 - RIGHT) / max(1.0, last - first)

    def at_x(x: float) -> float:
        return round(LEFT + 3.0 + (x - first) * per_x, 2)

    def at_y(value: float) -> float:
        return round(BASE - (value - bottom) / (top - bottom) * (BASE - TOP), 2)

    drawn = []
    for each in series:
        shown = [(x, v) for x, v in each.points if first <= x <= last]
        dots = tuple((at_x(x), at_y(v)) for x, v in shown if v is not None)
        line = each.style != "dots"
        drawn.append(
            Drawn(
                style=each.style,
                name=each.name,
                path=_path([(at_x(x), None if v is None else at_y(v)) for x, v in shown])
                if line
                else "",
                band=_band([(at_x(x), at_y(a), at_y(b)) for x, a, b in each.band]),
                dots=() if line else dots,
            )
        )
    wide = max(0.6, min(8.0, per_x * 0.8))
    return LineChart(
        id=chart_id,
        title=title,
        unit=unit,
        summary=summary,
        drawn=tuple(drawn),
        grid=tuple(
            (at_y(bottom + i * step), f"{bottom + i * step:g}".replace("-", "−"))
            for i in range(round((top - bottom) / step) + 1)
        ),
        ticks=tuple((at_x(x), text) for x, text in ticks if first <= x <= last),
        marks=tuple(Mark(at_x(m.x), m.kind, m.text) for m in marks if first <= m.x <= last),
        strip=tuple(
            StripCell(
                round(at_x(day.x) - wide / 2, 2),
                round(STRIP_Y + STRIP_HEIGHT * (1.0 - min(1.0, day.share)), 2),
                round(wide, 2),
                round(STRIP_HEIGHT * min(1.0, day.share), 2),
                day.kind,
            )
            for day in worn
            if first <= day.x <= last and day.share > 0.0
        ),
    )


def _path(points: Sequence[tuple[float, float | None]]) -> str:
    parts: list[str] = []
    pen_up = True
    for x, y in points:
        if y is None:
            pen_up = True
            continue
        parts.append(f"{'M' if pen_up else 'L'}{x:g} {y:g}")
        pen_up = False
    return "".join(parts)


def _band(rows: Sequence[tuple[float, float, float]]) -> str:
    if len(rows) < 2:
        return ""
    upper = [f"{x:g} {high:g}" for x, _, high in rows]
    lower = [f"{x:g} {low:g}" for x, low, _ in reversed(rows)]
    return "M" + "L".join(upper + lower) + "Z"
