"""Caseload, patient page, injections, settings."""

import dataclasses
import re
import time
from datetime import date, timedelta
from html import unescape
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.clinic.caseload import case_of, caseload
from api.clinic.cycle_view import cycle_facts
from api.clinic.injections import injections
from api.clinic.patient_view import patient_view
from api.clinic.remake import in_force
from api.clinic.words import shift_words
from api.queries import today_in
from api.runtime import Runtime
from api.thresholds import (
    Thresholds,
    answered,
    history,
    pipeline_params,
    save_thresholds,
    thresholds_of,
)
from api.web import texts
from processing.exercise import EXERCISES
from storage.due import finish_due, take_due
from storage.exercise_plan import PlannedExercise, plan_at, save_plan
from storage.notes import ExerciseSession, save_exercise
from storage.record.lock import WriterLock

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[4]


def test_who_needs_a_look_comes_first_and_why(runtime: Runtime) -> None:
    found = {case.patient.id: case.codes for case in caseload(runtime, runtime.catalog.patients())}
    assert next(iter(found)) == "p3"
    assert found["p3"] == ("no_data",)
    assert "poor_trust" in found["p2"]
    assert "wearing_off" in found["p1"]


def test_a_patient_without_any_day_has_no_data(runtime: Runtime) -> None:
    patient = runtime.catalog.patient("p1")
    runtime.results.delete_patient("p1")
    case = case_of(runtime, patient)
    assert case.codes == ("no_data",)
    assert (case.standing.last_day, case.standing.recent) == (None, None)


def test_each_reason_says_its_numbers(runtime: Runtime, client: TestClient) -> None:
    page = unescape(client.get("/clinic").text)
    for case in caseload(runtime, runtime.catalog.patients()):
        assert case.standing.reasons
        for reason in case.standing.reasons:
            assert any(letter.isdigit() for letter in reason.words)
            assert reason.words in page


def test_a_patients_own_thresholds_decide_what_is_pointed_out(runtime: Runtime) -> None:
    patient = runtime.catalog.patient("p2")
    assert "poor_trust" in case_of(runtime, patient).codes
    save_thresholds(runtime.catalog, "p2", Thresholds(poor_percent=90.0), "test")
    assert "poor_trust" not in case_of(runtime, patient).codes
    other = runtime.catalog.patient("p1")
    assert "worse" in case_of(runtime, other).codes
    save_thresholds(runtime.catalog, "p1", Thresholds(least_worse_deg=25.0), "test")
    assert "worse" not in case_of(runtime, other).codes


@pytest.mark.parametrize(
    "path",
    ["/clinic", "/clinic/patients/p1", "/clinic/patients/p2?figure=jerk&weeks=4",
     "/clinic/patients/p3", "/clinic/patients/p1/episodes?kind=posture"],
)  # fmt: skip
def test_pages_keep_to_the_policy(client: TestClient, path: str) -> None:
    page = client.get(path)
    assert page.status_code == 200
    assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", page.text)
    assert not re.search(r"\sstyle=|\son\w+=", page.text)
    assert not re.search(r"(src|href)=\"https?://", page.text)


def test_the_page_says_what_the_trend_found(runtime: Runtime, client: TestClient) -> None:
    view = patient_view(runtime, runtime.catalog.patient("p1"))
    assert view.cycle is not None
    # the made-up course turns on day 7 and on day 71
    assert view.cycle.onset.low is not None
    assert view.cycle.onset.high is not None
    assert view.cycle.onset.low <= 7 <= view.cycle.onset.high
    text = unescape(client.get("/clinic/patients/p1").text)
    for _, said in cycle_facts(view.figure, view.cycle):
        assert said in text
    for row in view.comparison.rows:
        assert shift_words(row.figure, row.change) in text
        assert row.change is not None


def test_a_new_neutral_is_marked_and_not_crossed(runtime: Runtime) -> None:
    patient = runtime.catalog.patient("p2")
    apart = patient_view(runtime, patient)
    assert len(apart.new_neutrals) == 1
    assert set(apart.comparison.maps.values()) == {None}
    angle, jerks = (r for r in apart.comparison.rows if r.figure.key in {"deviation", "jerk"})
    assert angle.change is None
    assert jerks.change is not None
    assert apart.cycle is not None
    assert apart.cycle.ended_by == "neutral"
    save_thresholds(runtime.catalog, "p2", Thresholds(across_neutrals=True), "test")
    joined = patient_view(runtime, patient)
    assert joined.new_neutrals == apart.new_neutrals
    assert None not in joined.comparison.maps.values()
    assert joined.cycle is not None
    assert joined.cycle.ended_by == "data"


