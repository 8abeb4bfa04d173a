"""Plays one exercise: counts repetitions and holds from live frames, and writes the session down.

What is counted comes from `processing.exercise`. The stretch is kept out of free living, live as in
every reprocessing: turns made to order are no dystonia.
"""

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from pydantic import BaseModel, Field

from ingest.live import LiveFrame, LiveHub
from ingest.service import Collector
from processing.exercise import (
    EXERCISES,
    Exercise,
    ExerciseParams,
    ExerciseState,
    most_progress,
    progress,
    step,
)
from storage.catalog import Catalog, new_id
from storage.exercise_plan import ExercisePlan, PlannedExercise
from storage.notes import ExerciseSession, save_exercise

_log = logging.getLogger(__name__)

Stopped = Literal["", "pain", "early"]

LONGEST_S: Final = 1200.0
"""An exercise that nobody ends ends by itself."""
EXCLUDE_S: Final = 5.0
"""Free living is left out in pieces of this length while the exercise goes on."""
_FIELD: Final = {
    "rotation": "rotation_right_deg",
    "lateral": "lateral_right_deg",
    "flexion": "flexion_deg",
    "deviation": "deviation_deg",
}


class PlayerView(BaseModel):
    """The exercise under way, or the last one: complete in itself."""

    state: Literal["idle", "running", "done", "stopped"] = "idle"
    exercise: str = ""
    phase: Literal["away", "in_band", "beyond", "returning", "unknown"] = "unknown"
    progress: float | None = Field(
        default=None, description="0 start, 1 target; null where the angle is not known."
    )
    reach: float = Field(default=0.7, description="Progress at which the band begins.")
    beyond: float | None = Field(
        default=None, description="Progress at which it ends; null: it does not."
    )
    most: float = Field(default=1.5, description="Progress up to which a display should reach.")
    unknown_why: Literal["", "stale", "heading", "trunk"] = ""
    repetitions: int = 0
    held: int = Field(default=0, description="Of them, held as long as asked for.")
    wanted: int = 0
    hold_s: float = Field(default=0.0, description="Unbroken time in the band up to now.")
    hold_wanted_s: float = 0.0
    target_deg: float = 0.0
    cues: bool = Field(default=False, description="Sounds may lead to this target.")
    session_id: str | None = Field(default=None, description="What was written down.")
    stopped: Stopped = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a live frame says about an exercise."""

    angle_deg: float
    """NaN where it is not known."""
    why: Literal["", "stale", "heading", "trunk"] = ""


def reading(exercise: Exercise, frame: LiveFrame) -> Reading:
    """Return the exercise's angle, or why it is not known; what rests on heading needs trust."""
    if frame.stale or not frame.valid:
        return Reading(float("nan"), "stale")
    if frame.trunk.link_state == "absent":
        return Reading(float("nan"), "trunk")
    needs_heading = exercise.axis in {"rotation", "deviation"}
    if needs_heading and frame.heading_quality in {"poor", None}:
        return Reading(float("nan"), "heading")
    angle = getattr(frame, _FIELD[exercise.axis])
    return Reading(float("nan"), "stale") if angle is None else Reading(float(angle))


