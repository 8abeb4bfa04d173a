"""The clinician's pages."""

from collections.abc import Callable
from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Path, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api import queries
from api.access.principals import current, visible_patients
from api.access.rights import CONSENT
from api.clinic import words
from api.clinic.caseload import caseload
from api.clinic.cycle_view import CYCLE_WEEKS
from api.clinic.done import plan_rows
from api.clinic.figures import CYCLE_FIGURES, FIGURES
from api.clinic.hours import BOUNDS_DEG
from api.clinic.injections import add_injection, take_back
from api.clinic.patient_view import PatientView, patient_view
from api.clinic.periods import Period, checked
from api.clinic.reasons import FIGURE
from api.clinic.remake import in_force, make_again
from api.clinic.snippets import snippet
from api.clinic.verdicts import give_verdict, verdict_of, verdicts_between
from api.errors import ApiError
from api.exercises.changes import write_plan
from api.http.problems import problem
from api.routes.parameters import PatientDep
from api.runtime import Runtime, RuntimeDep
from api.thresholds import (
    DETECTOR_FIELDS,
    Thresholds,
    detectors_differ,
    history,
    save_thresholds,
    thresholds_of,
)
from api.web import texts
from api.web.pages import render
from storage.errors import CatalogError
from storage.exercise_plan import MOST_A_DAY, MOST_HOLD_S, MOST_REPETITIONS, PlannedExercise

router = APIRouter(prefix="/clinic", default_response_class=HTMLResponse)

EPISODES_PER_PAGE = 20
FigureKey = Literal["deviation", "near", "posture", "jerk", "tremor"]
MAX_TEXT = 200
HISTORY_SHOWN = 20
LIMITS: dict[str, tuple[float, float, float]] = {
    "least_worn_h": (0.25, 24.0, 0.25),
    "silent_d": (1, 60, 1),
    "poor_percent": (1, 100, 1),
    "least_worse_deg": (0, 30, 0.5),
    "posture_on_deg": (5, 60, 0.5),
    "posture_off_deg": (3, 60, 0.5),
    "posture_least_s": (1, 60, 0.5),
    "jerk_least_deg": (1, 20, 0.5),
    "tremor_least_pp_deg": (0.1, 5, 0.1),
}
"""Smallest and largest value of each threshold, and the step between two."""

WORDS: dict[str, Callable[..., str]] = {
    "shift_words": words.shift_words,
    "verdict_words": words.verdict_words,
    "turn_words": words.turn_words,
    "weeks": words.weeks,
    "day_of": words.day_of,
}


def _back(patient_id: str, part: str) -> RedirectResponse:
    from urllib.parse import quote

    return RedirectResponse(f"/clinic/patients/{quote(patient_id, safe='')}{part}", 303)


@router.get("")
def all_cases(runtime: RuntimeDep) -> HTMLResponse:
    """Return the caseload."""
    cases = caseload(runtime, visible_patients(runtime.catalog))
    return render(
        runtime,
        "clinic_caseload.html",
        "clinic",
        zone=runtime.settings.zone_name,
        cases=cases,
        tally=texts.text("clinic.tally", n=sum(bool(c.codes) for c in cases), of=len(cases)),
        figure=FIGURE,
        words=WORDS,
    )


def _periods(
    a_from: date | None, a_to: date | None, b_from: date | None, b_to: date | None
) -> tuple[Period, Period] | None:
    given = (a_from, a_to, b_from, b_to)
    if all(each is None for each in given):
        return None
    if a_from is None or a_to is None or b_from is None or b_to is None:
        raise problem("invalid-request", "Give the first and last day of both periods.")
    return checked(a_from, a_to), checked(b_from, b_to)


@router.get("/patients/{patient_id}")
def one_patient(
    runtime: RuntimeDep,
    patient: PatientDep,
    figure: FigureKey = "deviation",
    a_from: date | None = None,
    a_to: date | None = None,
    b_from: date | None = None,
    b_to: date | None = None,
    weeks: Annotated[int, Query(ge=4, le=52)] = 16,
) -> HTMLResponse:
    """Return the page of one patient."""
    view = patient_view(
        runtime,
        patient,
        figure_key=figure,
        periods=_periods(a_from, a_to, b_from, b_to),
        weeks_shown=weeks,
    )
    return _patient_page(runtime, view, weeks)


