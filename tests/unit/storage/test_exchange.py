from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from storage.catalog import Catalog, Device, Patient, StoredAlignment
from storage.consent import WORDING, consent_history, is_withdrawn, record_consent
from storage.due import take_due
from storage.errors import CatalogError
from storage.exchange import (
    KINDS,
    apply,
    clinic_version,
    entries,
    key_of,
    scope_of,
    take_from_clinic,
    written_by_clinic,
)
from storage.notes import (
    ExerciseSession,
    Treatment,
    add_annotation,
    annotation_history,
    annotations,
    edit_annotation,
    save_exercise,
    save_treatment,
    treatments,
)


def opened(folder: Path) -> Catalog:
    catalog = Catalog(folder)
    catalog.save_patient(Patient("p1", "", "Europe/Berlin"))
    catalog.save_patient(Patient("p2", "", "UTC"))
    return catalog


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Catalog]:
    with opened(tmp_path / "home") as catalog:
        yield catalog


@pytest.fixture
def clinic(tmp_path: Path) -> Iterator[Catalog]:
    with opened(tmp_path / "clinic") as catalog:
        yield catalog


def fill(home: Catalog) -> None:
    home.save_device(Device("d1", "p1", "head", model="m", calibration={"k": 2}))
    home.save_alignment(StoredAlignment("p1", "a1", "n1", 100, {"q": [1.0, 0.0]}))
    home.start_wear("p1", 100, alignment_id="a1", detail={"since_ns": 90})
    home.add_span("p1", "nod", 110, 120, sigma_deg=2.5, detail={"x": 1})
    save_treatment(home, Treatment("t1", "p1", "injection", 50, {"units": 80}))
    save_exercise(home, ExerciseSession("e1", "p1", "turn", 10, 20, {"n": 3}))
    add_annotation(home, "p1", "pain", 5, 6, body={"level": 3}, author="owner", annotation_id="x1")


def carry(home: Catalog, clinic: Catalog, kind: str) -> int:
    return apply(clinic, "p1", kind, entries(home, "p1", kind))


def test_every_kind_arrives_whole_and_a_repeat_changes_nothing(
    home: Catalog, clinic: Catalog
) -> None:
    fill(home)
    for kind in KINDS:
        sent = entries(home, "p1", kind)
        assert len(sent) == 1, kind
        assert carry(home, clinic, kind) == 1, kind
        held = entries(clinic, "p1", kind)
        if kind == "annotations":
            assert held[0].pop("author") == "home:owner"
            assert sent[0].pop("author") == "owner"
        assert held == sent, kind
        assert carry(home, clinic, kind) == 0, kind
        assert entries(clinic, "p2", kind) == []


def test_a_change_arrives_and_what_is_older_does_not_undo_it(
    home: Catalog, clinic: Catalog
) -> None:
    fill(home)
    old = {kind: entries(home, "p1", kind) for kind in KINDS}
    for kind in KINDS:
        carry(home, clinic, kind)
    edit_annotation(home, "x1", author="owner", body={"level": 7})
    later = old["treatments"][0]["updated_ns"] + 1
    save_treatment(home, Treatment("t1", "p1", "injection", 50, {"units": 90}, updated_ns=later))
    home.end_wear(home.wear_sessions("p1")[0].id, 500)
    assert [carry(home, clinic, k) for k in ("annotations", "treatments", "wear_sessions")] == [
        2, 2, 2,
    ]  # fmt: skip
    assert annotations(clinic, "p1")[0].body == {"level": 7}
    assert [edit.before["body"] for edit in annotation_history(clinic, "x1")] == [{"level": 3}]
    assert treatments(clinic, "p1")[0].body == {"units": 90}
    assert clinic.wear_sessions("p1")[0].end_ns == 500
    for kind in ("annotations", "treatments"):
        assert apply(clinic, "p1", kind, old[kind]) == 0
    assert treatments(clinic, "p1")[0].body == {"units": 90}


def test_what_is_taken_back_at_home_goes_in_the_clinic(home: Catalog, clinic: Catalog) -> None:
    fill(home)
    for kind in KINDS:
        carry(home, clinic, kind)
    span, treatment = entries(home, "p1", "spans")[0], entries(home, "p1", "treatments")[0]
    assert apply(clinic, "p1", "spans", [], [key_of("spans", span)]) == 1
    assert apply(clinic, "p1", "spans", [], [key_of("spans", span)]) == 0
    assert apply(clinic, "p1", "treatments", [], [key_of("treatments", treatment)]) == 1
    assert clinic.spans("p1") == []
    assert treatments(clinic, "p1") == []
    edit_annotation(home, "x1", author="owner", delete=True)
    carry(home, clinic, "annotations")
    assert annotations(clinic, "p1") == []
    with pytest.raises(CatalogError, match="not taken back"):
        apply(clinic, "p1", "alignments", [], [["a1"]])
    assert len(clinic.alignments("p1")) == 1


