"""Done against planned, in the patient's days."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from api.exercises.adherence import adherence, share
from api.queries import midnight_ns
from storage.catalog import Catalog, Patient
from storage.exercise_plan import PlannedExercise, save_plan
from storage.notes import ExerciseSession, save_exercise

ZONE = "Europe/Berlin"
HOUR_NS = 3600 * 10**9
PATIENT = Patient("p1", "", ZONE)
DAY = date(2026, 10, 25)  # the clocks go back: 25 hours
TURN = PlannedExercise("turn_left", 5, 3.0, 25.0, 2)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog(tmp_path) as opened:
        opened.save_patient(PATIENT)
        yield opened


def do(catalog: Catalog, hour: float, repetitions: int, kind: str = "turn_left") -> None:
    at = midnight_ns(DAY, ZONE) + int(hour * HOUR_NS)
    body = {"repetitions": repetitions} | ({"stopped": "pain"} if repetitions < 5 else {})
    save_exercise(catalog, ExerciseSession(f"s{hour}", "p1", kind, at, at + 10**9, body))


def test_more_than_asked_for_makes_up_for_no_other_day(catalog: Catalog) -> None:
    save_plan(catalog, "p1", [TURN], origin="own", author="x", since_ns=midnight_ns(DAY, ZONE))
    for hour in (1.0, 2.0, 24.5):  # still the same day
        do(catalog, hour, 5)
    do(catalog, 3.0, 2)
    do(catalog, 4.0, 9, "chin_up")  # not in the plan
    before, day, after = adherence(catalog, PATIENT, date(2026, 10, 24), date(2026, 10, 26))
    assert (before.planned, before.exercises) == (0, ())
    assert (day.planned, day.done) == (2, 2)
    (turn,) = day.exercises
    assert (turn.done, turn.begun, turn.stopped_for_pain) == (3, 1, 1)
    assert (after.planned, after.done) == (2, 0)
    assert share([before]) is None
    assert share([before, day, after]) == 0.5
