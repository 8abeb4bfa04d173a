"""The report for the file: one or two pages of PDF, made offline from what the page shows.

Page one says how the patient stands: what stands out, the injection cycle, two periods against each
other. Page two shows the days behind it. Every figure carries worn time and trust.
"""

from pathlib import Path

from api.clinic.hours import BOUNDS_DEG
from api.clinic.patient_view import PatientView
from api.clinic.periods import Comparison
from api.clinic.posture_map import PostureMap
from api.clinic.report_figures import draw_chart, draw_hours, draw_map, draw_scale
from api.clinic.report_fonts import close_fonts
from api.clinic.report_page import INK, SOFT, Page, Paper
from api.clinic.words import shift_words, verdict_words
from api.web import texts
from processing.summary.types import PLANES

__all__ = ["Paper", "report_pdf"]

GAP_MM = 5.0


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
    label = view.patient.label
    who = view.patient.id if label in {"", view.patient.id} else f"{label} ({view.patient.id})"
    pdf = Page(who, paper, own_font)
    try:
        pdf.add_page()
        _head(pdf, view, who)
        _cycle(pdf, view)
        _comparison(pdf, view.comparison)
        _maps(pdf, view.comparison)
        pdf.add_page()
        _trends(pdf, view)
        _lately(pdf, view)
        _intended(pdf)
        return bytes(pdf.output())
    finally:
        close_fonts(pdf)


def _head(pdf: Page, view: PatientView, who: str) -> None:
    from importlib.metadata import version

    t = texts.text
    pdf.say(t("clinic.report.title"), 16, bold=True)
    pdf.say(f"{who}. {view.since_words}", 10.5)
    made = t(
        "clinic.report.made",
        day=texts.day_name(view.today.isoformat()),
        zone=view.patient.zone,
        version=version("necktrace"),
    )
    counting = t("clinic.report.counting", h=f"{view.thresholds.least_worn_h:g}")
    pdf.say(f"{made} {counting}", 8, soft=True)
    pdf.ln(1.5)
    for reason in view.standing.reasons:
        pdf.say(f"{t('clinic.reason.' + reason.code)}: {reason.words}", 9.5, bold=True)
    if not view.standing.reasons:
        pdf.say(t("clinic.reason.none"), 9.5)
    pdf.say(view.trust.words)
    if view.neutral_words:
        pdf.say(view.neutral_words)
    if view.slips.rows:
        rows = [*view.slips.rows, *([view.slips.more] if view.slips.more else [])]
        pdf.say(f"{view.slips.words} {'; '.join(rows)}.")


def _cycle(pdf: Page, view: PatientView) -> None:
    t = texts.text
    pdf.heading(t("clinic.report.cycle", name=view.figure.name))
    if view.cycle is None or view.cycle_chart is None:
        pdf.say(t("clinic.cycle.none"))
        return
    pdf.say(f"{texts.day_name(view.cycle_rows[0].day.isoformat())}: {_given(view, 0)}")
    top = pdf.get_y() + 1.0
    wide = pdf.epw * 0.46
    high = draw_chart(pdf, view.cycle_chart, pdf.l_margin, top, wide)
    left = pdf.l_margin + wide + GAP_MM
    rest = pdf.w - pdf.r_margin - left
    pdf.set_xy(left, top)
    for name, said in view.cycle_facts:
        pdf.ink(7.5, SOFT, bold=True)
        pdf.put(name, rest, 3.4)
        pdf.say(said, 8.5, wide=rest)
        pdf.ln(0.5)
        pdf.set_x(left)
    pdf.set_xy(pdf.l_margin, max(pdf.get_y(), top + high) + 0.8)
    pdf.say(f"{view.cycle_trust.short} {t('clinic.cycle.how')}", 7.2, soft=True)
    if len(view.cycle_rows) > 1:
        pdf.ln(1.0)
        head = ("injection", "fact.baseline", "fact.best", "fact.onset", "fact.wearing_off")
        pdf.rows(
            [t(f"clinic.{key}") for key in head],
            [
                (
                    f"{texts.day_name(row.day.isoformat())}: {_given(view, i)}",
                    row.baseline, row.best, row.onset, row.wearing_off,
                )
                for i, row in enumerate(view.cycle_rows[:4])
            ],
            (52, 30, 33, 33, 34),
            ("LEFT",) * 5,
        )  # fmt: skip


def _given(view: PatientView, i: int) -> str:
    return "; ".join(view.cycle_rows[i].given)


def _comparison(pdf: Page, found: Comparison) -> None:
    t = texts.text
    pdf.heading(t("clinic.compare"))
    for key, period, trust in (
        ("a", found.before, found.before_trust),
        ("b", found.after, found.after_trust),
    ):
        first, last = (texts.day_name(d.isoformat()) for d in (period.first, period.last))
        pdf.say(t(f"clinic.report.{key}", first=first, last=last, words=trust.short), 8.2)
    pdf.ln(0.8)
    pdf.rows(
        (t("clinic.figure"), "A", "B", t("clinic.compare.change"), t("clinic.compare.says")),
        [
            (
                row.figure.name,
                row.figure.write(row.before),
                row.figure.write(row.after),
                shift_words(row.figure, row.change),
                verdict_words(row.figure, row.change),
            )
            for row in found.rows
        ],
        (42, 20, 20, 82, 18),
        ("LEFT", "RIGHT", "RIGHT", "LEFT", "LEFT"),
    )
    if found.across_neutrals and any(r.before is None for r in found.rows):
        pdf.say(t("clinic.compare.neutrals"), 8, soft=True)