def test_nobody_reaches_another_patients_entries(home: Catalog, clinic: Catalog) -> None:
    fill(home)
    clinic.save_device(Device("d1", "p2", "head", model="theirs"))
    save_treatment(clinic, Treatment("t1", "p2", "drug", 1))
    save_exercise(clinic, ExerciseSession("e1", "p2", "nod", 1, 2))
    add_annotation(clinic, "p2", "note", 1, 2, body={}, author="owner", annotation_id="x1")
    assert carry(home, clinic, "calibrations") == 0, "a sensor that was lent stays theirs"
    for kind in ("treatments", "exercises", "annotations"):
        with pytest.raises(CatalogError, match="another patient"):
            carry(home, clinic, kind)
    for kind, key in (("treatments", ["t1"]), ("exercises", ["e1"])):
        with pytest.raises(CatalogError, match="another patient"):
            apply(clinic, "p1", kind, [], [key])
    assert clinic.devices(patient="p2")[0].model == "theirs"
    assert treatments(clinic, "p2")[0].kind == "drug"
    assert annotations(clinic, "p2")[0].kind == "note"


def test_one_bad_entry_leaves_nothing_of_its_request(home: Catalog, clinic: Catalog) -> None:
    fill(home)
    save_treatment(clinic, Treatment("t2", "p2", "drug", 1))
    good = entries(home, "p1", "treatments")[0]
    with pytest.raises(CatalogError):
        apply(clinic, "p1", "treatments", [good, {**good, "id": "t2"}])
    assert treatments(clinic, "p1") == []


def verdict(clinic: Catalog, name: str, **body: Any) -> None:
    add_annotation(clinic, "p1", "verdict", 5, 9, body=body, author="dr.k", annotation_id=name)


def test_the_clinics_word_comes_home_and_does_not_go_back(home: Catalog, clinic: Catalog) -> None:
    fill(home)
    carry(home, clinic, "annotations")
    before = clinic_version(clinic, "p1")
    verdict(clinic, "v1", accepted=True)
    add_annotation(clinic, "p1", "note", 5, 9, body={}, author="dr.k")
    clinic.set_setting(scope_of("p1"), "plan", {"turn": 3})
    assert clinic_version(clinic, "p1") != before
    words = written_by_clinic(clinic, "p1")
    assert [w["id"] for w in words] == ["v1"]
    assert take_from_clinic(home, "p1", {"plan": {"turn": 3}}, words) == 2
    assert take_from_clinic(home, "p1", {"plan": {"turn": 3}}, words) == 0
    found = {a.id: a.author for a in annotations(home, "p1")}
    assert found == {"x1": "owner", "v1": "clinic:dr.k"}
    assert [e["id"] for e in entries(home, "p1", "annotations")] == ["x1"]

    before = clinic_version(clinic, "p1")
    edit_annotation(clinic, "v1", author="dr.k", delete=True)
    assert clinic_version(clinic, "p1") != before
    take_from_clinic(home, "p1", {"plan": None}, written_by_clinic(clinic, "p1"))
    assert [a.id for a in annotations(home, "p1")] == ["x1"]
    assert home.setting(scope_of("p1"), "plan") is None


def test_a_home_cannot_change_a_verdict(home: Catalog, clinic: Catalog) -> None:
    verdict(clinic, "v1", accepted=False)
    (word,) = written_by_clinic(clinic, "p1")
    forged = {**word, "body": {"accepted": True}, "updated_ns": word["updated_ns"] + 1}
    with pytest.raises(CatalogError, match="other side"):
        apply(clinic, "p1", "annotations", [forged])
    with pytest.raises(CatalogError, match="other side"):
        apply(clinic, "p1", "annotations", [{**forged, "author": "home:owner"}])
    assert annotations(clinic, "p1")[0].body == {"accepted": False}


def test_pages_of_verdicts_hold_each_once(clinic: Catalog) -> None:
    for k in range(7):
        verdict(clinic, f"v{k}")
    found: list[str] = []
    while page := written_by_clinic(clinic, "p1", after=found[-1] if found else "", limit=3):
        found += [word["id"] for word in page]
    assert found == [f"v{k}" for k in range(7)]


def test_results_are_due_from_where_entries_make_them_wrong(home: Catalog, clinic: Catalog) -> None:
    fill(home)
    for kind in ("calibrations", "treatments", "exercises", "annotations"):
        carry(home, clinic, kind)
    assert take_due(clinic, "p1") is None
    carry(home, clinic, "spans")
    assert take_due(clinic, "p1") == 110
    carry(home, clinic, "wear_sessions")
    carry(home, clinic, "alignments")
    row = clinic.rows("SELECT value FROM setting WHERE key = 'due_ns'", {})
    assert row == [("90",)]


def test_another_zone_cuts_all_days_anew(home: Catalog, clinic: Catalog) -> None:
    assert carry(home, clinic, "zone") == 0
    assert take_due(clinic, "p1") is None
    home.save_patient(Patient("p1", "Sam", "Asia/Tokyo"))
    assert carry(home, clinic, "zone") == 1
    assert clinic.patient("p1").zone == "Asia/Tokyo"
    assert clinic.patient("p1").label == "", "names stay at home"
    assert take_due(clinic, "p1") == 0


def test_consent_of_both_sides_is_kept(home: Catalog, clinic: Catalog) -> None:
    record_consent(clinic, "p1", "research", given=True, version="paper 3", author="dr")
    record_consent(home, "p1", "research", given=False, version=WORDING, author="owner")
    assert carry(home, clinic, "consent") == 1
    assert [e.author for e in consent_history(clinic, "p1")] == ["dr", "owner"]
    assert is_withdrawn(clinic, "p1", "research")
    assert carry(home, clinic, "consent") == 0
