"""Reprocessing gives exactly what live gave, and uses what live did not have."""

import asyncio
import dataclasses
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from api.alignments import alignment_body
from api.demo.live import HOLD_NS
from api.hub.calibration import keep_calibration
from api.hub.resumption import session_so_far
from firmware_protocol.definition import MAG_MISSING, Feature
from firmware_protocol.device.model import SensorModel
from firmware_protocol.device.sensor import VirtualSensor
from ingest.calibrating import MARGIN_S
from ingest.live import Role
from ingest.poses import PoseReset
from ingest.reprocess_wear import pose_detail, wear_detail
from ingest.sources import virtual_body
from ingest.sources.virtual_body import BodySpec
from processing.alignment.references import sensor_rotation
from processing.orientation.field import SUMS, close_look
from processing.pipeline import PipelineParams
from processing.types import FloatArray, Span
from storage.catalog import Catalog, Patient, StoredAlignment
from storage.embedded import EmbeddedStore
from storage.record import RecordReader
from tests.integration.collector.test_kill import run_and_kill
from tests.support.collecting import Rig, collecting, plain_setup
from tests.support.reprocessing import again, results
from tests.support.worn_record import PATIENT, ZONE

ALGO = PipelineParams().algorithm_id
SECOND_NS = 1_000_000_000


def begin_wear(folder: Path) -> None:
    """Enter the patient, and a session with the setup that the collector begins with."""
    with Catalog(folder) as catalog:
        catalog.save_patient(Patient(PATIENT, "", ZONE))
        catalog.start_wear(PATIENT, 0, detail=wear_detail(plain_setup(), (), 0))


async def test_the_same_samples_give_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # on a busy machine a sensor would seem silent, and live would go on without it
    monkeypatch.setattr("ingest.horizon.HORIZON_S", 60.0)
    begin_wear(tmp_path)
    store = EmbeddedStore(tmp_path)
    async with collecting(tmp_path, speed=4.0, store=store) as rig:
        await rig.until_taken(2500)
    store.close()
    report = await asyncio.to_thread(again, tmp_path)
    live, made = results(tmp_path, ALGO), results(tmp_path, report["version"])
    assert len(live["t_ns"]) >= 20
    assert len(live["minutes"]) >= 1
    assert live["full_rate"]
    for kind in ("t_ns", "angles", "full_rate", "minutes", "episodes", "cells"):
        assert made[kind] == live[kind], kind


UNIT: dict[str, Any] = {
    "acc_matrix": np.diag([1.01, 0.995, 1.004]).tolist(),
    "acc_offset_ms2": [0.15, -0.2, 0.1],
    "gyr_matrix": np.eye(3).tolist(),
    "gyr_offset_rads": [0.01, -0.015, 0.005],
    "gyr_offset_sigma_rads": [1e-4, 1e-4, 1e-4],
    "temperature": {"slope_rads_k": [4e-4, -2e-4, 1e-4], "at_degc": 22.0},
}


async def test_what_is_known_of_a_unit_corrects_both_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.horizon.HORIZON_S", 60.0)
    begin_wear(tmp_path)
    store = EmbeddedStore(tmp_path)
    async with collecting(tmp_path, speed=4.0, store=store, calibration_of=lambda _: UNIT) as rig:
        await rig.until_taken(1200)
    store.close()
    report = await asyncio.to_thread(again, tmp_path)
    live, made = results(tmp_path, ALGO), results(tmp_path, report["version"])
    assert len(live["t_ns"]) >= 8
    for kind in ("t_ns", "angles", "full_rate", "minutes"):
        assert made[kind] == live[kind], kind
    with RecordReader(tmp_path) as reader:
        kept = [stream.info.calibration for stream in reader.streams(kind="imu")]
    assert kept == [UNIT, UNIT]


async def test_a_magnetometer_on_both_counts_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.horizon.HORIZON_S", 60.0)
    model, push = virtual_body._model, VirtualSensor.push_samples

    def with_magnetometer(role: Role, spec: BodySpec) -> SensorModel:
        made = model(role, spec)
        return dataclasses.replace(made, features=made.features | Feature.MAG)

    def push_with_field(
        self: VirtualSensor,
        counts: NDArray[np.int16],
        device_us: NDArray[np.uint64],
        *,
        flags: int = 0,
    ) -> None:
        field = np.tile(np.array([133, 67, -267], dtype=np.int16), (counts.shape[0], 1))
        field[::3] = MAG_MISSING
        push(self, np.hstack((counts, field)), device_us, flags=flags)

    monkeypatch.setattr(virtual_body, "_model", with_magnetometer)
    monkeypatch.setattr(VirtualSensor, "push_samples", push_with_field)
    looked: list[float] = []

    def looking(field: FloatArray) -> None:
        looked.append(float(field[SUMS]))
        close_look(field)

    monkeypatch.setattr("processing.orientation.pair.close_look", looking)
    begin_wear(tmp_path)
    store = EmbeddedStore(tmp_path)
    async with collecting(tmp_path, speed=4.0, store=store) as rig:
        await rig.until_taken(3600)
    store.close()
    live_looks, looked[:] = looked[:], []
    report = await asyncio.to_thread(again, tmp_path)
    live, made = results(tmp_path, ALGO), results(tmp_path, report["version"])
    assert len(live["t_ns"]) >= 20
    for kind in ("t_ns", "angles", "full_rate", "minutes"):
        assert made[kind] == live[kind], kind
    assert live_looks and max(live_looks) > 100.0
    assert looked[: len(live_looks)] == live_looks