def _maps(pdf: Page, found: Comparison) -> None:
    t = texts.text
    held = [maps for plane in PLANES if (maps := found.maps.get(plane)) is not None]
    if not held:
        return
    wide = (pdf.epw - 2 * 6.0 - 4 * 2.0) / 6.0
    high = max(wide / each.before.width * each.before.height for each in held)
    if pdf.get_y() + high + 24.0 > pdf.page_break_trigger:
        pdf.add_page()
    pdf.ln(2.0)
    top, bottom = pdf.get_y(), pdf.get_y()
    left = pdf.l_margin
    for maps in held:
        pdf.set_xy(left, top)
        pdf.ink(8.5, INK, bold=True)
        pdf.put(t(f"clinic.map.{maps.before.plane}"), 3 * wide + 4.0)
        for each in (maps.before, maps.after, maps.change):
            bottom = max(bottom, _one_map(pdf, each, left, top + 4.2, wide))
            left += wide + 2.0
        left += 4.0
    pdf.set_xy(pdf.l_margin, bottom + 0.8)
    pdf.say(t("clinic.map.how"), 7.2, soft=True)


def _one_map(pdf: Page, each: PostureMap, left: float, top: float, wide: float) -> float:
    pdf.set_xy(left, top)
    pdf.ink(6.8)
    pdf.put(texts.text(f"clinic.map.{each.name}"), wide, 3.4)
    high = draw_map(pdf, each, left, top + 3.6, wide)
    pdf.set_xy(left, top + 3.8 + high)
    said = texts.text("clinic.map.of", days=each.days, time=texts.duration(each.seconds))
    pdf.say(said, 5.8, soft=True, wide=wide)
    return pdf.get_y()


def _trends(pdf: Page, view: PatientView) -> None:
    t = texts.text
    pdf.heading(t("clinic.trends"))
    span = view.trend_span
    said = t(
        "clinic.report.weeks",
        n=(span.last - span.first).days + 1,
        day=texts.day_name(span.last.isoformat()),
        words=view.trend_trust.short,
    )
    pdf.say(said, 8.2)
    pdf.ln(1.0)
    wide = (pdf.epw - 2 * GAP_MM) / 3.0
    high = wide / view.trends[0].width * view.trends[0].height + 5.0
    top = pdf.get_y()
    for i, chart in enumerate(view.trends):
        left = pdf.l_margin + (i % 3) * (wide + GAP_MM)
        y = top + (i // 3) * high
        pdf.set_xy(left, y)
        pdf.ink(7.6, INK, bold=True)
        pdf.put(f"{chart.title} ({chart.unit})", wide, 3.8)
        draw_chart(pdf, chart, left, y + 3.8, wide)
    pdf.set_xy(pdf.l_margin, top + -(-len(view.trends) // 3) * high)
    pdf.say(t("clinic.report.legend"), 7.2, soft=True)


def _lately(pdf: Page, view: PatientView) -> None:
    """Write hour by day, and beside it what people did."""
    t = texts.text
    pdf.heading(t("clinic.hours"))
    pdf.say(f"{t('clinic.hours.lead')} {view.trust.words}", 7.2, soft=True)
    top = pdf.get_y() + 1.0
    wide = pdf.epw * 0.58
    bottom = top
    if view.hours:
        bottom += draw_hours(pdf, view.hours, pdf.l_margin, top, wide) + 1.0
        draw_scale(pdf, BOUNDS_DEG, pdf.l_margin + 17.0, bottom)
        bottom += 3.5
    left = pdf.l_margin + wide + GAP_MM
    rest = pdf.w - pdf.r_margin - left
    pdf.set_xy(left, top)
    for name, said in (
        (t("clinic.exercises"), [view.exercised.words, *_exercises(view)]),
        (t("episodes.title"), [view.judged.words, t("clinic.episodes.note")]),
    ):
        pdf.say(name, 8.5, bold=True, wide=rest)
        for line in said:
            pdf.say(line, 8, wide=rest)
        pdf.ln(2.0)
        pdf.set_x(left)
    pdf.set_xy(pdf.l_margin, max(bottom, pdf.get_y()))


def _exercises(view: PatientView) -> list[str]:
    return [
        texts.text("clinic.report.exercise", name=row.name, done=row.done, planned=row.planned)
        for row in view.exercised.rows
    ]


def _intended(pdf: Page) -> None:
    t = texts.text
    pdf.heading(t("clinic.report.intended"))
    pdf.say(f"{t('app.intended')} {t('about.limits.text')}", 8)
