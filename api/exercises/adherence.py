"""What was done against what the plan asked for, by local day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from api.queries import day_range
from storage.catalog import Catalog, Patient
from storage.exercise_plan import ExercisePlan, PlannedExercise, plan_history
from storage.notes import ExerciseSession, exercises


@dataclass(frozen=True, slots=True)
class Done:
    """One exercise of one day."""

    planned: PlannedExercise
    done: int
    """Sessions with all the repetitions."""
    begun: int
    """Sessions that ended earlier."""
    stopped_for_pain: int

    @property
    def counted(self) -> int:
        """Sessions that count towards the plan: more than asked for makes up for no other day."""
        return min(self.done, self.planned.times_a_day)


@dataclass(frozen=True, slots=True)
class DayDone:
    """One local day."""

    date: date
    exercises: tuple[Done, ...]
    """Empty where no plan was in force."""

    @property
    def planned(self) -> int:
        """Sessions asked for."""
        return sum(each.planned.times_a_day for each in self.exercises)

    @property
    def done(self) -> int:
        """Sessions done that were asked for."""
        return sum(each.counted for each in self.exercises)


def adherence(catalog: Catalog, patient: Patient, first: date, last: date) -> list[DayDone]:
    """Return what was done on each local day of [first, last], oldest first.

    The plan in force at the end of a day is the one that the day is held against; the day on which
    the first plan was made is the first that asks for anything.
    """
    history = plan_history(catalog, patient.id)
    found = []
    for ahead in range((last - first).days + 1):
        day = first + timedelta(days=ahead)
        span = day_range(day, day, patient.zone)
        held = [plan for plan in history if plan.since_ns < span.t1_ns]
        plan = held[-1] if held else None
        sessions = exercises(catalog, patient.id, span.t0_ns, span.t1_ns)
        found.append(DayDone(day, _of_day(plan, sessions)))
    return found


def share(days: Sequence[DayDone]) -> float | None:
    """Return done by planned over some days, 0..1; None where nothing was planned."""
    planned = sum(day.planned for day in days)
    return None if planned == 0 else sum(day.done for day in days) / planned


def _of_day(plan: ExercisePlan | None, sessions: Sequence[ExerciseSession]) -> tuple[Done, ...]:
    if plan is None:
        return ()
    found = []
    for planned in plan.exercises:
        mine = [session for session in sessions if session.kind == planned.exercise]
        whole = sum(1 for s in mine if _repetitions(s) >= planned.repetitions)
        hurt = sum(1 for s in mine if s.body.get("stopped") == "pain")
        found.append(Done(planned, whole, len(mine) - whole, hurt))
    return tuple(found)


def _repetitions(session: ExerciseSession) -> int:
    made = session.body.get("repetitions", 0)
    return made if isinstance(made, int) else 0
