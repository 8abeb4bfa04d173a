"""Exercise plans: whose is in force, and what a plan may ask for."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from storage.catalog import Catalog, Patient
from storage.errors import CatalogError
from storage.exchange import apply, entries, scope_of, take_from_clinic
from storage.exercise_plan import PlannedExercise, plan_at, plan_history, save_plan

TURN = PlannedExercise("turn_left", 5, 3.0, 25.0, 2)
MIDLINE = PlannedExercise("midline", 3, 10.0, 10.0, 3)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog(tmp_path / "home") as opened:
        opened.save_patient(Patient("p1", "", "Europe/Berlin"))
        yield opened


def test_the_clinics_plan_outranks_ones_own_until_it_is_empty(catalog: Catalog) -> None:
    assert plan_at(catalog, "p1", 2**62) is None
    save_plan(catalog, "p1", [TURN], origin="own", author="owner", since_ns=100)
    save_plan(catalog, "p1", [MIDLINE], origin="clinic", author="dr", since_ns=200)
    save_plan(catalog, "p1", [MIDLINE, TURN], origin="own", author="owner", since_ns=300)
    save_plan(catalog, "p1", [], origin="clinic", author="dr", since_ns=400)
    found = [(p.since_ns, p.origin, [e.exercise for e in p.exercises]) for p in
             plan_history(catalog, "p1")]  # fmt: skip
    assert found == [
        (100, "own", ["turn_left"]),
        (200, "clinic", ["midline"]),
        (400, "own", ["midline", "turn_left"]),
    ]
    at_250 = plan_at(catalog, "p1", 250)
    assert at_250 is not None
    assert at_250.of("midline") == MIDLINE
    assert plan_at(catalog, "p1", 50) is None


def test_both_plans_cross_and_neither_side_overwrites_the_other(
    catalog: Catalog, tmp_path: Path
) -> None:
    with Catalog(tmp_path / "clinic") as clinic:
        clinic.save_patient(Patient("p1", "", "Europe/Berlin"))
        save_plan(catalog, "p1", [TURN], origin="own", author="owner", since_ns=100)
        assert apply(clinic, "p1", "own_plan", entries(catalog, "p1", "own_plan")) == 1
        seen = plan_at(clinic, "p1", 150)
        assert seen is not None
        assert seen.exercises == (TURN,)
        save_plan(clinic, "p1", [MIDLINE], origin="clinic", author="dr", since_ns=200)
        plan = clinic.setting(scope_of("p1"), "plan")
        assert take_from_clinic(catalog, "p1", {"plan": plan}, []) == 1
        assert plan_history(catalog, "p1") == plan_history(clinic, "p1")


@pytest.mark.parametrize(
    "stored",
    [
        7,
        {"versions": "x"},
        {"versions": [{"since_ns": 1, "author": "dr", "exercises": [{"exercise": "juggle"}]}]},
        {"versions": [{"since_ns": "soon", "author": "dr", "exercises": []}]},
    ],
)
def test_a_plan_that_cannot_be_read_is_no_plan(catalog: Catalog, stored: Any) -> None:
    catalog.set_setting(scope_of("p1"), "plan", stored)
    save_plan(catalog, "p1", [TURN], origin="own", author="owner", since_ns=100)
    held = plan_at(catalog, "p1", 200)
    assert held is not None
    assert held.origin == "own"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("juggle", 5, 3.0, 20.0, 1), "choose one of midline"),
        (("tilt_left", 5, 3.0, 31.0, 1), "target_deg is 31; give 1 to 30"),
        (("tilt_left", 0, 3.0, 10.0, 1), "repetitions is 0"),
        (("tilt_left", 5, float("nan"), 10.0, 1), "hold_s is nan"),
        (("tilt_left", 5, 3.0, 10.0, 13), "times_a_day is 13"),
    ],
)
def test_what_nobody_should_be_asked_for_is_refused(given: Any, words: str) -> None:
    with pytest.raises(CatalogError, match=words):
        PlannedExercise(*given)


def test_an_exercise_is_in_a_plan_once(catalog: Catalog) -> None:
    with pytest.raises(CatalogError, match="only once"):
        save_plan(catalog, "p1", [TURN, TURN], origin="own", author="owner")
