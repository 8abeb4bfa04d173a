"""What is done to order stays out of free living: live as it happens, and in the record."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from zoneinfo import ZoneInfo

import numpy as np

from api.alignments import latest_alignment
from api.exercises.player import Player
from ingest.live import LiveFrame, LiveHub, SensorLive
from ingest.processor import Processor
from ingest.timeline import Piece
from processing.pipeline import PipelineParams, Setup
from processing.session import movements_of
from processing.synthesis import IDEAL_SENSOR, PatientSpec, simulate
from processing.types import Span
from storage.catalog import Catalog, Patient
from storage.exercise_plan import ExercisePlan, PlannedExercise

SECOND_NS = 10**9
PLAN = ExercisePlan("own", 0, "x", (PlannedExercise("chin_up", 3, 1.0, 15.0, 2),))


def frame(t_s: float) -> LiveFrame:
    """Chin up 16° for two seconds of every four."""
    at = round(t_s * SECOND_NS)
    up = 16.0 if t_s % 4.0 < 2.0 else 0.0
    return LiveFrame(
        0, at, at, "p1", flexion_deg=-up, lateral_right_deg=0.0, rotation_right_deg=0.0,
        deviation_deg=up, heading_sigma_deg=2.0, heading_quality="good", valid=True,
        head=SensorLive("head", "streaming", stale=False),
        trunk=SensorLive("trunk", "streaming", stale=False),
    )  # fmt: skip


async def test_the_whole_exercise_is_left_out_ahead_of_time(tmp_path: Path) -> None:
    now_s = 100.0
    left_out: list[tuple[float, float]] = []

    async def exclude(start_ns: int, end_ns: int) -> None:
        left_out.append((start_ns / SECOND_NS, end_ns / SECOND_NS))

    collector = SimpleNamespace(now_utc_ns=lambda: round(now_s * SECOND_NS), exclude=exclude)
    hub = LiveHub(0)
    with Catalog(tmp_path) as catalog:
        catalog.save_patient(Patient("p1", "", "UTC"))
        player = Player(cast(Any, collector), hub, catalog, "p1")
        assert player.start(PLAN, "chin_up")
        while player.running:
            hub.publish(frame(now_s))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            if now_s > 100.1:
                assert left_out[-1][1] >= now_s, "rows are gated before they are processed"
            now_s += 0.1
            assert now_s < 130.0
        assert player.view.state == "done"
        assert player.view.repetitions == 3
        borders = [edge for stretch in left_out for edge in stretch]
        assert borders == sorted(borders)
        assert borders[0] == 100.0
        assert borders[1:-1:2] == borders[2:-1:2], "no hole between two pieces"
        (span,) = catalog.spans("p1")
    assert (span.kind, span.start_ns, span.end_ns) == (
        "exercise", 100 * SECOND_NS, round(borders[-1] * SECOND_NS)
    )  # fmt: skip
    # what later reprocessing leaves out of free living
    as_span = Span(span.kind, span.start_ns, span.end_ns)
    assert movements_of([as_span]) == ((span.start_ns, span.end_ns),)


def test_minutes_do_not_count_what_was_left_out(tmp_path: Path) -> None:
    quiet = PatientSpec(
        head_sensor=IDEAL_SENSOR, trunk_sensor=IDEAL_SENSOR, calibration=False, tonic=False,
        tremor=False, jerks_per_min=0.0, turns_per_min=0.0, glances_per_min=0.0,
        trunk_move_every_s=0.0, reset_every_s=0.0,
    )  # fmt: skip
    made = simulate(quiet, 3, 62.0)
    with Catalog(tmp_path) as catalog:
        setup = Setup(latest_alignment(catalog, "p1"))

    def minute(left_out: list[tuple[int, int]]) -> tuple[float, float]:
        processor = Processor(PipelineParams(), setup, patient="p1", zone=ZoneInfo("UTC"))
        processor.exclude(left_out)
        for role, block in zip(("head", "trunk"), made.blocks(), strict=True):
            processor.add(cast(Any, role), [Piece(block, new_axis=False)])
        results = processor.step(None, final=True).results
        assert results is not None
        first = results.minutes[0]
        return float(first.evaluable_s or 0.0), float(first.gated_s or 0.0)

    free, gated = minute([])
    assert free > 50.0
    assert gated < 5.0
    without, left = minute([(20 * SECOND_NS, 50 * SECOND_NS)])
    np.testing.assert_allclose(free - without, 30.0, atol=3.0)
    np.testing.assert_allclose(left - gated, 30.0, atol=3.0)
