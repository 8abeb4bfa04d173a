"""The demonstration's parts that need no process: which days, whose folder, which rotation."""

from datetime import date
from pathlib import Path

import pytest

from api.clinic.injections import injections
from api.demo.folder import demo_patient
from api.demo.history import DAYS, LONG_S, SHORT_S, PastDay, make_day, planned_days
from api.demo.person import DYSTONIC_DEG, INJECTED_DAYS_AGO, MIDLINE_DEG, patient_spec
from api.errors import DemoError
from api.guided.references import stored_references
from api.hub.recording import local_today
from processing import angles, quaternion
from storage.catalog import Catalog, Patient
from storage.embedded import EmbeddedStore

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


def test_past_days_share_one_neutral_and_know_midline_and_dystonic_pose(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path)
    with Catalog(tmp_path) as catalog:
        patient = demo_patient(catalog, tmp_path, "Europe/Berlin")
        for days_ago in (3, 2):
            day = date.fromordinal(TODAY.toordinal() - days_ago)
            past = PastDay(day, days_ago, 105.0, 10 - days_ago)
            make_day(tmp_path, patient, past, store, catalog, lambda _: None)
        first, second = catalog.alignments("demo")
        assert first.id != second.id
        assert first.n_id == second.n_id
        for held in (first, second):
            assert held.body["quality"] == "good"
        known = stored_references(catalog, "demo")
    store.close()
    assert known is not None
    shown = {
        kind: angles.decompose(
            quaternion.multiply(q, quaternion.conjugate(known.rotations["neutral_pose"]))
        )[2]
        for kind, q in known.rotations.items()
    }
    # as this person holds them, give or take how well anybody takes up a pose
    assert shown["midline_pose"] == pytest.approx(MIDLINE_DEG[2], abs=6.0)
    assert shown["dystonic_pose"] == pytest.approx(DYSTONIC_DEG[2], abs=6.0)