def form(**changed: str) -> dict[str, str]:
    held = dataclasses.asdict(Thresholds())
    del held["across_neutrals"]
    return {**{name: str(value) for name, value in held.items()}, **changed}


def test_days_worn_too_short_do_not_count(runtime: Runtime, client: TestClient) -> None:
    answer = client.post(
        "/clinic/patients/p1/thresholds", data=form(least_worn_h="12"), follow_redirects=False
    )
    assert (answer.status_code, answer.headers["location"]) == (
        303, "/clinic/patients/p1#thresholds",
    )  # fmt: skip
    view = patient_view(runtime, runtime.catalog.patient("p1"))
    assert view.trust.counted == 0
    assert view.cycle is not None
    assert view.cycle.onset.reason == "no_baseline"


def test_changed_thresholds_have_a_history(runtime: Runtime, client: TestClient) -> None:
    client.post("/clinic/patients/p1/thresholds", data=form(jerk_least_deg="6"))
    client.post("/clinic/patients/p1/thresholds", data=form(jerk_least_deg="6"))
    client.post("/clinic/patients/p1/thresholds", data=form(silent_d="9"))
    newest, oldest = history(runtime.catalog, "p1")
    assert newest.fields == (("jerk_least_deg", 6.0, 3.0), ("silent_d", 3, 9))
    assert oldest.fields == (("jerk_least_deg", 3.0, 6.0),)
    assert thresholds_of(runtime.catalog, "p2") == Thresholds()
    page = unescape(client.get("/clinic/patients/p1").text)
    assert "No data: days: 3 → 9" in page
    client.post("/clinic/patients/p1/thresholds", data=form(across_neutrals="true"))
    page = unescape(client.get("/clinic/patients/p1").text)
    assert "Join days across new neutral positions (marked): no → yes" in page


def test_other_detectors_have_results_made_again(
    runtime: Runtime, client: TestClient, started: list[str]
) -> None:
    def state() -> str:
        return in_force(runtime, runtime.catalog.patient("p1"))

    path = "/clinic/patients/p1/thresholds"
    client.post(path, data=form(least_worn_h="5"))
    assert (state(), started) == ("yes", []), "that needs no new results"
    client.post(path, data=form(jerk_least_deg="6"))
    assert (state(), started) == ("making", ["p1"])
    assert "Results are being made again" in client.get("/clinic/patients/p1").text
    take_due(runtime.catalog, "p1")
    finish_due(runtime.catalog, "p1")
    lock = WriterLock(runtime.settings.data_dir)
    try:
        client.post(path, data=form(jerk_least_deg="7"))
    finally:
        lock.release()
    assert (state(), started) == ("waits", ["p1"]), "who records goes on as they began"
    assert "next start of the recording" in client.get("/clinic/patients/p1").text
    answered(runtime.catalog, "p1", Thresholds(jerk_least_deg=6.0))
    assert state() == "waits", "made with earlier ones"
    shown = pipeline_params(Thresholds(jerk_least_deg=8.0))
    runtime.results.book.register("p1", shown.algorithm_id, params_hash=shown.hash)
    runtime.results.book.switch("p1", shown.algorithm_id)
    client.post(path, data=form(jerk_least_deg="8"))
    assert (state(), started) == ("yes", ["p1"]), "what is shown was made with these"


@pytest.mark.parametrize("given", [{"posture_off_deg": "15"}, {"silent_d": "0"}, {"silent_d": "x"}])
def test_thresholds_that_make_no_sense_are_refused(
    runtime: Runtime, client: TestClient, given: dict[str, str]
) -> None:
    answer = client.post("/clinic/patients/p1/thresholds", data=form(**given))
    assert answer.status_code == 422
    assert thresholds_of(runtime.catalog, "p1") == Thresholds()