async def test_a_new_calibration_of_a_unit_counts_from_that_of_the_posture_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.horizon.HORIZON_S", 60.0)
    begin_wear(tmp_path)
    store = EmbeddedStore(tmp_path)
    found: dict[str, Any] = {}
    async with collecting(tmp_path, speed=4.0, store=store, calibration_of=lambda _: found) as rig:
        await rig.until_taken(1300)
        found.update(UNIT)
        collector = rig.collector
        neutral = rig.body.spans(collector.utc_offset_ns)[0]
        held = dataclasses.replace(neutral, start_ns=neutral.start_ns + HOLD_NS)
        plan = await collector.calibrate([held])
        until_ns = collector.now_utc_ns()
        with Catalog(tmp_path) as catalog:
            since_ns = held.start_ns - round(MARGIN_S * 1e9)
            detail = wear_detail(plan.setup, plan.resets, since_ns, until_ns)
            keep_calibration(catalog, PATIENT, plan.setup.alignment, [held], detail)
        await rig.until_taken(2600)
    store.close()
    for sensor in (plan.setup.head_sensor, plan.setup.trunk_sensor):
        assert sensor is not None
        assert sensor.removed_bias_dps == pytest.approx(np.degrees(UNIT["gyr_offset_rads"]))
    with RecordReader(tmp_path) as reader:
        assert [s.info.calibration for s in reader.streams(kind="imu")] == [UNIT, UNIT]
    report = await asyncio.to_thread(again, tmp_path)
    store = EmbeddedStore(tmp_path)
    live = store.angles(PATIENT, until_ns, 2**62, algo=ALGO)
    made = store.angles(PATIENT, until_ns, 2**62, algo=report["version"])
    store.close()
    assert len(live.t_ns) >= 8
    np.testing.assert_array_equal(made.t_ns, live.t_ns)
    np.testing.assert_array_equal(made.values, live.values)


def caught_up(rig: Rig) -> bool:
    """Whether the chain has gone through the record so far and what came meanwhile."""
    health = rig.collector.health
    return health is not None and health.worker.behind_s < 1.0


@pytest.mark.slow
async def test_a_killed_collector_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.horizon.HORIZON_S", 60.0)
    begin_wear(tmp_path)
    with Catalog(tmp_path) as catalog:
        plain = plain_setup().alignment
        catalog.save_alignment(
            StoredAlignment(PATIENT, plain.id, plain.n_id, 0, alignment_body(plain))
        )
    store = EmbeddedStore(tmp_path)

    def has_results() -> bool:
        return store.angles(PATIENT, 0, 2**62).t_ns.size >= 5

    await asyncio.to_thread(run_and_kill, tmp_path, committed_at_least=1000, ready=has_results)
    before = store.angles(PATIENT, 0, 2**62)
    with Catalog(tmp_path) as catalog, RecordReader(tmp_path) as record:
        setup, resume = session_so_far(
            catalog,
            record,
            store,
            PATIENT,
            PipelineParams(),
            head_only=False,
            units={},
            now_ns=time.time_ns(),
        )
    assert resume is not None
    assert setup is resume.wear.setup
    assert setup.alignment.id == plain_setup().alignment.id
    async with collecting(tmp_path, store=store, boots=(2, 2), resume=resume) as rig:
        await rig.until_taken(700)
        await rig.frame_where(lambda _: caught_up(rig), timeout_s=120.0)
    store.close()
    report = await asyncio.to_thread(again, tmp_path)
    assert report["sessions"] == 1
    live, made = results(tmp_path, ALGO), results(tmp_path, report["version"])
    assert set(before.t_ns) <= set(live["t_ns"])
    assert live["t_ns"][-1] >= before.t_ns[-1] + 5 * SECOND_NS
    for kind in ("t_ns", "angles", "full_rate", "minutes", "episodes", "cells"):
        assert made[kind] == live[kind], kind


