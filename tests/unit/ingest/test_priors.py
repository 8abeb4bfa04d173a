"""A unit's own calibration overrules its model; what nobody knows stays unknown."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from api.hub.worn import worn_units
from firmware_protocol.devices import descriptions
from firmware_protocol.devices.descriptions import DESCRIPTIONS
from ingest.day_provenance import day_provenance
from ingest.drivers.catalogue import SUPPORTED
from ingest.open_record import open_record
from ingest.poses import PoseReset
from ingest.priors import DELAY_SIGMA_S, SensorPriors, priors_of, unit_params
from ingest.reprocess_wear import pose_detail, wear_detail, wears
from processing import pipeline
from processing.orientation import SensorParams
from processing.orientation.layout import BI, BIAS, LE, LEAD, N_ERROR
from processing.pipeline import PipelineParams
from processing.types import HeadingReset
from storage.catalog import Catalog, Device, Patient
from storage.record import RecordReader
from tests.support.collecting import plain_setup
from tests.support.results import T0_NS
from tests.unit.ingest.units import record_units

CALIBRATION: dict[str, Any] = {
    "acc_offset_sigma_ms2": [0.01, 0.04, 0.02],
    "gyr_offset_rads": [0.0, 0.01, -0.01],
    "gyr_offset_sigma_rads": [0.0, 0.001, 0.002],
    "gyr_gain_sigma": 0.0,
    "gyro_noise_dps": 0.05,
    "rate_hz": 25.0,
}


def test_the_model_tells_what_the_unit_does_not() -> None:
    dot = priors_of("dot-d422cd001122", "Movella DOT", 60.0, {})
    assert dot.gyr_noise_dps == pytest.approx(0.007 * 30**0.5)
    assert dot.acc_noise_ms2 == pytest.approx(120e-6 * 9.80665 * 30**0.5)
    assert dot.gyr_delay_us is None
    measured = priors_of("dot-d422cd001122", "Movella DOT", 60.0, {"gyro_noise_dps": 0.09})
    assert measured.gyr_noise_dps == 0.09
    assert measured.acc_noise_ms2 == dot.acc_noise_ms2


def test_models_of_one_driver_are_told_apart() -> None:
    assert not priors_of("polar-1", "Polar H10", 100.0, {}).has_gyr
    assert priors_of("polar-1", "Polar Sense", 52.0, {}).has_gyr
    assert priors_of("capture2go-a", "Capture2Go", 100.0, {}).removes_gyr_bias


def test_of_a_stranger_only_its_calibration_is_known() -> None:
    assert priors_of("imported-7", "", 100.0, {}) == SensorPriors()
    known = priors_of("imported-7", "", 100.0, {"gyro_noise_dps": 0.05})
    assert known == SensorPriors(gyr_noise_dps=0.05)


def test_what_a_unit_says_of_itself_overrules_its_model_and_not_its_calibration() -> None:
    said = {"gyr_noise_dps_rthz": 0.01, "gyr_delay_us": 1500}
    known = priors_of("v1-7", "", 50.0, {}, said)
    assert known.gyr_noise_dps == pytest.approx(0.05)
    assert known.gyr_delay_us == 1500
    filtered = known.for_filter()
    assert filtered is not None
    assert filtered.acc_lead_s == pytest.approx(0.0015)
    assert priors_of("v1-7", "", 50.0, {"gyro_noise_dps": 0.2}, said).gyr_noise_dps == 0.2


def test_a_day_names_the_units_worn_and_what_was_known_of_them(tmp_path: Path) -> None:
    known = CALIBRATION | {"at_ns": 77}
    record_units(tmp_path, {"head": ("dot-1", "Movella DOT", known), "trunk": ("v1-2", "", {})})
    with RecordReader(tmp_path) as reader:
        day = datetime.fromtimestamp(T0_NS // 10**9, UTC).date()
        row = day_provenance(reader, "p1", "UTC", day, ["a", "a"], "live")
        head, trunk = row.notes["units"]
        nobody = day_provenance(reader, "p1", "UTC", day - timedelta(days=1), [], "live")
    assert (row.alignment_ids, row.notes["made"]) == (("a",), "live")
    assert (head["role"], head["unit"], head["calibrated_at_ns"]) == ("head", "dot-1", 77)
    assert head["gyr_noise_dps"] == pytest.approx(0.1)
    assert trunk["unit"] == "v1-2"
    assert not {"calibrated_at_ns", "gyr_noise_dps"} & set(trunk)
    assert nobody.notes["units"] == []


def test_every_description_belongs_to_a_driver() -> None:
    assert {d.driver for d in DESCRIPTIONS.values()} == {e.name for e in SUPPORTED.entries}


def test_a_calibrated_unit_is_known_as_well_as_it_was_measured_and_stays() -> None:
    known = unit_params("v1-7", "", CALIBRATION)
    assert known is not None
    assert known.gyro_noise_dps == pytest.approx(0.1), "noise grows with the root of the rate"
    assert known.offset_sigma_ms2 == pytest.approx(0.05)
    assert known.bias_sigma_dps == pytest.approx(np.hypot(np.degrees(0.002), 0.25))
    assert known.gain_sigma == pytest.approx(0.001)
    assert known.removed_bias_dps == pytest.approx((0.0, np.degrees(0.01), -np.degrees(0.01)))
    assert known.bias_dps == (0.0, 0.0, 0.0), "it is taken out of the samples, not again"
    steps = unit_params("capture2go-a", "Capture2Go", CALIBRATION)
    assert steps is not None
    assert steps.bias_sigma_dps == SensorParams().bias_sigma_dps, "the firmware moves its bias"
    assert unit_params("imported-7", "", {}) is None


def test_a_known_delay_and_bias_are_where_the_filter_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow = replace(descriptions.MOVELLA_DOT, gyr_delay_us=4000)
    monkeypatch.setattr("ingest.priors.describe", lambda *_: slow)
    head = unit_params("dot-1", "Movella DOT", {})
    assert head is not None
    assert head.acc_lead_s == 0.004
    setup = replace(
        plain_setup(), head_sensor=head, trunk_sensor=SensorParams(bias_dps=(0.3, 0.0, -0.3))
    )
    params = PipelineParams()
    filter_state = pipeline.start(params, setup).orientation
    plain = pipeline.start(params, plain_setup()).orientation
    assert filter_state.x[0, LEAD] - plain.x[0, LEAD] == pytest.approx(0.004)
    assert filter_state.P[LE, LE] == pytest.approx(DELAY_SIGMA_S**2)
    assert np.degrees(filter_state.x[1, BIAS : BIAS + 3]) == pytest.approx([0.3, 0.0, -0.3])
    assert filter_state.P[N_ERROR + BI, N_ERROR + BI] == plain.P[N_ERROR + BI, N_ERROR + BI]


def test_live_reprocessing_and_batch_take_the_same(tmp_path: Path) -> None:
    record_units(
        tmp_path, {"head": ("dot-1", "Movella DOT", CALIBRATION), "trunk": ("v1-2", "", {})}
    )
    alignment = plain_setup().alignment
    with Catalog(tmp_path) as catalog, RecordReader(tmp_path) as reader:
        patient = Patient("p1", "", "UTC")
        catalog.save_patient(patient)
        catalog.save_device(Device("dot-1", "p1", "head", "A", "Movella DOT", CALIBRATION))
        catalog.save_device(Device("v1-2", "p1", "trunk", "B"))
        (found,) = wears(
            catalog, reader, "p1", alignment_of=lambda _: alignment, uncalibrated=alignment
        )
        live = worn_units(catalog, reader, patient)
    assert set(live) == {"head"}
    assert (
        found.setup.head_sensor == live["head"] == unit_params("dot-1", "Movella DOT", CALIBRATION)
    )
    assert found.setup.trunk_sensor is None
    assert open_record(tmp_path).units == live


def test_poses_that_an_older_program_kept_are_read(tmp_path: Path) -> None:
    q = np.array([1.0, 0.0, 0.0, 0.0])
    kept = (HeadingReset(200, 700, q, 2.0), HeadingReset(900, 1200, q, 3.0, True, 20.0))
    detail = json.loads(json.dumps(wear_detail(plain_setup(), kept, 0)))
    old = detail["resets"]["__tuple__"][0]
    del old["own_value"], old["shared_sigma_deg"]
    with Catalog(tmp_path) as catalog, RecordReader(tmp_path) as reader:
        catalog.save_patient(Patient("p1", "", "UTC"))
        catalog.start_wear("p1", 0, detail=detail)
        pose = PoseReset(10**9, 2 * 10**9, q, 3.0, True)
        for made in (pose_detail(pose), {"q_th_ref": q.tolist()}):
            catalog.add_span("p1", "midline_pose", 10**9, 2 * 10**9, sigma_deg=3.0, detail=made)
        (found,) = wears(
            catalog,
            reader,
            "p1",
            alignment_of=lambda _: plain_setup().alignment,
            uncalibrated=plain_setup().alignment,
        )
    first, second = found.first_resets
    assert (first.own_value, first.shared_sigma_deg) == (False, None)
    assert (second.own_value, second.shared_sigma_deg) == (True, 20.0)
    assert [reset.own_value for reset in found.resets] == [True, False]


def test_a_session_of_an_older_program_goes_by_the_parameters(tmp_path: Path) -> None:
    record_units(tmp_path, {"head": ("dot-1", "Movella DOT", {}), "trunk": ("dot-2", "", {})})
    detail = json.loads(json.dumps(wear_detail(plain_setup(), (), 0)))
    del detail["setup"]["head_sensor"], detail["setup"]["trunk_sensor"]
    with Catalog(tmp_path) as catalog, RecordReader(tmp_path) as reader:
        catalog.save_patient(Patient("p1", "", "UTC"))
        catalog.start_wear("p1", 0, detail=detail)
        (found,) = wears(
            catalog,
            reader,
            "p1",
            alignment_of=lambda _: plain_setup().alignment,
            uncalibrated=plain_setup().alignment,
        )
    assert found.setup.head_sensor is None
