"""Exercise plans: what was agreed, by whom and since when; older versions stay.

The clinic's plan travels from the clinic to the home, a plan that a person chose alone from the
home to the clinic (`storage.exchange`). Each is one setting of the patient, so that neither side
overwrites the other's. Where both exist, the clinic's is in force.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from processing.exercise import EXERCISES
from storage.catalog import Catalog
from storage.errors import CatalogError
from storage.exchange import scope_of

Origin = Literal["clinic", "own"]

_KEY: Final[Mapping[Origin, str]] = {"clinic": "plan", "own": "own_plan"}
MOST_REPETITIONS: Final = 50
MOST_HOLD_S: Final = 60.0
MOST_A_DAY: Final = 12
"""Published programmes ask for up to ten times a day (clinical specification, section 9)."""


@dataclass(frozen=True, slots=True)
class PlannedExercise:
    """One exercise of a plan."""

    exercise: str
    """Id in `processing.exercise.EXERCISES`."""
    repetitions: int
    hold_s: float
    """Time to hold each repetition, seconds; 0: none."""
    target_deg: float
    """Size of the angle to reach; for `midline` the distance from neutral that counts as there."""
    times_a_day: int

    def __post_init__(self) -> None:
        known = EXERCISES.get(self.exercise)
        if known is None:
            raise CatalogError(
                f"there is no exercise {self.exercise!r}; choose one of {', '.join(EXERCISES)}"
            )
        for name, value, least, most in (
            ("repetitions", self.repetitions, 1, MOST_REPETITIONS),
            ("hold_s", self.hold_s, 0.0, MOST_HOLD_S),
            ("target_deg", self.target_deg, 1.0, known.most_deg),
            ("times_a_day", self.times_a_day, 1, MOST_A_DAY),
        ):
            if not least <= value <= most:
                raise CatalogError(
                    f"{self.exercise}: {name} is {value:g}; give {least:g} to {most:g}"
                )


@dataclass(frozen=True, slots=True)
class ExercisePlan:
    """What was agreed from some moment on; without exercises: nothing is."""

    origin: Origin
    since_ns: int
    author: str
    exercises: tuple[PlannedExercise, ...]

    def of(self, exercise: str) -> PlannedExercise | None:
        """Return what the plan says of one exercise, None where it is not in it."""
        return next((each for each in self.exercises if each.exercise == exercise), None)


def save_plan(
    catalog: Catalog,
    patient: str,
    exercises: Sequence[PlannedExercise],
    *,
    origin: Origin,
    author: str,
    since_ns: int | None = None,
) -> ExercisePlan:
    """Let a plan hold from now on; what held before stays readable.

    Raises
    ------
    CatalogError
        There is no such patient, or an exercise is in the plan twice.
    """
    catalog.patient(patient)
    ids = [each.exercise for each in exercises]
    if len(set(ids)) < len(ids):
        raise CatalogError("an exercise can be in a plan only once")
    plan = ExercisePlan(origin, since_ns or time.time_ns(), author, tuple(exercises))
    kept = [_plain(each) for each in _versions(catalog, patient, origin)]
    catalog.set_setting(scope_of(patient), _KEY[origin], {"versions": [*kept, _plain(plan)]})
    return plan


def plan_history(catalog: Catalog, patient: str) -> list[ExercisePlan]:
    """Return which plan was in force from when on, oldest first.

    A clinic's plan with exercises outranks one's own; a clinic's empty plan gives it back.
    """
    clinic = _versions(catalog, patient, "clinic")
    own = _versions(catalog, patient, "own")
    found: list[ExercisePlan] = []
    for version in sorted([*clinic, *own], key=lambda each: each.since_ns):
        before = [each for each in clinic if each.since_ns <= version.since_ns]
        prescribed = before[-1] if before and before[-1].exercises else None
        mine = [each for each in own if each.since_ns <= version.since_ns]
        in_force = prescribed or (mine[-1] if mine else version)
        held = ExercisePlan(in_force.origin, version.since_ns, in_force.author, in_force.exercises)
        if not found or (held.exercises, held.origin) != (found[-1].exercises, found[-1].origin):
            found.append(held)
    return found


def plan_at(catalog: Catalog, patient: str, t_ns: int) -> ExercisePlan | None:
    """Return the plan in force at a time, None where there was none."""
    held = [each for each in plan_history(catalog, patient) if each.since_ns <= t_ns]
    return held[-1] if held and held[-1].exercises else None


def _versions(catalog: Catalog, patient: str, origin: Origin) -> list[ExercisePlan]:
    """Return the versions of one side's plan; what this program cannot read is left out."""
    stored = catalog.setting(scope_of(patient), _KEY[origin])
    versions = stored.get("versions") if isinstance(stored, dict) else None
    found = []
    for version in versions if isinstance(versions, list) else []:
        try:
            found.append(
                ExercisePlan(
                    origin,
                    int(version["since_ns"]),
                    str(version["author"]),
                    tuple(_exercise(each) for each in version["exercises"]),
                )
            )
        except (CatalogError, KeyError, TypeError, ValueError):
            # written by a newer program on the other side; the rest of the plan still holds
            continue
    return sorted(found, key=lambda each: each.since_ns)


def _exercise(body: Mapping[str, Any]) -> PlannedExercise:
    return PlannedExercise(
        exercise=str(body["exercise"]),
        repetitions=int(body["repetitions"]),
        hold_s=float(body["hold_s"]),
        target_deg=float(body["target_deg"]),
        times_a_day=int(body["times_a_day"]),
    )


def _plain(plan: ExercisePlan) -> dict[str, Any]:
    return {
        "since_ns": plan.since_ns,
        "author": plan.author,
        "exercises": [asdict(each) for each in plan.exercises],
    }