async def test_a_running_collector_goes_on_in_the_new_version(tmp_path: Path) -> None:
    begin_wear(tmp_path)
    store = EmbeddedStore(tmp_path)
    async with collecting(tmp_path, speed=4.0, store=store) as rig:
        await rig.until_taken(1200)
        report = await asyncio.to_thread(again, tmp_path)
        await rig.until_taken(rig.taken("head") + 1200)
    store.close()
    old, new = results(tmp_path, ALGO), results(tmp_path)
    assert report["version"] == f"{ALGO}.2"
    assert new["t_ns"][0] == old["t_ns"][0]
    assert new["t_ns"][-1] >= old["t_ns"][-1] + 5 * SECOND_NS, "live writes to the new version"
    assert (np.diff(new["t_ns"]) == SECOND_NS).all(), "without a hole at the switch"
    assert sum(minute.values["recorded_s"] for minute in new["minutes"]) >= 20.0


async def test_samples_fetched_later_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a link is away for a second at least: on a quick machine live would else wait for its samples
    monkeypatch.setattr("ingest.horizon.HORIZON_S", 0.8)
    begin_wear(tmp_path)
    store = EmbeddedStore(tmp_path)
    async with collecting(tmp_path, speed=3.0, store=store) as rig:
        await rig.until_taken(600)
        rig.transport.drop_link("head")
        await rig.frame_where(lambda f: f.head.link_state == "backoff")
        await rig.frame_where(lambda f: f.head.missing == 0 and f.head.backfilled > 0)
        await rig.until_taken(1800)
    store.close()
    report = await asyncio.to_thread(again, tmp_path)
    assert report["samples"] > 2 * 1700
    store = EmbeddedStore(tmp_path)
    live = store.angles(PATIENT, 0, 2**62, algo=ALGO)
    made = store.angles(PATIENT, 0, 2**62, algo=report["version"])
    store.close()
    inner = made.column("valid")[1:-1]
    assert (inner > 0.98).all(), "nothing is missing any more"
    assert live.column("valid").sum() < made.column("valid").sum() - 0.05
    # before the link was lost both had the same
    assert np.array_equal(made.t_ns[:4], live.t_ns[:4])
    assert np.array_equal(made.values[:4], live.values[:4], equal_nan=True)


@pytest.mark.slow
async def test_a_calibration_and_a_later_pose_are_taken_as_live_took_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # on a busy machine a sensor would seem silent, and live would go on without it
    monkeypatch.setattr("ingest.horizon.HORIZON_S", 60.0)
    begin_wear(tmp_path)
    store = EmbeddedStore(tmp_path)
    async with collecting(tmp_path, speed=6.0, store=store, body=BodySpec(seed=4)) as rig:
        collector = rig.collector
        asked: list[Span] = []
        async with asyncio.timeout(90.0):
            while not any(s.kind == "trunk_bow" for s in asked) or (
                collector.now_utc_ns() < asked[-1].end_ns + 3 * SECOND_NS
            ):
                await asyncio.sleep(0.1)
                asked = sorted(
                    rig.body.spans(collector.utc_offset_ns), key=lambda span: span.start_ns
                )
        asked = [
            dataclasses.replace(s, start_ns=s.start_ns + HOLD_NS) if "pose" in s.kind else s
            for s in asked
        ]
        since_ns = min(s.start_ns for s in asked) - round(MARGIN_S * 1e9)
        until_ns = collector.now_utc_ns()
        plan = await collector.calibrate(asked)
        alignment = plan.setup.alignment
        now_ns = collector.now_utc_ns()
        pose = PoseReset(
            now_ns + 2 * SECOND_NS,
            now_ns + 6 * SECOND_NS,
            sensor_rotation(alignment, alignment.neutral_q),
            3.0,
        )
        assert await collector.add_reset(pose)
        with Catalog(tmp_path) as catalog:
            detail = wear_detail(plan.setup, plan.resets, since_ns, until_ns)
            keep_calibration(catalog, PATIENT, alignment, asked, detail)
            catalog.add_span(
                PATIENT,
                "neutral_pose",
                pose.start_ns,
                pose.end_ns,
                sigma_deg=pose.sigma_deg,
                detail=pose_detail(pose),
            )
        while collector.now_utc_ns() < pose.end_ns + 20 * SECOND_NS:
            rig.raise_if_ended()
            await asyncio.sleep(0.1)
    store.close()
    report = await asyncio.to_thread(again, tmp_path)
    assert report["sessions"] == 2
    live, made = results(tmp_path, ALGO), results(tmp_path, report["version"])
    assert made["t_ns"] == live["t_ns"]
    assert made["angles"] == live["angles"]
    assert made["full_rate"] == live["full_rate"]
    assert made["minutes"] == live["minutes"]
    assert made["episodes"] == live["episodes"]