class Player:
    """The player of one recording process.

    Parameters
    ----------
    collector : Collector
    hub : LiveHub
    catalog : Catalog
    patient : str
    """

    def __init__(self, collector: Collector, hub: LiveHub, catalog: Catalog, patient: str) -> None:
        self._collector = collector
        self._hub = hub
        self._catalog = catalog
        self._patient = patient
        self._view = PlayerView()
        self._task: asyncio.Task[None] | None = None
        self._planned: PlannedExercise | None = None
        self._state = ExerciseState()
        self._start_ns = 0
        self._excluded_ns = 0

    @property
    def view(self) -> PlayerView:
        """The present picture."""
        return self._view

    @property
    def running(self) -> bool:
        """Whether an exercise is under way."""
        return self._task is not None and not self._task.done()

    def start(self, plan: ExercisePlan, exercise: str) -> bool:
        """Begin an exercise of a plan; False where one is under way, or it is not in the plan."""
        planned = plan.of(exercise)
        if self.running or planned is None:
            return False
        known = EXERCISES[exercise]
        params = ExerciseParams(planned.hold_s)
        inward = known.axis == "deviation"
        self._planned = planned
        self._state = ExerciseState()
        self._start_ns = self._excluded_ns = self._collector.now_utc_ns()
        self._view = PlayerView(
            state="running",
            exercise=exercise,
            reach=params.reach,
            beyond=None if inward else params.beyond,
            most=most_progress(known),
            wanted=planned.repetitions,
            hold_wanted_s=planned.hold_s,
            target_deg=planned.target_deg,
            # without a prescription sounds lead to the middle only (clinical specification, 13)
            cues=inward or plan.origin == "clinic",
        )
        self._task = asyncio.create_task(self._play(known, planned, params))
        return True

    async def stop(self, why: Stopped) -> None:
        """End the exercise under way and write down what was done."""
        if not self.running:
            return
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._finish(why)

    async def _play(
        self, known: Exercise, planned: PlannedExercise, params: ExerciseParams
    ) -> None:
        with self._hub.subscribe() as frames:
            async for frame in frames:
                await self._leave_out()
                self._take(frame, known, planned, params)
                if len(self._state.repetitions) >= planned.repetitions:
                    break
                if self._collector.now_utc_ns() - self._start_ns > LONGEST_S * 1e9:
                    self._finish("early")
                    return
        self._finish("" if len(self._state.repetitions) >= planned.repetitions else "early")

    async def _leave_out(self) -> None:
        """Keep what is being done out of free living, ahead of time."""
        now_ns = self._collector.now_utc_ns()
        if now_ns + round(EXCLUDE_S * 0.5e9) < self._excluded_ns:
            return
        until_ns = max(now_ns, self._excluded_ns) + round(EXCLUDE_S * 1e9)
        await self._collector.exclude(self._excluded_ns, until_ns)
        self._excluded_ns = until_ns

    def _take(
        self, frame: LiveFrame, known: Exercise, planned: PlannedExercise, params: ExerciseParams
    ) -> None:
        read = reading(known, frame)
        p = progress(known, planned.target_deg, np.array([read.angle_deg]))
        moment_ns = frame.sample_utc_ns or frame.published_utc_ns
        t_s = np.array([(moment_ns - self._start_ns) * 1e-9])
        self._state = step(params, self._state, t_s, p, can_go_beyond=self._view.beyond is not None)
        made = self._state.repetitions
        self._view = self._view.model_copy(
            update={
                "phase": self._state.phase,
                "progress": None if np.isnan(p[0]) else round(float(p[0]), 3),
                "unknown_why": read.why,
                "repetitions": len(made),
                "held": sum(1 for each in made if each.held),
                "hold_s": round(self._state.hold_s, 1),
            }
        )

    def _finish(self, why: Stopped) -> None:
        planned = self._planned
        assert planned is not None
        end_ns = self._collector.now_utc_ns()
        made = self._state.repetitions
        inward = EXERCISES[planned.exercise].axis == "deviation"
        body: dict[str, Any] = {
            "repetitions": len(made),
            "held": sum(1 for each in made if each.held),
            "target_deg": planned.target_deg,
            "hold_s": planned.hold_s,
            "measured": True,
            "reps": [
                {
                    "peak_deg": round(
                        planned.target_deg * (2.0 - each.peak if inward else each.peak), 1
                    ),
                    "hold_s": round(each.hold_s, 1),
                    "duration_s": round(each.end_s - each.start_s, 1),
                    "held": each.held,
                }
                for each in made
            ],
        }
        if why:
            body["stopped"] = why
        session = ExerciseSession(
            new_id(), self._patient, planned.exercise, self._start_ns, end_ns, body
        )
        save_exercise(self._catalog, session)
        self._catalog.add_span(self._patient, "exercise", self._start_ns, self._excluded_ns)
        _log.info("exercise", extra={"exercise": planned.exercise, "repetitions": len(made)})
        self._view = self._view.model_copy(
            update={
                "state": "stopped" if why else "done",
                "stopped": why,
                "session_id": session.id,
            }
        )
