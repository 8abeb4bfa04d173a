"""Another unit in the place of one: the session ends, its priors with it, the person's N stays."""

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from api.alignments import alignment_body, alignment_of, latest_alignment
from api.guided.pairing import keep_paired
from api.guided.references import KEY, stored_references
from api.hub.resumption import session_so_far
from api.hub.worn import worn_units
from ingest.priors import unit_params
from ingest.reprocess_wear import wear_detail, wears
from processing.pipeline import PipelineParams, Setup
from storage.catalog import Catalog, Device, Patient, StoredAlignment
from storage.embedded import EmbeddedStore
from storage.record import RecordReader
from tests.support.collecting import plain_setup
from tests.support.results import T0_NS
from tests.unit.ingest.units import record_units

NOISY: dict[str, Any] = {"gyro_noise_dps": 0.2, "rate_hz": 100.0}
OLD = Device("movesense-1", "p1", "head", "A", "Movesense MD", NOISY)
TRUNK = Device("movesense-2", "p1", "trunk", "B", "Movesense MD")
REFERENCES = {"rotations": {"midline_pose": [1.0, 0.0, 0.0, 0.0]}, "sigma_deg": {}}


@pytest.fixture
def worn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two units, calibrated and worn, before another one was paired."""
    monkeypatch.setattr("api.guided.pairing.time.time_ns", lambda: T0_NS)
    alignment = plain_setup().alignment
    setup = Setup(alignment, head_sensor=unit_params(OLD.id, OLD.model, OLD.calibration))
    body = alignment_body(alignment) | {"quality": "good", "warnings": (), KEY: REFERENCES}
    with Catalog(tmp_path) as catalog:
        catalog.save_patient(Patient("p1", "", "UTC"))
        for device in (OLD, TRUNK):
            catalog.save_device(device)
        since_ns = T0_NS - 3600 * 10**9
        catalog.save_alignment(StoredAlignment("p1", alignment.id, alignment.n_id, since_ns, body))
        detail = wear_detail(setup, (), since_ns)
        catalog.start_wear("p1", since_ns, alignment_id=alignment.id, detail=detail)
    return tmp_path


def test_the_new_unit_begins_without_what_was_known_of_the_old_one(worn: Path) -> None:
    new = Device("dot-9", "p1", "head", "C", "Movella DOT")
    with Catalog(worn) as catalog:
        keep_paired(catalog, new)
        (session,) = catalog.wear_sessions("p1")
        found = latest_alignment(catalog, "p1")
        references = stored_references(catalog, "p1")
        roles = {device.id: device.role for device in catalog.devices()}
    assert roles == {"movesense-1": None, "movesense-2": "trunk", "dot-9": "head"}
    assert session.end_ns == T0_NS
    assert (found.quality, found.n_id) == ("low", plain_setup().alignment.n_id)
    assert "Another sensor is worn on the head" in found.warnings[0]
    assert references is not None
    assert "midline_pose" in references.rotations, "what the person showed is not asked for again"
    # recorded from then on, whatever `up` or `reprocess` go by
    record_units(worn, {"head": (new.id, new.model, {}), "trunk": (TRUNK.id, TRUNK.model, {})})
    with (
        Catalog(worn) as catalog,
        RecordReader(worn) as record,
        closing(EmbeddedStore(worn)) as store,
    ):
        live, _ = session_so_far(
            catalog,
            record,
            store,
            "p1",
            PipelineParams(),
            head_only=False,
            units=worn_units(catalog, record, catalog.patient("p1")),
            now_ns=T0_NS + 10**9,
        )
        made = wears(catalog, record, "p1", alignment_of=alignment_of, uncalibrated=found)[-1]
    expected = unit_params(new.id, new.model, {})
    assert live.head_sensor == made.setup.head_sensor == expected
    assert expected != unit_params(OLD.id, OLD.model, OLD.calibration)
    assert live.alignment.id == made.setup.alignment.id == found.id
    np.testing.assert_array_equal(live.alignment.neutral_q, plain_setup().alignment.neutral_q)


def test_pairing_the_same_units_again_changes_nothing(worn: Path) -> None:
    with Catalog(worn) as catalog:
        for device in (OLD, TRUNK):
            keep_paired(catalog, Device(device.id, "p1", device.role, "Z", device.model))
        (session,) = catalog.wear_sessions("p1")
        kept = {device.id: device.calibration for device in catalog.devices()}
        assert latest_alignment(catalog, "p1").quality == "good"
    assert session.end_ns is None
    assert kept[OLD.id] == NOISY


def test_units_that_change_places_end_the_session_too(worn: Path) -> None:
    with Catalog(worn) as catalog:
        for device, role in ((OLD, "trunk"), (TRUNK, "head")):
            keep_paired(catalog, Device(device.id, "p1", role, device.address, device.model))
        (session,) = catalog.wear_sessions("p1")
        roles = {device.role: device.id for device in catalog.devices()}
        quality = latest_alignment(catalog, "p1").quality
    assert session.end_ns is not None
    assert roles == {"head": TRUNK.id, "trunk": OLD.id}
    assert quality == "low"
