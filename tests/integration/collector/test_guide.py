"""The guide on virtual sensors through the real collector, faster than life."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from api.alignments import alignment_of, latest_alignment
from api.guided.guide import Guide
from api.guided.references import stored_references
from ingest.slip import SLIPPED, slip_in_force
from ingest.sources.virtual_body import BodySpec
from ingest.warm_up import compile_chain
from processing import quaternion
from processing.pipeline import PipelineParams
from processing.synthesis import PatientSpec
from storage.catalog import Catalog, Patient
from tests.support.collecting import Rig, collecting, plain_setup

pytestmark = pytest.mark.long

SPEED = 4.0
PERSON = BodySpec(
    # whose neck rests: a pull or a glance in the middle of a pose would decide what is said
    patient=replace(
        PatientSpec(),
        calibration=False,
        reset_every_s=0.0,
        trunk_move_every_s=0.0,
        tremor=False,
        tonic=False,
        jerks_per_min=0.0,
        turns_per_min=0.0,
        glances_per_min=0.0,
        drift_sd_deg=(1.0, 1.0, 1.0),
        sway_deg=0.5,
    )
)


@asynccontextmanager
async def guided(
    folder: Path, *, person: BodySpec = PERSON, exchanged: bool = False
) -> AsyncIterator[tuple[Rig, Guide, Catalog, SimpleNamespace]]:
    """A guide, and what its simulated person obeys, or does instead."""
    compile_chain(PipelineParams(), plain_setup())
    obeys = SimpleNamespace(kinds=None, instead=None)
    with Catalog(folder) as catalog:
        catalog.save_patient(Patient("p1", "", "Europe/Berlin"))
        async with collecting(folder, body=person, speed=SPEED, exchanged=exchanged) as rig:
            offset_ns = rig.collector.utc_offset_ns

            def perform(kind: str, start_ns: int, seconds: float, times: int) -> None:
                if obeys.kinds is None or kind in obeys.kinds:
                    rig.body.ask(kind, start_ns - offset_ns, seconds, times=times)
                elif obeys.instead is not None:
                    # once: a second try begins ten seconds later and must find it over
                    rig.body.ask(obeys.instead, start_ns - offset_ns, seconds, times=1)

            async def sleep(seconds: float) -> None:
                await asyncio.sleep(max(0.0, seconds) / SPEED)

            guide = Guide(rig.collector, catalog, "p1", perform=perform, sleep=sleep)
            await rig.frame_where(lambda frame: not frame.stale)
            yield rig, guide, catalog, obeys


async def until(guide: Guide, wanted: Callable[[], bool]) -> None:
    async with asyncio.timeout(90):
        while not wanted():  # noqa: ASYNC110  the guide is a picture, not an event
            await asyncio.sleep(0.02)


async def test_calibrate_put_on_again_and_reset(tmp_path: Path) -> None:
    async with guided(tmp_path) as (rig, guide, catalog, obeys):
        assert guide.start("redon") == "unknown_pose"
        assert guide.start("calibration", assisted=True) == ""
        assert guide.start("calibration") == "busy"
        seen: set[int] = set()

        def over() -> bool:
            seen.update(step.repetitions for step in guide.view.steps if step.kind == "nod")
            return guide.view.state == "done"

        await until(guide, over)
        view = guide.view
        assert view.quality in {"good", "fair"}, view.sentences
        assert [step.state for step in view.steps] == ["done"] * 7
        assert len(seen) > 2  # repetitions were counted as they came
        assert set(view.poses) == {"neutral_pose", "midline_pose"}

        (wear,) = catalog.wear_sessions("p1")
        first = latest_alignment(catalog, "p1")
        assert wear.alignment_id == first.id == rig.collector.alignment.id
        assert [s.kind for s in catalog.spans("p1")] == [s.kind for s in view.steps]
        references = stored_references(catalog, "p1")
        assert references is not None
        assert references.n_id == first.n_id
        assert references.sigma_deg["midline_pose"] >= 3.0
        assert catalog.alignments("p1")[-1].body["neutral_method"] == "assisted"

        # one step again, the rest stays: the record holds one calibration, not two
        assert view.can_redo
        assert guide.redo("shake") == ""
        await until(guide, lambda: not guide.busy)
        assert guide.view.state == "done", guide.view.sentences
        (wear,) = catalog.wear_sessions("p1")
        again = latest_alignment(catalog, "p1")
        assert wear.alignment_id == again.id
        assert sorted(s.kind for s in catalog.spans("p1")) == sorted(s.kind for s in view.steps)

        # sensors put on again: another alignment, the same N
        assert guide.start("redon", pose="midline_pose") == ""
        await until(guide, lambda: not guide.busy)
        assert guide.view.state == "done", guide.view
        worn = latest_alignment(catalog, "p1")
        assert (worn.method, worn.n_id) == ("redon", again.n_id)
        np.testing.assert_array_equal(worn.neutral_q, again.neutral_q)
        kept = stored_references(catalog, "p1")
        assert kept is not None
        assert set(kept.rotations) == {"neutral_pose", "midline_pose", "dystonic_pose"}

        # a reference pose alone: counts when held, leaves nothing behind when not
        spans = len(catalog.spans("p1"))
        obeys.kinds, obeys.instead = (), "trunk_bow"
        assert guide.start("reset", pose="midline_pose") == ""
        await until(guide, lambda: guide.view.steps[0].state == "again")
        obeys.kinds = None
        await until(guide, lambda: not guide.busy)
        assert guide.view.state == "done", guide.view.steps
        held = catalog.spans("p1")[-1]
        assert len(catalog.spans("p1")) == spans + 1
        assert held.kind == "midline_pose"
        assert "q_th_ref" in held.detail
        assert alignment_of(catalog.alignments("p1")[-1].body).id == worn.id

        # a sensor that slips shows in the next pose, asked for twice; it is said until it is put
        # on again, and kept
        rig.body.slip("head", quaternion.from_rotation_vector(np.radians([0.0, 0.0, 45.0])))
        assert guide.start("reset", pose="midline_pose") == ""
        await until(guide, lambda: not guide.busy)
        view = guide.view
        assert (view.state, view.steps[0].problem, view.slipped) == ("failed", "head_slipped", True)
        frame = await rig.frame_where(lambda frame: frame.alignment_quality == "low")
        assert "head sensor seems to sit" in frame.warnings[0]
        (slipped,) = catalog.spans("p1", kind=SLIPPED)
        assert slipped.start_ns == held.end_ns
        assert 30.0 < slipped.detail["off_deg"] < 60.0
        again_read = slip_in_force(catalog, "p1", worn.id)
        assert again_read is not None
        assert rig.collector.slip is not None
        assert again_read.off_deg == pytest.approx(rig.collector.slip.off_deg, abs=0.06)
        assert (again_read.point, again_read.noticed_ns) == ("head", slipped.end_ns)
        assert guide.start("redon", pose="midline_pose") == ""
        await until(guide, lambda: not guide.busy)
        view = guide.view
        assert (view.state, view.slipped) == ("done", False), view
        frame = await rig.frame_where(lambda frame: frame.alignment_quality != "low")
        assert not any("seems to sit" in warning for warning in frame.warnings)


async def test_a_step_that_is_not_done_waits_for_the_person(tmp_path: Path) -> None:
    async with guided(tmp_path) as (rig, guide, catalog, obeys):
        obeys.kinds = ("neutral_pose",)
        assert guide.start("calibration") == ""
        await until(guide, lambda: guide.view.state == "waiting")
        view = guide.view
        assert view.steps[1].state == "again"
        assert view.steps[1].problem != ""
        obeys.kinds = None
        guide.answer(again=True)
        await until(guide, lambda: guide.view.steps[1].state == "done")
        guide.cancel()
        await until(guide, lambda: not guide.busy)
        assert guide.view.state == "idle"
        assert catalog.spans("p1") == []
        assert catalog.wear_sessions("p1") == []
        assert rig.collector.alignment.id == "plain"


async def test_exchanged_sensors_are_told_at_the_first_nod(tmp_path: Path) -> None:
    async with guided(tmp_path, exchanged=True) as (_, guide, catalog, _):
        assert guide.start("calibration") == ""
        await until(guide, lambda: guide.view.state == "waiting")
        assert (guide.view.steps[1].kind, guide.view.steps[1].problem) == ("nod", "other_sensor")
        # who goes on all the same is told again by the verdict
        while guide.busy:
            guide.answer(again=False)
            await asyncio.sleep(0.05)
        view = guide.view
        assert (view.state, view.quality) == ("done", "low"), view
        assert any("are swapped" in sentence for sentence in view.sentences)
        assert catalog.wear_sessions("p1") != []


async def test_sensors_worn_upside_down_calibrate_like_any_other(tmp_path: Path) -> None:
    upside_down = replace(
        PERSON,
        patient=replace(
            PERSON.patient, head_mounting=(0.0, 1.0, 0.0, 0.0), trunk_mounting=(0.0, 0.0, 0.0, 1.0)
        ),
    )
    async with guided(tmp_path, person=upside_down) as (rig, guide, _, _):
        assert guide.start("calibration") == ""
        await until(guide, lambda: guide.view.state in ("waiting", "done", "failed"))
        assert (guide.view.state, guide.view.quality) == ("done", "good"), guide.view
        found = rig.collector.alignment
        # known up to how the sensors' own segment frames are
        for got, want in (
            (found.q_head_segment_sensor, upside_down.patient.head_mounting),
            (found.q_trunk_segment_sensor, upside_down.patient.trunk_mounting),
        ):
            assert np.degrees(quaternion.angle_between(got, np.array(want))) < 10.0
