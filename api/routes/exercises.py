"""Exercises: the plan, the sessions that were done, and the one against the other."""

from datetime import date, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api.access.principals import current
from api.exercises.adherence import adherence, share
from api.exercises.changes import FOREVER_NS, remove_session, write_plan
from api.http.problems import problem
from api.queries import checked_range, to_ns, today_in
from api.routes.parameters import PatientDep, RangeDep
from api.runtime import RuntimeDep
from api.web.texts import iso
from processing.exercise import EXERCISES
from storage.catalog import new_id
from storage.errors import CatalogError
from storage.exercise_plan import (
    MOST_A_DAY,
    MOST_HOLD_S,
    MOST_REPETITIONS,
    ExercisePlan,
    Origin,
    PlannedExercise,
    plan_at,
    plan_history,
)
from storage.notes import ExerciseSession, exercises, save_exercise

router = APIRouter(tags=["exercises"])

MOST_DAYS = 366
ExerciseId = Literal[
    "midline", "turn_right", "turn_left", "tilt_right", "tilt_left", "chin_down", "chin_up"
]
assert set(EXERCISES) == set(ExerciseId.__args__)  # type: ignore[attr-defined]  # a Literal has it
SessionId = Annotated[
    str, Path(min_length=1, max_length=64, description="Id of the session.", examples=["3f2a"])
]


class PlannedExerciseIO(BaseModel):
    """One exercise of a plan."""

    model_config = ConfigDict(extra="forbid")

    exercise: ExerciseId = Field(description="Right and left are the patient's.")
    repetitions: int = Field(ge=1, le=MOST_REPETITIONS, examples=[5])
    hold_s: float = Field(ge=0, le=MOST_HOLD_S, description="Seconds; 0: none.", examples=[3.0])
    target_deg: float = Field(
        ge=1.0,
        le=60.0,
        description="Size of the angle to reach, degrees; for `midline` the distance from neutral "
        "that counts as there. Each exercise has a limit of its own.",
        examples=[25.0],
    )
    times_a_day: int = Field(ge=1, le=MOST_A_DAY, examples=[3])


class PlanIn(BaseModel):
    """A plan that is to hold from now on."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "origin": "own",
                    "exercises": [
                        {
                            "exercise": "turn_left",
                            "repetitions": 5,
                            "hold_s": 3.0,
                            "target_deg": 25.0,
                            "times_a_day": 3,
                        }
                    ],
                }
            ]
        },
    )

    origin: Origin = Field(
        description="`clinic`: prescribed, which only who treats the patient may do; `own`: chosen "
        "by the patient, in force where nothing is prescribed."
    )
    exercises: list[PlannedExerciseIO] = Field(max_length=len(EXERCISES))


class PlanOut(BaseModel):
    """What was agreed from some moment on."""

    origin: Origin
    since_utc: str
    author: str
    exercises: list[PlannedExerciseIO]


class PlansOut(BaseModel):
    """The plan in force and the ones before it."""

    patient_id: str
    in_force: PlanOut | None = Field(description="Null where nothing is planned.")
    history: list[PlanOut] = Field(description="Oldest first; the last is the one in force.")


class SessionIn(BaseModel):
    """An exercise that was done."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "exercise": "turn_left",
                    "start": "2026-11-23T08:15:00Z",
                    "end": "2026-11-23T08:18:00Z",
                    "repetitions": 5,
                }
            ]
        },
    )

    exercise: ExerciseId
    start: AwareDatetime = Field(description="RFC 3339.", examples=["2026-11-23T08:15:00Z"])
    end: AwareDatetime
    repetitions: int = Field(ge=0, le=1000)
    stopped: Literal["", "pain", "early"] = Field(
        default="", description="Why it ended before the plan was met; empty where it did not."
    )
    text: str = Field(default="", max_length=500)


class SessionOut(BaseModel):
    """An exercise that was done."""

    id: str
    exercise: str
    start_utc: str
    end_utc: str
    body: dict[str, Any] = Field(
        description="`repetitions`, `held` of them as long as asked for, `target_deg`, `hold_s`, "
        "`measured` by the sensors or told, `stopped` why, and `reps`: each with `peak_deg`, "
        "`hold_s`, `duration_s`, `held`."
    )


class SessionsOut(BaseModel):
    """Exercises that were done, by start."""

    patient_id: str
    items: list[SessionOut]


class ExerciseDayOut(BaseModel):
    """One exercise of one day."""

    exercise: str
    planned: int = Field(description="Sessions asked for.")
    done: int = Field(description="Sessions with all the repetitions.")
    begun: int = Field(description="Sessions that ended earlier.")
    stopped_for_pain: int


class AdherenceDayOut(BaseModel):
    """One local day."""

    date: date
    planned: int
    done: int = Field(description="Of those planned; more than asked for counts for no other day.")
    exercises: list[ExerciseDayOut]


class AdherenceOut(BaseModel):
    """What was done against what the plan asked for."""

    patient_id: str
    zone: str = Field(description="IANA time zone that cuts the days.")
    share: float | None = Field(description="0..1; null where nothing was planned.")
    days: list[AdherenceDayOut]


