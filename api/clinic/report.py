"""The report for the file: one or two pages of PDF, made offline from what the page shows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

from fpdf import FPDF

from api.clinic.charts import LineChart
from api.clinic.patient_view import PatientView, since_words, trust_share
from api.clinic.periods import Comparison
from api.clinic.posture_map import LEVELS, MapPair, PostureMap
from api.clinic.report_fonts import FAMILY, add_fonts, close_fonts, fit
from api.clinic.words import shift_words, verdict_words
from api.web import texts

Paper = Literal["a4", "letter"]

MARGIN_MM: Final = 14.0
_INK: Final = (31, 42, 46)
_SOFT: Final = (85, 99, 106)
_LINE: Final = (214, 210, 200)
_ACCENT: Final = (11, 107, 99)
_AXIS: Final[dict[str, tuple[int, int, int]]] = {
    "line": _ACCENT,
    "rotation": (0, 114, 178),
    "lateral": (179, 74, 0),
    "flexion": (0, 117, 90),
}
_MORE: Final = (0, 114, 178)
_LESS: Final = (179, 74, 0)
_DASHES: Final[dict[str, tuple[float, float]]] = {
    "past": (0.6, 0.9),
    "lateral": (1.8, 0.9),
    "flexion": (0.5, 0.7),
}


class _Report(FPDF):
    """A document with its footer on every page."""

    def __init__(self, view: PatientView, paper: Paper, own_font: Path | None) -> None:
        super().__init__(format=paper)
        add_fonts(self, own_font)
        self._view = view
        self.set_margins(MARGIN_MM, MARGIN_MM, MARGIN_MM)
        self.set_auto_page_break(auto=True, margin=16)
        self.set_creator("necktrace")
        self.set_title(fit(self, texts.text("clinic.report.title")))
        self.set_lang(texts.LANGUAGE)

    def footer(self) -> None:
        """Write who this is about and which page it is: loose pages must not be mixed up."""
        self.set_y(-12)
        self.set_font(FAMILY, size=7.5)
        self.set_text_color(*_SOFT)
        page = texts.text("clinic.report.page", n=self.page_no(), total="{nb}")
        self.cell(self.epw / 2, 4, fit(self, self._view.patient.id))
        self.cell(self.epw / 2, 4, fit(self, page), align="R")

    def say(self, text: str, size: float = 9.0, *, soft: bool = False, bold: bool = False) -> None:
        """Write a paragraph."""
        self.set_font(FAMILY, "B" if bold else "", size)
        self.set_text_color(*(_SOFT if soft else _INK))
        self.multi_cell(0, size * 0.46, fit(self, text), new_x="LMARGIN", new_y="NEXT", align="L")

    def heading(self, text: str) -> None:
        """Write a section's name."""
        self.ln(2.5)
        self.set_font(FAMILY, "B", 10.5)
        self.set_text_color(*_ACCENT)
        self.cell(0, 5.5, fit(self, text), new_x="LMARGIN", new_y="NEXT")


def report_pdf(view: PatientView, paper: Paper = "a4", own_font: Path | None = None) -> bytes:
    """Return the report as PDF.

    Parameters
    ----------
    view : PatientView
        What the patient page shows; the report writes the same words and numbers.
    paper : {"a4", "letter"}
        Size of the page.
    own_font : Path, optional
        Font file for scripts that the package's own lacks.

    Raises
    ------
    ApiError
        A font file cannot be used.
    """
    pdf = _Report(view, paper, own_font)
    try:
        _write(pdf, view)
        return bytes(pdf.output())
    finally:
        close_fonts(pdf)


def _write(pdf: _Report, view: PatientView) -> None:
    from importlib.metadata import version

    t = texts.text
    pdf.add_page()
    pdf.say(t("clinic.report.title"), 16, bold=True)
    label = view.patient.label
    who = view.patient.id if label in {"", view.patient.id} else f"{label} ({view.patient.id})"
    pdf.say(f"{who}. {since_words(view)}", 10.5)
    made = t(
        "clinic.report.made",
        day=texts.day_name(view.today.isoformat()),
        zone=view.patient.zone,
        version=version("necktrace"),
    )
    counting = t("clinic.report.counting", h=f"{view.counting.least_worn_h:g}")
    pdf.say(f"{made} {counting}", 8, soft=True)
    pdf.say(view.trust.words, 8.5)
    if view.new_neutrals:
        key = "joined" if view.counting.across_neutrals else "apart"
        last = texts.day_name(view.new_neutrals[-1].isoformat())
        pdf.say(t(f"clinic.neutrals.{key}", n=len(view.new_neutrals), last=last), 8.5)
    _cycle(pdf, view)
    _comparison(pdf, view.comparison)
    if view.comparison.maps is not None:
        _maps(pdf, view.comparison.maps)
    pdf.add_page()
    pdf.heading(t("clinic.trends"))
    _charts(pdf, view.trends)
    pdf.say(t("clinic.report.legend"), 7.5, soft=True)
    pdf.heading(t("clinic.report.intended"))
    pdf.say(f"{t('app.intended')} {t('about.limits.text')}", 8)


