"""Recording at home: paired sensors only, a calibration asked for step by step, and kept."""

import asyncio
import os
import signal
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from api.alignments import PICTURED, alignment_body, alignment_of, latest_alignment, mounted_as
from api.errors import ApiError
from api.guided.pairing import keep_paired
from api.hub.calibration import READY_S, SETTLE_S, STEPS, guide, keep_calibration, verdict
from api.hub.pairing import first_patient
from api.hub.up import run_up
from api.hub.worn import has_angles_of_trunk, paired_wishes, units_to_calibrate
from api.settings import load_settings
from ingest.errors import UnknownSensorError
from ingest.sources.simulated import SimulatedTransport
from ingest.sources.virtual_body import BodySpec, VirtualBody
from ingest.warm_up import compile_chain
from processing.alignment import ReferencePoses
from processing.pipeline import PipelineParams, Setup
from processing.session import Plan
from processing.types import Span
from storage.catalog import Catalog, Device, Patient
from storage.record import RecordReader

pytestmark = pytest.mark.slow

PATIENT = Patient("p1", "Sam", "Europe/Berlin")
ALIGNMENT = mounted_as(PICTURED, PICTURED, "rough")


class FakeCollector:
    """Counts seconds of sleep as time and remembers what it was asked to calibrate by."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.spec = SimpleNamespace(setup=Setup(ALIGNMENT))
        self.spans: list[Span] = []

    def now_utc_ns(self) -> int:
        return int(self.now_s * 1e9)

    async def calibrate(self, spans: list[Span]) -> Plan:
        self.spans = spans
        return Plan(
            setup=Setup(replace(ALIGNMENT, id="new", quality="good")),
            resets=(),
            facing=None,
            excluded=(),
            warnings=(),
            references=ReferencePoses({}, {}, None, 0, None),
        )

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def catalog(tmp_path: Path) -> Any:
    with Catalog(tmp_path) as made:
        made.save_patient(PATIENT)
        yield made


async def test_the_guide_asks_in_order_and_leaves_time(catalog: Catalog) -> None:
    collector = FakeCollector()
    said: list[str] = []
    done = await guide(collector, said.append, sleep=collector.sleep)  # type: ignore[arg-type]  # a fake
    assert [span.kind for span in done.spans] == ["neutral_pose", "nod", "shake", "trunk_bow"]
    assert [(s.end_ns - s.start_ns) / 1e9 for s in done.spans] == [s.seconds for s in STEPS]
    assert done.spans[0].start_ns == int((1000.0 + READY_S) * 1e9)
    assert collector.spans == list(done.spans)
    assert collector.now_s >= done.spans[-1].end_ns / 1e9 + SETTLE_S
    assert sum(line.startswith("Step") for line in said) == 4

    alignment = done.plan.setup.alignment
    keep_calibration(catalog, "p1", alignment, done.spans, done.detail)
    assert latest_alignment(catalog, "p1").id == "new"
    assert [s.kind for s in catalog.spans("p1")] == [s.kind for s in done.spans]
    (session,) = catalog.wear_sessions("p1")
    assert session.alignment_id == "new"
    assert session.detail["since_ns"] < done.spans[0].start_ns
    assert verdict(alignment).startswith("The calibration is good.")


def test_alignments_survive_being_kept() -> None:
    again = alignment_of(alignment_body(ALIGNMENT))
    np.testing.assert_array_equal(again.q_head_segment_sensor, ALIGNMENT.q_head_segment_sensor)
    assert again.warnings == ("rough",)
    assert again.quality == "low"


def test_without_a_calibration_it_says_so(catalog: Catalog) -> None:
    assert "Not calibrated" in latest_alignment(catalog, "p1").warnings[0]


def test_only_paired_sensors_are_used(catalog: Catalog) -> None:
    with pytest.raises(ApiError, match="necktrace pair"):
        paired_wishes(catalog, PATIENT)
    catalog.save_device(Device("h", "p1", "head", address="AA"))
    assert set(paired_wishes(catalog, PATIENT)) == {"head"}
    catalog.save_device(Device("t", "p1", "trunk", address="BB"))
    assert paired_wishes(catalog, PATIENT)["trunk"].device_id == "t"


def test_a_unit_is_told_when_its_calibration_is_due(catalog: Catalog) -> None:
    day_ns = 86_400 * 10**9
    catalog.save_device(Device("h", "p1", "head", calibration={"at_ns": 1000 * day_ns}))
    catalog.save_device(Device("t", "p1", "trunk"))
    catalog.save_device(Device("old", None, None))
    (trunk,) = units_to_calibrate(catalog, PATIENT, 1100 * day_ns)
    assert "on the trunk was never calibrated" in trunk
    assert "calibrate device t" in trunk
    head, _ = units_to_calibrate(catalog, PATIENT, 1181 * day_ns)
    assert "on the head is due again" in head


async def test_up_records_what_paired_sensors_send(tmp_path: Path) -> None:
    compile_chain(PipelineParams(), Setup(ALIGNMENT))  # else the end waits for the compiler
    body = VirtualBody(BodySpec(seed=5))
    with Catalog(tmp_path) as catalog:
        catalog.save_patient(PATIENT)
        for role in ("head", "trunk"):
            device = f"v1-{body.worn[role].sensor.model.device_id.hex()}"
            catalog.save_device(Device(device, "p1", role))
    settings = load_settings(data_dir=tmp_path, port=0)
    said: list[str] = []
    task = asyncio.create_task(
        run_up(settings, SimulatedTransport(body), said.append, calibrate=False, browser=False)
    )
    for _ in range(200):
        await asyncio.sleep(0.05)
        if min(worn.taken for worn in body.worn.values()) > 150 or task.done():
            break
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(task, 30)
    with RecordReader(tmp_path) as reader:
        streams = reader.streams(patient="p1", kind="imu")
    assert {stream.info.role for stream in streams} == {"head", "trunk"}
    assert all(stream.samples > 100 for stream in streams)
    assert said[0].startswith("necktrace: http://127.0.0.1:")


def test_a_trunk_sensor_without_gyroscope_leaves_the_head_to_itself(tmp_path: Path) -> None:
    with Catalog(tmp_path) as catalog:
        patient = first_patient(catalog, "UTC")
        h10 = Device("polar-12345678", patient.id, "trunk", model="Polar H10")
        assert not has_angles_of_trunk(catalog, patient)
        keep_paired(catalog, h10)
        assert not has_angles_of_trunk(catalog, patient)
        keep_paired(catalog, Device("movesense-1", patient.id, "trunk", model="Movesense MD"))
        assert has_angles_of_trunk(catalog, patient)
        with pytest.raises(UnknownSensorError, match="Polar H10 has no gyroscope"):
            keep_paired(catalog, replace(h10, role="head"))
        assert {d.id: d.role for d in catalog.devices()}["polar-12345678"] is None