def _plan_out(plan: ExercisePlan) -> PlanOut:
    listed = [
        PlannedExerciseIO.model_validate(each, from_attributes=True) for each in plan.exercises
    ]
    return PlanOut(
        origin=plan.origin, since_utc=iso(plan.since_ns), author=plan.author, exercises=listed
    )


def _session_out(session: ExerciseSession) -> SessionOut:
    return SessionOut(
        id=session.id,
        exercise=session.kind,
        start_utc=iso(session.start_ns),
        end_utc=iso(session.end_ns),
        body=dict(session.body),
    )


@router.get(
    "/patients/{patient_id}/exercises/plan", operation_id="getExercisePlan", summary="The plan"
)
def get_plan(runtime: RuntimeDep, patient: PatientDep) -> PlansOut:
    """Return the plan in force and its history."""
    held = plan_at(runtime.catalog, patient.id, FOREVER_NS)
    return PlansOut(
        patient_id=patient.id,
        in_force=None if held is None else _plan_out(held),
        history=[_plan_out(each) for each in plan_history(runtime.catalog, patient.id)],
    )


@router.put(
    "/patients/{patient_id}/exercises/plan",
    operation_id="putExercisePlan",
    summary="Plan exercises",
)
def put_plan(runtime: RuntimeDep, patient: PatientDep, wanted: PlanIn) -> PlanOut:
    """Let a plan hold from now on; an empty one ends it."""
    try:
        listed = [PlannedExercise(**each.model_dump()) for each in wanted.exercises]
    except CatalogError as error:
        raise problem("invalid-request", f"{error}.") from None
    return _plan_out(write_plan(runtime, patient, wanted.origin, listed))


@router.get(
    "/patients/{patient_id}/exercises/sessions",
    operation_id="listExerciseSessions",
    summary="Exercises that were done",
)
def list_sessions(runtime: RuntimeDep, patient: PatientDep, span: RangeDep) -> SessionsOut:
    """Return the sessions that began in the range."""
    found = exercises(runtime.catalog, patient.id, span.t0_ns, span.t1_ns)
    return SessionsOut(patient_id=patient.id, items=[_session_out(each) for each in found])


@router.post(
    "/patients/{patient_id}/exercises/sessions",
    operation_id="addExerciseSession",
    summary="Write an exercise down",
    status_code=201,
)
def add_session(runtime: RuntimeDep, patient: PatientDep, wanted: SessionIn) -> SessionOut:
    """Write down an exercise that was done without the player; it counts as told, not measured."""
    if wanted.end < wanted.start:
        raise problem("invalid-request", "`end` must not be earlier than `start`.")
    checked_range(wanted.start, None)
    checked_range(wanted.end, None)
    body: dict[str, Any] = {"repetitions": wanted.repetitions, "measured": False}
    body |= {name: value for name in ("stopped", "text") if (value := getattr(wanted, name))}
    made = ExerciseSession(
        new_id(), patient.id, wanted.exercise, to_ns(wanted.start), to_ns(wanted.end), body
    )
    save_exercise(runtime.catalog, made)
    runtime.catalog.audit(current().name, "exercise.add", patient.id, {"id": made.id})
    return _session_out(made)


@router.delete(
    "/patients/{patient_id}/exercises/sessions/{session_id}",
    operation_id="removeExerciseSession",
    summary="Take an exercise back",
    status_code=204,
)
def delete_session(runtime: RuntimeDep, patient: PatientDep, session_id: SessionId) -> None:
    """Take a session back."""
    remove_session(runtime, patient, session_id)


@router.get(
    "/patients/{patient_id}/exercises/adherence",
    operation_id="getExerciseAdherence",
    summary="Done against planned",
)
def get_adherence(
    runtime: RuntimeDep,
    patient: PatientDep,
    first: Annotated[
        date | None,
        Query(alias="from", description="First local day; a week back where not given."),
    ] = None,
    last: Annotated[
        date | None, Query(alias="to", description="Last local day, included; today if not given.")
    ] = None,
) -> AdherenceOut:
    """Return what was done on each local day."""
    until = last or today_in(patient.zone)
    for day in (first, until):
        if day is not None and not 1990 <= day.year <= 2200:
            raise problem("invalid-request", f"The year {day.year} is outside any recording.")
    since = first or until - timedelta(days=6)
    if not 0 <= (until - since).days < MOST_DAYS:
        raise problem("invalid-request", f"Ask for 1 to {MOST_DAYS} days, the earlier one first.")
    days = adherence(runtime.catalog, patient, since, until)
    return AdherenceOut(
        patient_id=patient.id,
        zone=patient.zone,
        share=share(days),
        days=[
            AdherenceDayOut(
                date=day.date,
                planned=day.planned,
                done=day.done,
                exercises=[
                    ExerciseDayOut(
                        exercise=each.planned.exercise,
                        planned=each.planned.times_a_day,
                        done=each.done,
                        begun=each.begun,
                        stopped_for_pain=each.stopped_for_pain,
                    )
                    for each in day.exercises
                ],
            )
            for day in days
        ],
    )
