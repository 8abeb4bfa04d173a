"""Changes of plan and sessions, for the routes and the pages alike: with their rights and audit."""

from typing import Final

from api.access.principals import current
from api.access.rights import CLINICAL
from api.http.problems import problem
from api.runtime import Runtime
from storage.catalog import Patient
from storage.errors import CatalogError
from storage.exercise_plan import ExercisePlan, Origin, PlannedExercise, save_plan
from storage.notes import exercises, remove_exercise

FOREVER_NS: Final = 2**62
"""Later than every plan: the one in force."""


def write_plan(
    runtime: Runtime, patient: Patient, origin: Origin, wanted: list[PlannedExercise]
) -> ExercisePlan:
    """Let a plan hold from now on, and write that into the audit log.

    Raises
    ------
    ProblemError
        `not-allowed`: only who treats the patient prescribes; `invalid-request`: an exercise is
        there twice or beyond its limit.
    """
    who = current()
    if origin == "clinic" and not who.may(CLINICAL, patient.id):
        raise problem("not-allowed", "Only who treats the patient can prescribe exercises.")
    try:
        plan = save_plan(runtime.catalog, patient.id, wanted, origin=origin, author=who.name)
    except CatalogError as error:
        raise problem("invalid-request", f"{error}.") from None
    runtime.catalog.audit(
        who.name,
        "exercise.plan",
        patient.id,
        {"origin": origin, "exercises": [each.exercise for each in wanted]},
    )
    return plan


def remove_session(runtime: Runtime, patient: Patient, session_id: str) -> None:
    """Take a session back.

    Raises
    ------
    ProblemError
        `not-found`: the patient has no such session.
    """
    if session_id not in {each.id for each in exercises(runtime.catalog, patient.id)}:
        raise problem("not-found", "This patient has no such exercise session.")
    remove_exercise(runtime.catalog, session_id)
    runtime.catalog.audit(current().name, "exercise.remove", patient.id, {"id": session_id})
