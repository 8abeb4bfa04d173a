"""The report's figures: the page's charts, maps and heat map, drawn from the same geometry."""

from collections.abc import Sequence
from typing import Final

from api.clinic.charts import LineChart
from api.clinic.hours import HourRow
from api.clinic.posture_map import LEVELS, PostureMap
from api.clinic.report_fonts import fit
from api.clinic.report_page import ACCENT, INK, LINE, SOFT, Colour, Page
from api.web import texts

_AXIS: Final[dict[str, Colour]] = {
    "line": ACCENT,
    "rotation": (0, 114, 178),
    "lateral": (179, 74, 0),
    "flexion": (0, 117, 90),
}
_MORE: Final[Colour] = (0, 114, 178)
_LESS: Final[Colour] = (179, 74, 0)
_WORN: Final[Colour] = (150, 170, 190)
_GROUND: Final[Colour] = (242, 240, 235)
_DASHES: Final[dict[str, tuple[float, float]]] = {
    "past": (0.6, 0.9),
    "lateral": (1.8, 0.9),
    "flexion": (0.5, 0.7),
}


def shade(full: Colour, share: float) -> Colour:
    """Return a colour between white and full."""
    red, green, blue = (round(255 + (part - 255) * share) for part in full)
    return red, green, blue


def draw_map(pdf: Page, each: PostureMap, left: float, top: float, wide: float) -> float:
    """Draw a posture map; return its height, millimetres."""
    scale = wide / each.width
    pdf.set_fill_color(*_GROUND)
    pdf.rect(left, top, each.width * scale, each.height * scale, style="F")
    for cell in each.cells:
        pdf.set_fill_color(*shade(_LESS if cell.value < 0 else _MORE, cell.level / LEVELS))
        x, y = left + (cell.x + 0.4) * scale, top + (cell.y + 0.4) * scale
        pdf.rect(x, y, 9.2 * scale, 9.2 * scale, style="F")
        if cell.established:
            pdf.set_draw_color(*(INK if cell.level < LEVELS - 1 else (255, 255, 255)))
            pdf.set_line_width(0.25)
            cx, cy = left + (cell.x + 5) * scale, top + (cell.y + 5) * scale
            pdf.line(cx - 2.5 * scale, cy, cx + 2.5 * scale, cy)
            if cell.value > 0:
                pdf.line(cx, cy - 2.5 * scale, cx, cy + 2.5 * scale)
    pdf.set_draw_color(*INK)
    pdf.set_line_width(0.15)
    x, y = left + each.zero_x * scale, top + each.zero_y * scale
    pdf.line(x, top, x, top + each.height * scale)
    pdf.line(left, y, left + each.width * scale, y)
    return each.height * scale


def draw_hours(pdf: Page, rows: Sequence[HourRow], left: float, top: float, wide: float) -> float:
    """Draw hour by day, newest day on top; return its height, millimetres."""
    label = 17.0
    cell, high = (wide - label) / 24.0, 2.05
    pdf.ink(5.5, SOFT)
    for hour in range(0, 24, 3):
        pdf.set_xy(left + label + hour * cell, top)
        pdf.put(f"{hour}", cell, 2.4, "C")
    y = top + 2.6
    for i, row in enumerate(reversed(rows)):
        if i % 7 == 0:
            pdf.set_xy(left, y - 0.2)
            pdf.put(texts.day_name(row.day.isoformat()), label, 2.4)
        for each in row.hours:
            x = left + label + each.hour * cell
            if each.level:
                pdf.set_fill_color(*shade(_MORE, each.level / LEVELS))
                pdf.rect(x, y, cell - 0.15, high - 0.15, style="F")
            else:
                pdf.set_fill_color(*_GROUND)
                pdf.rect(x + cell / 2 - 0.2, y + high / 2 - 0.2, 0.4, 0.4, style="F")
        y += high
    return y - top