def test_a_clinician_prescribes(runtime: Runtime, client: TestClient) -> None:
    names = list(EXERCISES)
    given = {
        "exercise": names,
        "times_a_day": ["2", *["0"] * (len(names) - 1)],
        "repetitions": ["8"] * len(names),
        "hold_s": ["4"] * len(names),
        "target_deg": ["12"] * len(names),
    }
    answer = client.post("/clinic/patients/p1/plan", data=given, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (
        303, "/clinic/patients/p1#exercises",
    )  # fmt: skip
    plan = plan_at(runtime.catalog, "p1", time.time_ns())
    assert plan is not None
    assert plan.exercises == (PlannedExercise(names[0], 8, 4.0, 12.0, 2),)
    assert 'name="times_a_day" min="0" max="' in client.get("/clinic/patients/p1").text
    for wrong in ({**given, "target_deg": ["500"] * len(names)}, {**given, "hold_s": ["1"]}):
        assert client.post("/clinic/patients/p1/plan", data=wrong).status_code == 422
    assert plan_at(runtime.catalog, "p1", time.time_ns()) == plan


def test_exercises_are_held_against_the_plan(runtime: Runtime, client: TestClient) -> None:
    assert "No exercise was planned" in client.get("/clinic/patients/p1").text
    day_ns = 86_400 * 10**9
    start = time.time_ns() - 3 * day_ns
    name = next(iter(EXERCISES))
    asked = PlannedExercise(name, 5, 3.0, 20.0, 1)
    save_plan(
        runtime.catalog, "p1", [asked], origin="clinic", author="test", since_ns=start - day_ns
    )
    done = ExerciseSession("e1", "p1", name, start, start + 10**9, {"repetitions": 5})
    save_exercise(runtime.catalog, done)
    view = patient_view(runtime, runtime.catalog.patient("p1"))
    assert (view.exercised.done, view.exercised.planned) == (1, 5)
    page = unescape(client.get("/clinic/patients/p1").text)
    assert view.exercised.words in page
    assert "1 of 5" in page


def test_an_injection_is_entered_and_taken_back(runtime: Runtime, client: TestClient) -> None:
    patient = runtime.catalog.patient("p3")
    day = today_in(patient.zone) - timedelta(days=9)
    answer = client.post(
        "/clinic/patients/p3/injections",
        data={"day": day.isoformat(), "product": "<b>toxin</b>", "units": "120,5", "muscles": "x"},
        follow_redirects=False,
    )
    assert (answer.status_code, answer.headers["location"]) == (
        303, "/clinic/patients/p3#injections",
    )  # fmt: skip
    (held,) = injections(runtime.catalog, patient)
    assert (held.day, held.product, held.units, held.muscles) == (day, "<b>toxin</b>", 120.5, "x")
    page = client.get("/clinic/patients/p3").text
    assert "&lt;b&gt;toxin" in page
    assert "<b>toxin" not in page
    client.post(f"/clinic/patients/p3/injections/{held.id}/remove")
    assert injections(runtime.catalog, patient) == []
    assert [entry[2] for entry in runtime.catalog.audit_log()][-2:] == [
        "injection.add", "injection.remove",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "given",
    [
        {"day": (date.today() + timedelta(days=3)).isoformat(), "product": "x"},  # noqa: DTZ011  any zone
        {"day": "2026-02-30", "product": "x"},
        {"day": "2026-02-03", "product": ""},
        {"day": "2026-02-03", "product": "x", "units": "many"},
        {"day": "1200-02-03", "product": "x"},
    ],
)
def test_an_impossible_injection_is_refused(
    runtime: Runtime, client: TestClient, given: dict[str, str]
) -> None:
    answer = client.post("/clinic/patients/p3/injections", data=given)
    assert answer.status_code in {400, 422}
    assert injections(runtime.catalog, runtime.catalog.patient("p3")) == []


def test_one_patients_injection_is_not_removed_through_another(
    runtime: Runtime, client: TestClient
) -> None:
    (held, *_) = injections(runtime.catalog, runtime.catalog.patient("p1"))
    assert client.post(f"/clinic/patients/p2/injections/{held.id}/remove").status_code == 404
    assert held in injections(runtime.catalog, runtime.catalog.patient("p1"))


def test_periods_need_all_four_days_in_order(client: TestClient) -> None:
    later = "b_from=2026-03-01&b_to=2026-03-02"
    for query in ("a_from=2026-01-01", f"a_from=2026-02-01&a_to=2026-01-01&{later}"):
        assert client.get(f"/clinic/patients/p1?{query}").status_code in {400, 422}


def test_every_text_that_the_clinic_asks_for_exists() -> None:
    call = re.compile(r"(?:\bt|text)\(\s*\"([a-z_]+(?:\.[a-z_0-9]+)+)\"")
    paths = [ROOT / "api" / "thresholds.py", *(ROOT / "api" / "clinic").glob("*.py")]
    used = {key for path in paths for key in call.findall(path.read_text(encoding="utf-8"))}
    assert len(used) > 40
    assert used - set(texts.catalogue()) == set()
