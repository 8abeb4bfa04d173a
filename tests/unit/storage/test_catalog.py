from dataclasses import replace
from pathlib import Path

import pytest

from storage.catalog import Catalog, Device, Patient, StoredAlignment
from storage.errors import CatalogError
from storage.notes import (
    ExerciseSession,
    Treatment,
    add_annotation,
    annotation_history,
    annotations,
    edit_annotation,
    exercises,
    remove_treatment,
    save_exercise,
    save_treatment,
    treatments,
)

P1 = Patient("p1", "Demo", "Europe/Berlin", settings={"units": "deg"})


def opened(folder: Path) -> Catalog:
    catalog = Catalog(folder)
    catalog.save_patient(P1)
    return catalog


def test_patients_are_kept_and_updated(tmp_path: Path) -> None:
    with opened(tmp_path) as catalog:
        created = catalog.patient("p1").created_ns
        catalog.save_patient(replace(P1, label="Anna", zone="UTC"))
        catalog.save_patient(Patient("p2", "Second", "Asia/Tokyo"))
    with Catalog(tmp_path) as catalog:
        first, second = catalog.patients()
        assert (first.label, first.zone, first.settings) == ("Anna", "UTC", {"units": "deg"})
        assert first.created_ns == created
        assert second.id == "p2"
        with pytest.raises(CatalogError, match="p3"):
            catalog.patient("p3")
        with pytest.raises(CatalogError):
            catalog.save_patient(Patient("", "x", "UTC"))


def test_devices_and_their_boot_counters(tmp_path: Path) -> None:
    with opened(tmp_path) as catalog:
        assert [catalog.next_boot("virtual-1") for _ in range(3)] == [1, 2, 3]
        catalog.save_device(Device("virtual-1", "p1", "head", calibration={"acc": [1.0]}))
        (device,) = catalog.devices(patient="p1")
        assert (device.boots, device.role, device.calibration) == (3, "head", {"acc": [1.0]})
        assert catalog.next_boot("virtual-1") == 4
        with pytest.raises(CatalogError):
            catalog.save_device(Device("d", "nobody", "head"))
        catalog.remove_device("virtual-1")
        assert catalog.devices() == []


def test_wear_sessions_end_when_the_next_begins(tmp_path: Path) -> None:
    with opened(tmp_path) as catalog:
        first = catalog.start_wear("p1", 1000, alignment_id="a")
        second = catalog.start_wear("p1", 5000, detail={"why": "calibration"})
        catalog.set_wear_alignment(second, "b")
        catalog.end_wear(second, 9000)
        found = catalog.wear_sessions("p1")
        assert [(s.id, s.start_ns, s.end_ns, s.alignment_id) for s in found] == [
            (first, 1000, 5000, "a"),
            (second, 5000, 9000, "b"),
        ]
        assert [s.id for s in catalog.wear_sessions("p1", 5000, 6000)] == [second]
        with pytest.raises(CatalogError):
            catalog.start_wear("nobody", 0)


def test_the_calibration_in_force_is_found(tmp_path: Path) -> None:
    with opened(tmp_path) as catalog:
        for k, since in enumerate((100, 300)):
            catalog.save_alignment(StoredAlignment("p1", f"al{k}", "n", since, {"q": [1, 0, 0, k]}))
        assert catalog.alignment_at("p1", 50) is None
        before, after = catalog.alignment_at("p1", 299), catalog.alignment_at("p1", 300)
        assert before is not None
        assert after is not None
        assert (before.id, after.id, after.body) == ("al0", "al1", {"q": [1, 0, 0, 1]})


def test_spans_are_found_by_time_and_kind(tmp_path: Path) -> None:
    with opened(tmp_path) as catalog:
        pose = catalog.add_span("p1", "neutral_pose", 100, 200, sigma_deg=2.0)
        nod = catalog.add_span("p1", "nod", 200, 300, detail={"n": 5})
        assert [s.id for s in catalog.spans("p1")] == [pose, nod]
        assert [s.id for s in catalog.spans("p1", 100, 200)] == [pose]
        (found,) = catalog.spans("p1", kind="nod")
        assert (found.detail, found.sigma_deg) == ({"n": 5}, None)
        catalog.remove_span(nod)
        assert catalog.spans("p1", kind="nod") == []
        later = catalog.add_span("p1", "midline_pose", 400, 500)
        catalog.add_span("p1", "pose", 350, 351)
        first, second = catalog.next_pose("p1", 99), catalog.next_pose("p1", 100)
        assert first is not None and second is not None
        assert (first.id, second.id) == (pose, later)
        assert catalog.next_pose("p1", 400) is None
        with pytest.raises(CatalogError, match="before it starts"):
            catalog.add_span("p1", "x", 5, 4)


def test_settings_and_audit(tmp_path: Path) -> None:
    with opened(tmp_path) as catalog:
        assert catalog.setting("live", "rate") is None
        catalog.set_setting("live", "rate", {"hz": 50})
        catalog.set_setting("live", "rate", {"hz": 100})
        catalog.set_setting("other", "rate", 1)
        assert catalog.settings("live") == {"rate": {"hz": 100}}
        catalog.audit("anna", "export", "p1", {"rows": 5})
        ((_, actor, action, subject, detail),) = catalog.audit_log()
        assert (actor, action, subject, detail) == ("anna", "export", "p1", {"rows": 5})


def test_annotations_keep_their_history(tmp_path: Path) -> None:
    with opened(tmp_path) as catalog:
        made = add_annotation(catalog, "p1", "verdict", 100, 200, body={"spasm": True}, author="dr")
        assert annotations(catalog, "p1") == [made]
        assert annotations(catalog, "p1", 201) == []
        assert annotations(catalog, "p1", kind="note") == []
        changed = edit_annotation(catalog, made.id, author="anna", body={"spasm": False})
        assert (changed.body, changed.author, changed.start_ns) == ({"spasm": False}, "dr", 100)
        edit_annotation(catalog, made.id, author="anna", delete=True)
        assert annotations(catalog, "p1") == []
        history = annotation_history(catalog, made.id)
        assert [(h.author, h.before["body"]) for h in history] == [
            ("anna", {"spasm": True}),
            ("anna", {"spasm": False}),
        ]
        with pytest.raises(CatalogError):
            edit_annotation(catalog, made.id, author="x")
        with pytest.raises(CatalogError):
            add_annotation(catalog, "p1", "note", 5, 4, body={}, author="x")


def test_treatments_and_exercises(tmp_path: Path) -> None:
    with opened(tmp_path) as catalog:
        injection = Treatment("t1", "p1", "botulinum", 500, {"units": 100})
        save_treatment(catalog, injection)
        save_treatment(catalog, replace(injection, at_ns=600))
        save_treatment(catalog, replace(injection, id="t0", at_ns=100))
        assert [(t.id, t.at_ns) for t in treatments(catalog, "p1")] == [("t0", 100), ("t1", 600)]
        remove_treatment(catalog, "t0")
        assert [t.body for t in treatments(catalog, "p1")] == [{"units": 100}]
        session = ExerciseSession("e1", "p1", "rotation", 10, 20, {"repetitions": 8})
        save_exercise(catalog, session)
        assert exercises(catalog, "p1", 0, 11) == [session]
        assert exercises(catalog, "p1", 11, 99) == []
        with pytest.raises(CatalogError):
            save_exercise(catalog, replace(session, patient="nobody"))