def draw_scale(pdf: Page, bounds: Sequence[float], left: float, top: float) -> None:
    """Draw what the shades of the heat map mean."""
    pdf.ink(5.5, SOFT)
    names = [f"< {bounds[0]:g}°", *(f"≥ {bound:g}°" for bound in bounds)]
    for i, name in enumerate(names):
        x = left + i * 12.0
        pdf.set_fill_color(*shade(_MORE, (i + 1) / LEVELS))
        pdf.rect(x, top + 0.3, 2.6, 2.0, style="F")
        pdf.set_xy(x + 2.8, top)
        pdf.put(name, 9.0, 2.6)


def draw_chart(pdf: Page, chart: LineChart, left: float, top: float, wide: float) -> float:
    """Draw a chart; return its height, millimetres."""
    scale = wide / chart.width
    high = chart.height * scale

    def x(value: float) -> float:
        return left + value * scale

    def y(value: float) -> float:
        return top + value * scale

    pdf.ink(5.5, SOFT)
    pdf.set_draw_color(*LINE)
    pdf.set_line_width(0.15)
    for at, text in [*chart.grid, (chart.strip_y + 10, texts.text("clinic.strip"))]:
        pdf.line(x(chart.left), y(at), x(chart.width), y(at))
        pdf.set_xy(left, y(at) - 1.5)
        pdf.cell((chart.left - 4) * scale, 3, fit(pdf, text), align="R")
    for at, text in chart.ticks:
        pdf.set_xy(x(at) - 8, y(chart.base + 4))
        pdf.cell(16, 3, fit(pdf, text), align="C")
    pdf.set_draw_color(*_WORN)
    for cell in chart.strip:
        pdf.set_fill_color(*(_WORN if cell.kind == "counts" else shade(_WORN, 0.45)))
        style = "D" if cell.kind == "short" else "F"
        pdf.rect(x(cell.x), y(cell.y), cell.width * scale, cell.height * scale, style=style)
    for each in chart.drawn:
        if each.band:
            pdf.set_fill_color(222, 230, 237)
            pdf.polygon([(x(a), y(b)) for a, b in _points(each.band)[0]], style="F")
    for mark in chart.marks:
        pdf.set_draw_color(*SOFT)
        dash, gap = {"injection": (0.0, 0.0), "turn": (1.4, 0.8), "neutral": (0.4, 0.8)}[mark.kind]
        pdf.set_dash_pattern(dash=dash, gap=gap)
        pdf.line(x(mark.x), y(chart.top), x(mark.x), y(chart.base))
        pdf.set_dash_pattern()
        if mark.kind == "injection":
            pdf.set_fill_color(*INK)
            tip = [(mark.x - 4, chart.top - 8), (mark.x + 4, chart.top - 8), (mark.x, chart.top)]
            pdf.polygon([(x(a), y(b)) for a, b in tip], style="F")
        elif mark.kind == "turn":
            pdf.set_fill_color(*INK)
            pdf.ellipse(x(mark.x) - 0.8, y(chart.base) - 0.8, 1.6, 1.6, style="F")
    for each in chart.drawn:
        pdf.set_draw_color(*_AXIS.get(each.style, INK))
        dash, gap = _DASHES.get(each.style, (0.0, 0.0))
        pdf.set_dash_pattern(dash=dash, gap=gap)
        pdf.set_line_width(0.5 if each.style == "line" else 0.3)
        for part in _points(each.path):
            if len(part) > 1:
                pdf.polyline([(x(a), y(b)) for a, b in part])
        pdf.set_dash_pattern()
        pdf.set_line_width(0.2)
        pdf.set_draw_color(*SOFT)
        for a, b in each.dots:
            pdf.ellipse(x(a) - 0.5, y(b) - 0.5, 1.0, 1.0)
    return high


def _points(path: str) -> list[list[tuple[float, float]]]:
    """Return the strokes of a path of M and L."""
    strokes = [part for part in path.rstrip("Z").split("M") if part]
    return [
        [(float(a), float(b)) for a, b in (point.split(" ") for point in stroke.split("L"))]
        for stroke in strokes
    ]