def _cycle(pdf: _Report, view: PatientView) -> None:
    t = texts.text
    pdf.heading(t("clinic.report.cycle", name=view.figure.name))
    if view.cycle is None or view.cycle_chart is None:
        pdf.say(t("clinic.cycle.none"))
        return
    last = view.injections[-1]
    pdf.say(
        t(
            "clinic.report.last_injection",
            day=texts.day_name(last.day.isoformat()),
            product=last.product,
            units=texts.number(last.units),
            muscles=last.muscles or t("unit.none"),
        )
    )
    top = pdf.get_y() + 1.5
    wide = pdf.epw * 0.47
    high = _draw(pdf, view.cycle_chart, pdf.l_margin, top, wide)
    left = pdf.l_margin + wide + 4
    pdf.set_y(top)
    for name, said in view.cycle_facts:
        pdf.set_x(left)
        pdf.set_font(FAMILY, "B", 8)
        pdf.set_text_color(*_SOFT)
        pdf.cell(0, 3.8, fit(pdf, name), new_x="LEFT", new_y="NEXT")
        pdf.set_font(FAMILY, "", 8.5)
        pdf.set_text_color(*_INK)
        wide_left = pdf.w - pdf.r_margin - left
        pdf.multi_cell(wide_left, 4, fit(pdf, said), new_x="LEFT", new_y="NEXT", align="L")
    pdf.set_y(max(pdf.get_y(), top + high) + 1)
    pdf.say(t("clinic.cycle.how"), 7.5, soft=True)


def _comparison(pdf: _Report, found: Comparison) -> None:
    t = texts.text
    pdf.heading(t("clinic.compare"))
    for key, period, days in (
        ("a", found.before, found.before_days),
        ("b", found.after, found.after_days),
    ):
        trust = trust_share(days)
        words = t(
            "clinic.report.period_trust",
            counted=trust.counted,
            days=trust.days,
            worn=texts.duration(trust.worn_s),
            good=f"{trust.good:.0f}",
            fair=f"{trust.fair:.0f}",
            poor=f"{trust.poor:.0f}",
        )
        first, last = (texts.day_name(d.isoformat()) for d in (period.first, period.last))
        pdf.say(t(f"clinic.report.{key}", first=first, last=last, words=words), 8.5)
    pdf.ln(1)
    pdf.set_draw_color(*_LINE)
    pdf.set_line_width(0.2)
    pdf.set_text_color(*_INK)
    pdf.set_font(FAMILY, size=8)
    rows: list[tuple[str, ...]] = [
        (t("clinic.figure"), "A", "B", t("clinic.compare.change"), t("clinic.compare.says"))
    ]
    rows += [
        (
            row.figure.name,
            row.figure.write(row.before),
            row.figure.write(row.after),
            shift_words(row.figure, row.change),
            verdict_words(row.figure, row.change),
        )
        for row in found.rows
    ]
    options: Any = {
        "col_widths": (40, 26, 26, 76, 20),
        "line_height": 4.2,
        "borders_layout": "HORIZONTAL_LINES",
        "text_align": ("LEFT", "RIGHT", "RIGHT", "LEFT", "LEFT"),
        "padding": (0.5, 1.2),
    }
    pdf.set_fill_color(255, 255, 255)
    with pdf.table(**options) as table:
        for row in rows:
            line = table.row()
            for cell in row:
                line.cell(fit(pdf, cell))
    if found.across_neutrals and any(r.before is None for r in found.rows):
        pdf.say(t("clinic.compare.neutrals"), 8, soft=True)


def _maps(pdf: _Report, maps: MapPair) -> None:
    t = texts.text
    wide = (pdf.epw - 12) / 3
    high = wide / maps.before.width * maps.before.height
    if pdf.get_y() + high + 22 > pdf.page_break_trigger:
        high = max(20.0, pdf.page_break_trigger - pdf.get_y() - 22)
    pdf.heading(t("clinic.map"))
    top = pdf.get_y()
    for i, each in enumerate((maps.before, maps.after, maps.change)):
        left = pdf.l_margin + i * (wide + 6)
        pdf.set_xy(left, top)
        pdf.set_font(FAMILY, "B", 8)
        pdf.set_text_color(*_INK)
        pdf.cell(wide, 4, fit(pdf, t(f"clinic.map.{each.name}")))
        scale = min(wide / each.width, high / each.height)
        _draw_map(pdf, each, left, top + 4.5, scale)
        pdf.set_xy(left, top + 5 + each.height * scale)
        pdf.set_font(FAMILY, size=6.5)
        pdf.set_text_color(*_SOFT)
        said = t("clinic.map.of", days=each.days, time=texts.duration(each.seconds))
        pdf.cell(wide, 3, fit(pdf, said))
        high = each.height * scale
    pdf.set_y(top + high + 9)
    pdf.say(t("clinic.map.how"), 7.5, soft=True)


