"""What people did lately: exercises against the plan, verdicts on candidate episodes."""

import time
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta

from api import queries
from api.clinic.verdicts import verdicts_between
from api.exercises.adherence import adherence, share
from api.runtime import Runtime
from api.web import texts
from processing.exercise import EXERCISES
from storage.catalog import Patient
from storage.exercise_plan import plan_at

LOOKED_AT_D = 28
FIRST_REPETITIONS = 5
FIRST_HOLD_S = 3.0


@dataclass(frozen=True, slots=True)
class ExerciseRow:
    """One exercise over the last four weeks."""

    name: str
    planned: int
    """Sessions asked for."""
    done: int
    begun: int
    """Sessions that ended before all repetitions."""
    stopped_for_pain: int


@dataclass(frozen=True, slots=True)
class Adherence:
    """Exercises done against the plan, the last four weeks."""

    share: float | None
    """0..1; None where nothing was planned."""
    planned: int
    done: int
    days: tuple[tuple[date, int, int], ...]
    """Day, sessions asked for, sessions done that were asked for."""
    rows: tuple[ExerciseRow, ...]

    @property
    def words(self) -> str:
        """The share in a sentence."""
        if self.share is None:
            return texts.text("clinic.exercise.none")
        pain = sum(row.stopped_for_pain for row in self.rows)
        said = texts.text(
            "clinic.exercise.share",
            done=self.done,
            planned=self.planned,
            percent=texts.percent(self.share),
        )
        return f"{said} {texts.text('clinic.exercise.pain', n=pain)}" if pain else said


def lately_exercised(runtime: Runtime, patient: Patient, today: date) -> Adherence:
    """Return exercises against the plan."""
    days = adherence(runtime.catalog, patient, today - timedelta(days=LOOKED_AT_D - 1), today)
    sums: dict[str, Counter[str]] = {}
    for day in days:
        for each in day.exercises:
            held = sums.setdefault(each.planned.exercise, Counter())
            held["planned"] += each.planned.times_a_day
            held["done"] += each.counted
            held["begun"] += each.begun
            held["pain"] += each.stopped_for_pain
    return Adherence(
        share=share(days),
        planned=sum(day.planned for day in days),
        done=sum(day.done for day in days),
        days=tuple((day.date, day.planned, day.done) for day in days),
        rows=tuple(
            ExerciseRow(
                texts.catalogue().get(f"exercise.name.{key}", key),
                held["planned"], held["done"], held["begun"], held["pain"],
            )
            for key, held in sums.items()
        ),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One exercise of the short list, as the plan in force has it or as it would begin."""

    exercise: str
    name: str
    times_a_day: int
    """0: not in the plan."""
    repetitions: int
    hold_s: float
    target_deg: float
    most_deg: float


def plan_rows(runtime: Runtime, patient: Patient) -> tuple[PlanRow, ...]:
    """Return every exercise there is, with what the plan in force asks for."""
    plan = plan_at(runtime.catalog, patient.id, time.time_ns())
    held = {} if plan is None else {each.exercise: each for each in plan.exercises}
    rows = []
    for key, each in EXERCISES.items():
        known = held.get(key)
        name = texts.catalogue().get(f"exercise.name.{key}", key)
        asked = (0, FIRST_REPETITIONS, FIRST_HOLD_S, each.unprescribed_deg)
        if known is not None:
            asked = (known.times_a_day, known.repetitions, known.hold_s, known.target_deg)
        rows.append(PlanRow(key, name, *asked, each.most_deg))
    return tuple(rows)


@dataclass(frozen=True, slots=True)
class Judged:
    """Verdicts on candidate episodes of the last four weeks."""

    confirmed: int
    rejected: int

    @property
    def words(self) -> str:
        """Both in a sentence."""
        return texts.text("clinic.judged", confirmed=self.confirmed, rejected=self.rejected)


def lately_judged(runtime: Runtime, patient: Patient, today: date) -> Judged:
    """Return how many candidate episodes a person confirmed and rejected."""
    span = queries.day_range(today - timedelta(days=LOOKED_AT_D - 1), today, patient.zone)
    held = verdicts_between(runtime.catalog, patient.id, span.t0_ns, span.t1_ns)
    said = Counter(bool(each.body.get("accepted")) for each in held)
    return Judged(confirmed=said[True], rejected=said[False])
