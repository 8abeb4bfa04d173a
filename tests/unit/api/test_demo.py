"""The demonstration's parts that need no process: which days, whose folder, which rotation."""

from datetime import date
from pathlib import Path

import pytest

from api.clinic.injections import injections
from api.demo.history import DAYS, LONG_S, SHORT_S, planned_days
from api.demo.person import INJECTED_DAYS_AGO, patient_spec
from api.demo.run import demo_patient
from api.errors import DemoError
from api.recording import local_today
from storage.catalog import Catalog, Patient

TODAY = date(2026, 11, 23)


def test_a_fortnight_of_short_days_and_a_long_last_one() -> None:
    days = planned_days(TODAY, [], 5)
    assert [past.day for past in days] == [date(2026, 11, d) for d in range(9, 23)]
    assert [past.length_s for past in days] == [SHORT_S] * (DAYS - 1) + [LONG_S]
    assert [past.boot for past in days] == list(range(5, 5 + DAYS))


def test_days_that_are_there_are_not_made_again() -> None:
    held = [date(2026, 11, 10), date(2026, 11, 22)]
    assert {past.day for past in planned_days(TODAY, held, 1)} == {
        past.day for past in planned_days(TODAY, [], 1)
    } - set(held)


def test_the_demo_never_mixes_with_a_real_record(tmp_path: Path) -> None:
    with Catalog(tmp_path) as catalog:
        catalog.save_patient(Patient("p1", "Sam", "UTC"))
        with pytest.raises(DemoError, match="Sam"):
            demo_patient(catalog, tmp_path, "UTC")


def test_the_same_person_comes_back(tmp_path: Path) -> None:
    with Catalog(tmp_path) as catalog:
        first = demo_patient(catalog, tmp_path, "Europe/Berlin")
        again = demo_patient(catalog, tmp_path, "UTC")
    assert (again.id, again.zone) == (first.id, "Europe/Berlin")


def test_the_injection_eases_the_simulated_person() -> None:
    early, late = patient_spec(days_ago=13), patient_spec(days_ago=0)
    assert late.posture_offset_deg[2] < early.posture_offset_deg[2]


def test_the_simulated_injection_is_written_down_once(tmp_path: Path) -> None:
    with Catalog(tmp_path) as catalog:
        for _ in range(2):
            patient = demo_patient(catalog, tmp_path, "Europe/Berlin")
        (held,) = injections(catalog, patient)
        assert (local_today(patient) - held.day).days == INJECTED_DAYS_AGO
        assert "simulated" in held.product
