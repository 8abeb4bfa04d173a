"""HTML pages, on the same queries as the JSON routes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api import queries
from api.access.principals import visible_patients
from api.alerts.delivery import channels
from api.alerts.keeping import alerts_of, snoozed
from api.http.problems import ErrorPage, problem
from api.routes.alerts import Hours, snooze_kind
from api.routes.annotations import AnnotationIn, remove_annotation, write_annotation
from api.runtime import Runtime, RuntimeDep
from api.settings import Settings, config_file
from api.web import texts
from api.web.charts import BarChart, DayValue, bar_chart, last_days
from api.web.pages import episodes_per_h, first_patient, render, sees_many
from ingest.alerts import AlertKind
from processing.summary.types import DaySummary
from processing.types import Episode
from storage.catalog import Patient
from storage.notes import Annotation, annotations
from storage.result_rows import AngleSeries

router = APIRouter(default_response_class=HTMLResponse)

NEUTRAL_DEG = 10.0
_REACH_DEG = {"rotation": 80.0, "lateral": 45.0, "flexion": 60.0}
"""What the ends of each dial stand for; the same numbers as in `live-view.js`."""
NEUTRAL_ZONE = {
    axis: (50 - 48 * NEUTRAL_DEG / reach, 50 + 48 * NEUTRAL_DEG / reach)
    for axis, reach in _REACH_DEG.items()
}
"""Where the ±10° around neutral lie on each dial, percent of its width."""
FORTNIGHT = 14
HOUR_NS = 3600 * queries.SECOND_NS
EPISODES_TODAY = 7
EPISODES_PER_PAGE = 60


@dataclass(frozen=True, slots=True)
class Trust:
    """How well turning was known, as shares of the time."""

    good: float
    """Percent."""
    fair: float
    poor: float
    words: str


def trust_of(day: DaySummary) -> Trust:
    """Return the shares of heading quality of a day, in percent and in words."""
    parts = (day.heading_good_s, day.heading_fair_s, day.heading_poor_s)
    whole = sum(parts)
    good, fair, poor = ((100 * part / whole if whole else 0.0) for part in parts)
    words = texts.text("trust.words", good=f"{good:.0f}", fair=f"{fair:.0f}", poor=f"{poor:.0f}")
    return Trust(good, fair, poor, words)


def day_charts(days: Sequence[DaySummary], shown: Sequence[date]) -> list[BarChart]:
    """Return the three bar charts of a stretch of days."""
    by_date = {day.date: day for day in days}

    def values(name: str, pick: Any, weak: Any, words: Any) -> list[DayValue]:
        rows = []
        for day in shown:
            known = by_date.get(day.isoformat())
            value = None if known is None else pick(known)
            is_weak = known is not None and not weak(known)
            text = texts.text("unit.none") if value is None else words(value)
            if is_weak:
                text += f" ({texts.text('history.legend.weak')})"
            label = f"{texts.day_name(day.isoformat())}: {texts.text(name)} {text}"
            rows.append(DayValue(day, value, is_weak, label))
        return rows

    def percent(day: DaySummary) -> float | None:
        share = day.near_neutral_fraction
        return None if share is None else 100 * share

    near = values("history.near", percent, lambda d: d.sufficient_rotation, lambda v: f"{v:.0f} %")
    worn = values(
        "history.worn",
        lambda d: d.worn_s / 3600,
        lambda d: d.sufficient,
        lambda v: texts.duration(v * 3600),
    )
    rate = values(
        "history.episodes", episodes_per_h, lambda d: d.sufficient, lambda v: texts.number(v, 1)
    )
    t = texts.text
    return [
        bar_chart("near", t("history.near"), t("history.near.axis"), near, top=100.0),
        bar_chart("rate", t("history.episodes"), t("history.episodes.axis"), rate, second=True),
        bar_chart("worn", t("history.worn"), t("history.worn.axis"), worn, second=True),
    ]


def _episodes_of_day(runtime: Runtime, patient: Patient, day: date, limit: int) -> list[Episode]:
    span = queries.day_range(day, day, patient.zone)
    return queries.episodes_newest_first(runtime, patient, span, limit=limit).episodes


def _recorded_hours(angles: AngleSeries, span: queries.Range) -> queries.Range:
    """Return the whole hours that hold angles, within a day."""
    if not len(angles.t_ns):
        return span
    last_ns = int(angles.t_ns[-1]) + angles.step_s * queries.SECOND_NS
    start = int(angles.t_ns[0]) // HOUR_NS * HOUR_NS
    end = -(-last_ns // HOUR_NS) * HOUR_NS
    return queries.Range(max(span.t0_ns, start), min(span.t1_ns, end))


def _notes_of_today(runtime: Runtime, patient: Patient) -> list[Annotation]:
    now = queries.today_in(patient.zone)
    span = queries.day_range(now, now, patient.zone)
    return list(reversed(annotations(runtime.catalog, patient.id, span.t0_ns, span.t1_ns)))


@router.post("/notes")
def add_note(
    runtime: RuntimeDep,
    kind: Annotated[Literal["spasm", "trick", "medication", "note"] | None, Form()] = None,
    pain: Annotated[int | None, Form(ge=0, le=10)] = None,
    text: Annotated[str, Form(max_length=500)] = "",
) -> RedirectResponse:
    """Write down what the person pressed, and go back to Today."""
    patient = first_patient(runtime)
    wanted = (
        AnnotationIn(kind="pain", level=pain, text=text)
        if pain is not None
        else AnnotationIn(kind=kind or "note", text=text)
    )
    made = write_annotation(runtime, patient.id, wanted)
    return RedirectResponse(f"/?noted={made.id}#note", 303)


@router.post("/notes/{annotation_id}/undo")
def undo_note(runtime: RuntimeDep, annotation_id: str) -> RedirectResponse:
    """Take a note back, and go back to Today."""
    remove_annotation(runtime, first_patient(runtime).id, annotation_id)
    return RedirectResponse("/#note", 303)


@router.post("/alerts/{kind}/snooze")
def snooze_alert(
    runtime: RuntimeDep, kind: AlertKind, hours: Annotated[Hours, Form()]
) -> RedirectResponse:
    """Send nothing of a kind for a while, and go back to Today."""
    snooze_kind(runtime, first_patient(runtime).id, kind, hours)
    return RedirectResponse("/", 303)


@router.get("/")
def today(runtime: RuntimeDep, noted: Annotated[str, Query(max_length=64)] = "") -> Response:
    """Return the Today page; on the first run, the one that pairs."""
    if not runtime.catalog.patients():
        return render(runtime, "nobody.html", "today", zone=runtime.settings.zone_name)
    if runtime.desk is not None:
        return RedirectResponse("/setup", 303)
    if sees_many(runtime):
        return RedirectResponse("/clinic", 303)
    patient = first_patient(runtime)
    now = queries.today_in(patient.zone)
    # the days that are over, and today
    shown = last_days(now, FORTNIGHT + 1)
    days = queries.days(runtime, patient, shown[0], now)
    day = days[-1] if days and days[-1].date == now.isoformat() else None
    notes = _notes_of_today(runtime, patient)
    return render(
        runtime,
        "today.html",
        "today",
        zone=patient.zone,
        live=runtime.hub is not None,
        alerts=alerts_of(runtime.catalog, patient.id),
        alerts_are_sent=bool(channels(runtime.settings)),
        alerts_snoozed=snoozed(runtime.catalog, patient.id, time.time_ns()),
        neutral_zone=NEUTRAL_ZONE,
        today_date=now.isoformat(),
        day=day,
        trust=trust_of(day) if day else None,
        days=days,
        charts=day_charts(days, shown),
        episodes=_episodes_of_day(runtime, patient, now, EPISODES_TODAY),
        notes=notes,
        noted=next((each for each in notes if each.id == noted), None),
    )


@router.get("/history")
def history(runtime: RuntimeDep) -> HTMLResponse:
    """Return the History page: the last four weeks."""
    patient = first_patient(runtime)
    now = queries.today_in(patient.zone)
    shown = last_days(now, 2 * FORTNIGHT)
    days = queries.days(runtime, patient, shown[0], now)
    if days:
        shown = [day for day in shown if day.isoformat() >= days[0].date]
        shown = last_days(now, max(len(shown), FORTNIGHT))
    return render(
        runtime,
        "history.html",
        "history",
        zone=patient.zone,
        days=days,
        charts=day_charts(days, shown),
    )


@router.get("/history/{day}")
def one_day(runtime: RuntimeDep, day: date) -> HTMLResponse:
    """Return the page of one local day."""
    patient = first_patient(runtime)
    if not queries.FIRST_YEAR <= day.year <= queries.LAST_YEAR:
        raise problem("not-found", "There is no such day in any recording.")
    span = queries.day_range(day, day, patient.zone)
    found = queries.days(runtime, patient, day, day)
    angles = runtime.results.angles(patient.id, span.t0_ns, span.t1_ns, max_points=300)
    shown = _recorded_hours(angles, span)
    following = day + timedelta(days=1)
    return render(
        runtime,
        "day.html",
        "history",
        zone=patient.zone,
        patient=patient,
        date=day.isoformat(),
        before=(day - timedelta(days=1)).isoformat(),
        after=following.isoformat() if following <= queries.today_in(patient.zone) else None,
        day=found[0] if found else None,
        trust=trust_of(found[0]) if found else None,
        has_angles=len(angles.t_ns) > 0,
        from_ms=shown.t0_ns // 1_000_000,
        to_ms=shown.t1_ns // 1_000_000,
        episodes=_episodes_of_day(runtime, patient, day, EPISODES_PER_PAGE),
        episodes_before=span.t1_ns,
    )


@router.get("/episodes")
def episodes(
    runtime: RuntimeDep,
    kind: Annotated[str, Query(pattern="^(jerk|posture|tremor)?$")] = "",
    before: Annotated[int | None, Query(ge=0, le=2**62)] = None,
) -> HTMLResponse:
    """Return the list of candidate episodes, newest first."""
    patient = first_patient(runtime)
    span = queries.Range(0, queries.FOREVER_NS if before is None else before)
    page = queries.episodes_newest_first(
        runtime, patient, span, kind=kind or None, limit=EPISODES_PER_PAGE
    )
    return render(
        runtime,
        "episodes.html",
        "episodes",
        zone=patient.zone,
        kind=kind,
        episodes=page.episodes,
        next_before=page.next_position,
        first=before is None,
    )


@router.get("/about")
def about(runtime: RuntimeDep) -> HTMLResponse:
    """Return intended use, access and the settings in force."""
    # whoever sees nobody, such as an administrator, reads about the program all the same
    seen = visible_patients(runtime.catalog)
    rows = [
        {
            "name": name,
            "value": getattr(runtime.settings, name),
            "description": field.description or "",
        }
        for name, field in Settings.model_fields.items()
    ]
    return render(
        runtime,
        "about.html",
        "about",
        zone=seen[0].zone if seen else runtime.settings.zone_name,
        data_dir=runtime.settings.data_dir,
        config_file=config_file(),
        settings=rows,
    )


def error_page(runtime: Runtime) -> ErrorPage:
    """Return how errors are shown to a person."""

    def page(status: int, title: str, detail: str) -> HTMLResponse:
        if status == HTTPStatus.NOT_FOUND and not runtime.catalog.patients():
            return render(
                runtime, "nobody.html", "", zone=runtime.settings.zone_name, status=status
            )
        return render(
            runtime,
            "error.html",
            "",
            zone=runtime.settings.zone_name,
            status=status,
            title=texts.catalogue().get(f"error.{status}", title),
            detail=detail,
        )

    return page


@router.get("/favicon.ico")
def favicon() -> Response:
    """Send browsers that ask for the old name to the icon."""
    return RedirectResponse("/static/img/icon.svg", 308)