def _draw_map(pdf: _Report, each: PostureMap, left: float, top: float, scale: float) -> None:
    pdf.set_fill_color(242, 240, 235)
    pdf.rect(left, top, each.width * scale, each.height * scale, style="F")
    for cell in each.cells:
        full = _LESS if cell.value < 0 else _MORE
        share = cell.level / LEVELS
        pdf.set_fill_color(*(round(255 + (c - 255) * share) for c in full))
        x, y = left + (cell.x + 0.4) * scale, top + (cell.y + 0.4) * scale
        pdf.rect(x, y, 9.2 * scale, 9.2 * scale, style="F")
        if cell.established:
            pdf.set_draw_color(*(_INK if cell.level < LEVELS - 1 else (255, 255, 255)))
            pdf.set_line_width(0.25)
            cx, cy = left + (cell.x + 5) * scale, top + (cell.y + 5) * scale
            pdf.line(cx - 2 * scale, cy, cx + 2 * scale, cy)
            if cell.value > 0:
                pdf.line(cx, cy - 2 * scale, cx, cy + 2 * scale)
    pdf.set_draw_color(*_INK)
    pdf.set_line_width(0.15)
    x, y = left + each.zero_x * scale, top + each.zero_y * scale
    pdf.line(x, top, x, top + each.height * scale)
    pdf.line(left, y, left + each.width * scale, y)


def _charts(pdf: _Report, charts: Sequence[LineChart]) -> None:
    wide = (pdf.epw - 6) / 2
    high = wide / charts[0].width * charts[0].height + 5
    for i in range(0, len(charts), 2):
        if pdf.get_y() + high > pdf.page_break_trigger:
            pdf.add_page()
        top = pdf.get_y()
        for j, chart in enumerate(charts[i : i + 2]):
            left = pdf.l_margin + j * (wide + 6)
            pdf.set_xy(left, top)
            pdf.set_font(FAMILY, "B", 8)
            pdf.set_text_color(*_INK)
            pdf.cell(wide, 4, fit(pdf, f"{chart.title} ({chart.unit})"))
            _draw(pdf, chart, left, top + 4, wide)
        pdf.set_y(top + high)


def _draw(pdf: _Report, chart: LineChart, left: float, top: float, wide: float) -> float:
    """Draw a chart; return its height, millimetres."""
    scale = wide / chart.width
    high = chart.height * scale

    def x(value: float) -> float:
        return left + value * scale

    def y(value: float) -> float:
        return top + value * scale

    pdf.set_font(FAMILY, size=6)
    pdf.set_text_color(*_SOFT)
    pdf.set_draw_color(*_LINE)
    pdf.set_line_width(0.15)
    for at, text in [*chart.grid, (chart.strip_y + 10, texts.text("clinic.strip"))]:
        pdf.line(x(chart.left), y(at), x(chart.width), y(at))
        pdf.set_xy(left, y(at) - 1.5)
        pdf.cell((chart.left - 4) * scale, 3, fit(pdf, text), align="R")
    for at, text in chart.ticks:
        pdf.set_xy(x(at) - 8, y(chart.base + 4))
        pdf.cell(16, 3, fit(pdf, text), align="C")
    pdf.set_fill_color(150, 170, 190)
    for cell in chart.strip:
        pdf.rect(x(cell.x), y(cell.y), cell.width * scale, cell.height * scale, style="F")
    for each in chart.drawn:
        if each.band:
            pdf.set_fill_color(222, 230, 237)
            pdf.polygon([(x(a), y(b)) for a, b in _points(each.band)[0]], style="F")
    for mark in chart.marks:
        pdf.set_draw_color(*_SOFT)
        dash, gap = {"injection": (0.0, 0.0), "turn": (1.4, 0.8), "neutral": (0.4, 0.8)}[mark.kind]
        pdf.set_dash_pattern(dash=dash, gap=gap)
        pdf.line(x(mark.x), y(chart.top), x(mark.x), y(chart.base))
        pdf.set_dash_pattern()
        if mark.kind == "injection":
            pdf.set_fill_color(*_INK)
            tip = [(mark.x - 4, chart.top - 8), (mark.x + 4, chart.top - 8), (mark.x, chart.top)]
            pdf.polygon([(x(a), y(b)) for a, b in tip], style="F")
        elif mark.kind == "turn":
            pdf.set_fill_color(*_INK)
            pdf.ellipse(x(mark.x) - 0.8, y(chart.base) - 0.8, 1.6, 1.6, style="F")
    for each in chart.drawn:
        pdf.set_draw_color(*_AXIS.get(each.style, _INK))
        dash, gap = _DASHES.get(each.style, (0.0, 0.0))
        pdf.set_dash_pattern(dash=dash, gap=gap)
        pdf.set_line_width(0.5 if each.style == "line" else 0.3)
        for part in _points(each.path):
            if len(part) > 1:
                pdf.polyline([(x(a), y(b)) for a, b in part])
        pdf.set_dash_pattern()
        pdf.set_line_width(0.2)
        pdf.set_draw_color(*_SOFT)
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
