"""Exercises as pages: the plan, what was done, and the player."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from api import queries
from api.exercises.adherence import adherence, share
from api.exercises.changes import FOREVER_NS, remove_session, write_plan
from api.exercises.player import Player, Stopped
from api.http.problems import problem
from api.runtime import Runtime, RuntimeDep
from api.web import texts
from api.web.pages import first_patient, render
from processing.exercise import EXERCISES
from storage.exercise_plan import PlannedExercise, plan_at
from storage.notes import exercises

router = APIRouter(default_response_class=HTMLResponse)

OWN_REPETITIONS = 5
OWN_HOLD_S = 3.0
SHOWN_SESSIONS = 20


def _player(runtime: Runtime) -> Player:
    if runtime.player is None:
        raise problem("not-live", texts.text(f"exercise.cannot.{_cannot(runtime)}"))
    return runtime.player


@router.get("/exercises")
def exercise_page(runtime: RuntimeDep) -> HTMLResponse:
    """Return the plan, what was done today and this week, and the short list."""
    patient = first_patient(runtime)
    today = queries.today_in(patient.zone)
    week = adherence(runtime.catalog, patient, today - timedelta(days=6), today)
    span = queries.day_range(today - timedelta(days=6), today, patient.zone)
    sessions = exercises(runtime.catalog, patient.id, span.t0_ns, span.t1_ns)
    return render(
        runtime,
        "exercises.html",
        "today",
        zone=patient.zone,
        plan=plan_at(runtime.catalog, patient.id, FOREVER_NS),
        today=week[-1],
        week=week,
        share=share(week),
        sessions=list(reversed(sessions))[:SHOWN_SESSIONS],
        listed=EXERCISES.values(),
        player=runtime.player.view if runtime.player else None,
        cannot=_cannot(runtime),
    )


def _cannot(runtime: Runtime) -> str:
    """Return why nothing can be started here while there is no player."""
    if runtime.desk is None:
        return "starting" if runtime.hub is not None else "serve"
    return "starting" if runtime.desk.chosen.is_set() else "unpaired"


@router.post("/exercises/plan")
async def choose(runtime: RuntimeDep, request: Request) -> RedirectResponse:
    """Let the exercises that were ticked be one's own plan from now on."""
    patient = first_patient(runtime)
    form = await request.form()
    chosen = [
        PlannedExercise(each.id, OWN_REPETITIONS, OWN_HOLD_S, each.unprescribed_deg, times_a_day=2)
        for each in EXERCISES.values()
        if form.get(each.id) == "on"
    ]
    write_plan(runtime, patient, "own", chosen)
    return RedirectResponse("/exercises", 303)


@router.post("/exercises/start")
async def start(
    runtime: RuntimeDep, exercise: Annotated[str, Form(min_length=1, max_length=40)]
) -> RedirectResponse:
    """Begin an exercise of the plan."""
    patient = first_patient(runtime)
    player = _player(runtime)
    if runtime.guide is not None and runtime.guide.busy:
        raise problem("conflict", "A calibration is under way; finish or cancel it first.")
    plan = plan_at(runtime.catalog, patient.id, FOREVER_NS)
    if plan is None or plan.of(exercise) is None:
        raise problem("not-found", "This exercise is not in the plan.")
    if not player.start(plan, exercise):
        raise problem("conflict", "Another exercise is under way.")
    return RedirectResponse("/exercises/play", 303)


@router.get("/exercises/play")
def play(runtime: RuntimeDep) -> HTMLResponse:
    """Return the player."""
    patient = first_patient(runtime)
    return render(
        runtime, "exercise_play.html", "today", zone=patient.zone, player=_player(runtime).view
    )


@router.post("/exercises/stop")
async def stop(runtime: RuntimeDep, why: Annotated[Stopped, Form()] = "early") -> RedirectResponse:
    """End the exercise under way; what was done is written down."""
    await _player(runtime).stop(why)
    return RedirectResponse("/exercises/play", 303)


@router.post("/exercises/sessions/{session_id}/undo")
def undo(runtime: RuntimeDep, session_id: str) -> RedirectResponse:
    """Take a session back."""
    remove_session(runtime, first_patient(runtime), session_id)
    return RedirectResponse("/exercises", 303)