def _patient_page(
    runtime: Runtime, view: PatientView, weeks: int, refused: str = "", status: int = 200
) -> HTMLResponse:
    patient = view.patient
    return render(
        runtime,
        "clinic_patient.html",
        "clinic",
        zone=patient.zone,
        status=status,
        view=view,
        figures=[FIGURES[key] for key in CYCLE_FIGURES],
        all_figures=list(FIGURES.values()),
        hour_bounds=BOUNDS_DEG,
        weeks=weeks,
        max_text=MAX_TEXT,
        words=WORDS,
        paper=runtime.settings.paper,
        other_paper="letter" if runtime.settings.paper == "a4" else "a4",
        changes=history(runtime.catalog, patient.id)[:HISTORY_SHOWN],
        defaults=Thresholds(),
        detector_fields=DETECTOR_FIELDS,
        in_force=in_force(runtime, patient),
        limits=LIMITS,
        plan=plan_rows(runtime, patient),
        plan_limits=(MOST_A_DAY, MOST_REPETITIONS, MOST_HOLD_S),
        refused=refused,
        may_share=current().may(CONSENT, patient.id),
    )


@router.post("/patients/{patient_id}/injections")
def enter_injection(
    runtime: RuntimeDep,
    patient: PatientDep,
    day: Annotated[date, Form()],
    product: Annotated[str, Form(min_length=1, max_length=MAX_TEXT)],
    muscles: Annotated[str, Form(max_length=MAX_TEXT)] = "",
    units: Annotated[str, Form(max_length=10, pattern=r"^\s*(\d{1,5}([.,]\d{1,2})?)?\s*$")] = "",
) -> RedirectResponse:
    """Write an injection down, and go back to the patient."""
    text = units.strip().replace(",", ".")
    add_injection(
        runtime.catalog,
        patient,
        day,
        product=product.strip(),
        units=float(text) if text else None,
        muscles=muscles.strip(),
        actor=current().name,
    )
    return _back(patient.id, "#injections")


@router.post("/patients/{patient_id}/injections/{injection_id}/remove")
def remove_injection(
    runtime: RuntimeDep,
    patient: PatientDep,
    injection_id: Annotated[str, Path(min_length=1, max_length=64)],
) -> RedirectResponse:
    """Take an injection back, and go back to the patient."""
    take_back(runtime.catalog, patient, injection_id, current().name)
    return _back(patient.id, "#injections")


@router.post("/patients/{patient_id}/plan")
def prescribe(
    runtime: RuntimeDep,
    patient: PatientDep,
    exercise: Annotated[list[str], Form(max_length=20)],
    times_a_day: Annotated[list[int], Form(max_length=20)],
    repetitions: Annotated[list[int], Form(max_length=20)],
    hold_s: Annotated[list[float], Form(max_length=20)],
    target_deg: Annotated[list[float], Form(max_length=20)],
) -> RedirectResponse:
    """Let an exercise plan hold from now on, and go back to the patient."""
    columns = (exercise, repetitions, hold_s, target_deg, times_a_day)
    if len({len(column) for column in columns}) != 1:
        raise problem("invalid-request", "Each exercise needs all of its numbers.")
    try:
        wanted = [PlannedExercise(*row) for row in zip(*columns, strict=True) if row[-1] != 0]
    except CatalogError as error:
        raise problem("invalid-request", f"{error}.") from None
    write_plan(runtime, patient, "clinic", wanted)
    return _back(patient.id, "#exercises")


@router.post("/patients/{patient_id}/thresholds", response_model=None)
def set_thresholds(
    runtime: RuntimeDep,
    patient: PatientDep,
    least_worn_h: Annotated[float, Form(ge=0.25, le=24.0)],
    silent_d: Annotated[int, Form(ge=1, le=60)],
    poor_percent: Annotated[float, Form(ge=1.0, le=100.0)],
    least_worse_deg: Annotated[float, Form(ge=0.0, le=30.0)],
    posture_on_deg: Annotated[float, Form(ge=5.0, le=60.0)],
    posture_off_deg: Annotated[float, Form(ge=3.0, le=60.0)],
    posture_least_s: Annotated[float, Form(ge=1.0, le=60.0)],
    jerk_least_deg: Annotated[float, Form(ge=1.0, le=20.0)],
    tremor_least_pp_deg: Annotated[float, Form(ge=0.1, le=5.0)],
    across_neutrals: Annotated[bool, Form()] = False,
) -> Response:
    """Keep a patient's thresholds, have results made with them, and go back to the patient."""
    if posture_off_deg >= posture_on_deg:
        view = patient_view(runtime, patient)
        return _patient_page(
            runtime, view, CYCLE_WEEKS, texts.text("clinic.thresholds.off_on"), status=422
        )
    wanted = Thresholds(
        least_worn_h=least_worn_h,
        across_neutrals=across_neutrals,
        silent_d=silent_d,
        poor_percent=poor_percent,
        least_worse_deg=least_worse_deg,
        posture_on_deg=posture_on_deg,
        posture_off_deg=posture_off_deg,
        posture_least_s=posture_least_s,
        jerk_least_deg=jerk_least_deg,
        tremor_least_pp_deg=tremor_least_pp_deg,
    )
    before = thresholds_of(runtime.catalog, patient.id)
    save_thresholds(runtime.catalog, patient.id, wanted, current().name)
    if detectors_differ(before, wanted):
        make_again(runtime, patient)
    return _back(patient.id, "#thresholds")


@router.get("/patients/{patient_id}/episodes")
def patient_episodes(
    runtime: RuntimeDep,
    patient: PatientDep,
    kind: Annotated[str, Query(pattern="^(jerk|posture|tremor)?$")] = "",
    before: Annotated[int | None, Query(ge=0, le=2**62)] = None,
) -> HTMLResponse:
    """Return episodes with the angles around each, to confirm or reject."""
    span = queries.Range(0, queries.FOREVER_NS if before is None else before)
    page = queries.episodes_newest_first(
        runtime, patient, span, kind=kind or None, limit=EPISODES_PER_PAGE
    )
    found = page.episodes
    verdicts = (
        verdicts_between(
            runtime.catalog,
            patient.id,
            min(e.start_ns for e in found),
            max(e.end_ns for e in found) + 1,
        )
        if found
        else []
    )
    return render(
        runtime,
        "clinic_episodes.html",
        "clinic",
        zone=patient.zone,
        patient=patient,
        kind=kind,
        before=before,
        rows=[(e, snippet(runtime, patient, e), verdict_of(e, verdicts)) for e in found],
        next_before=page.next_position,
    )


@router.post("/patients/{patient_id}/verdicts")
def judge(
    runtime: RuntimeDep,
    patient: PatientDep,
    kind: Annotated[Literal["jerk", "posture", "tremor"], Form()],
    start_ns: Annotated[int, Form(ge=0, le=2**62)],
    verdict: Annotated[Literal["confirm", "reject", "clear"], Form()],
    before: Annotated[str, Form(max_length=20, pattern=r"^\d*$")] = "",
    only: Annotated[str, Form(pattern="^(jerk|posture|tremor)?$")] = "",
) -> RedirectResponse:
    """Confirm or reject an episode, and go back to it."""
    found = runtime.results.episodes(patient.id, start_ns, start_ns + 1, kind=kind)
    if not found:
        raise problem("not-found", "There is no such episode; it may have been made again.")
    give_verdict(runtime.catalog, patient.id, found[0], verdict, current().name)
    query = "&".join(f"{k}={v}" for k, v in (("kind", only), ("before", before)) if v)
    return _back(patient.id, f"/episodes{'?' if query else ''}{query}#e{start_ns}")


@router.get("/patients/{patient_id}/report.pdf")
def report(
    runtime: RuntimeDep,
    patient: PatientDep,
    paper: Literal["a4", "letter"] | None = None,
    figure: FigureKey = "deviation",
    a_from: date | None = None,
    a_to: date | None = None,
    b_from: date | None = None,
    b_to: date | None = None,
    weeks: Annotated[int, Query(ge=4, le=52)] = 16,
) -> Response:
    """Return the report for the file."""
    from api.clinic.report import report_pdf

    view = patient_view(
        runtime,
        patient,
        figure_key=figure,
        periods=_periods(a_from, a_to, b_from, b_to),
        weeks_shown=weeks,
    )
    try:
        body = report_pdf(view, paper or runtime.settings.paper, runtime.settings.report_font)
    except ApiError as error:
        raise problem("conflict", str(error)) from error
    name = f"necktrace-{view.today.isoformat()}.pdf"
    return Response(
        body,
        media_type="application/pdf",
        headers={"content-disposition": f'inline; filename="{name}"'},
    )
