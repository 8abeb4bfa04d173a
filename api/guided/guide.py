"""Guides through calibration, re-don and reference poses, and keeps what comes out.

One task at a time, as a task of the collector's event loop. Each step is judged by its own samples
while it is made; one that did not work is repeated once by itself, then a person decides. Nothing
changes before all steps are done; whatever happens, recording goes on.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final

from api.guided.due import SNOOZE_S, last_pose_ns, reset_due
from api.guided.keeping import CalibrationBook
from api.guided.references import stored_references
from api.guided.sitting import Sitting
from api.guided.steps import READY_S, Pose, Step, Task, steps_of
from api.guided.view import GuideStepView, GuideView
from ingest.calibrating import MARGIN_S
from ingest.poses import PoseReset
from ingest.reprocess_wear import pose_detail, wear_detail
from ingest.service import Collector
from ingest.slip import last_right_ns
from processing.alignment import StepCheck, StoredReference, sensor_rotation, sharing
from processing.alignment.placement import Placement
from processing.errors import AlignmentError
from processing.types import Span
from storage.catalog import Catalog
from storage.exchange import scope_of

_log = logging.getLogger(__name__)

Sleep = Callable[[float], Awaitable[None]]
Perform = Callable[[str, int, float, int], None]
"""Has a simulated person do it: kind, start (collector's UTC, ns), seconds, repetitions."""

LOOK_EVERY_S: Final = 0.5
"""How often a step under way is judged."""
ARRIVAL_S: Final = 1.0
"""Time after a step until its samples have surely arrived."""
MOVED_MARGIN_S: Final = 1.0
"""A reset is taken back until this long before its end; the filter acts on it then."""
PROBLEM_S: Final = 5.0
"""Time to hear what was wrong before a step is repeated."""
WINDOW_S: Final = 900.0
"""Steps can be repeated one by one for so long; samples before it are no longer in memory."""
ASSISTED_SIGMA_DEG: Final = 3.0
ALONE_SIGMA_DEG: Final = 3.0
"""Least standard deviation of a pose taken up at home (docs/explanation/numbers.md)."""
MADE: Final = ("guided", "redon")
"""Methods of alignments that rest on movements."""
SNOOZE: Final = "reset_snoozed_until_ns"


class Guide:
    """The guide of one recording process.

    Parameters
    ----------
    collector : Collector
    catalog : Catalog
    patient : str
    perform : callable, optional
        Tells a simulated person what is asked for.
    sleep : callable
        Waits so many seconds.
    """

    def __init__(
        self,
        collector: Collector,
        catalog: Catalog,
        patient: str,
        *,
        perform: Perform | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._collector = collector
        self._catalog = catalog
        self._patient = patient
        self._perform = perform
        self._sleep = sleep
        self._view = GuideView()
        self._task: asyncio.Task[None] | None = None
        self._answer: asyncio.Future[bool] | None = None
        self._steps: list[Step] = []
        self._spans: list[Span | None] = []
        self._stored: StoredReference | None = None
        self._assisted = False
        self._calibrations = CalibrationBook(catalog, patient)
        self._last_reset_ns = last_pose_ns(catalog, patient, collector.now_utc_ns())
        self._references = stored_references(catalog, patient)
        right_ns = last_right_ns(catalog, patient, collector.alignment.id)
        right_ns = collector.now_utc_ns() if right_ns is None else right_ns
        self._sitting = Sitting(collector, catalog, patient, right_ns)
        self._snoozed_until_ns = int(catalog.setting(scope_of(patient), SNOOZE) or 0)

    @property
    def view(self) -> GuideView:
        """The present picture."""
        view = self._view
        now_ns = self._collector.now_utc_ns()
        frame = self._collector.hub.latest
        collector = self._collector
        due = not self.busy and reset_due(
            frame,
            calibrated=collector.alignment.method in MADE and collector.slip is None,
            now_ns=now_ns,
            last_ns=self._last_reset_ns,
            snoozed_until_ns=self._snoozed_until_ns,
        )
        stored = self._stored_references()
        known = [] if stored is None else [k for k in stored.rotations if k != "dystonic_pose"]
        oldest = min((span.start_ns for span in self._spans if span is not None), default=0)
        fresh = view.task == "calibration" and now_ns - oldest < WINDOW_S * 1e9
        can_redo = fresh and view.state in {"done", "failed"} and None not in self._spans
        sending = frame is not None and not frame.stale
        return view.model_copy(
            update={
                "sending": sending,
                "reset_due": due,
                "poses": known,
                "can_redo": can_redo,
                "slipped": self._collector.slip is not None,
            }
        )

    def _stored_references(self) -> StoredReference | None:
        # until there are some, somebody else may calibrate: the terminal, or the demonstration
        if self._references is None:
            self._references = stored_references(self._catalog, self._patient)
        return self._references

    @property
    def busy(self) -> bool:
        """Whether a task is under way."""
        return self._task is not None and not self._task.done()

    def start(self, task: Task, *, pose: Pose = "neutral_pose", assisted: bool = False) -> str:
        """Begin a task; return why it cannot begin, empty where it did.

        Parameters
        ----------
        task : {"calibration", "redon", "reset"}
        pose : {"neutral_pose", "midline_pose"}
            What a re-don or a reset rests on.
        assisted : bool
            A helper or a mirror guides the head into neutral.
        """
        if self.busy:
            return "busy"
        frame = self._collector.hub.latest
        if frame is None or frame.stale:
            return "silent"
        stored = self._stored_references()
        if task != "calibration" and (stored is None or pose not in stored.rotations):
            return "unknown_pose"
        self._stored = None if task == "calibration" else stored
        self._assisted = assisted
        self._calibrations.begin()
        self._steps = list(steps_of(task, pose, head_only=self._collector.spec.setup.head_only))
        self._spans = [None] * len(self._steps)
        self._view = GuideView(
            task=task,
            state="running",
            steps=[GuideStepView(kind=s.kind, seconds=s.seconds, times=s.times)
                   for s in self._steps],
        )  # fmt: skip
        self._task = asyncio.create_task(self._run(range(len(self._steps))))
        return ""

    def redo(self, kind: str) -> str:
        """Repeat the steps of a kind and judge everything again; return why not, or empty."""
        if self.busy:
            return "busy"
        if not self.view.can_redo:
            return "too_late"
        again = [i for i, step in enumerate(self._steps) if step.kind == kind]
        if not again:
            return "unknown_pose"
        for i in again:
            self._mark(i, state="todo", repetitions=0, problem="")
        self._view = self._view.model_copy(update={"state": "running", "sentences": []})
        self._task = asyncio.create_task(self._run(again))
        return ""

    def answer(self, *, again: bool) -> None:
        """Say what to do about a step that did not work: repeat it, or go on with what there is."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(again)

    def snooze(self) -> None:
        """Do not ask for a reference pose for a while."""
        self._snoozed_until_ns = self._collector.now_utc_ns() + round(SNOOZE_S * 1e9)
        self._catalog.set_setting(scope_of(self._patient), SNOOZE, self._snoozed_until_ns)

    def cancel(self) -> None:
        """End the task under way; what held before still holds."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self, indices: Sequence[int]) -> None:
        """Go through steps, then judge; every way out leaves a picture that says how it ended."""
        try:
            if self._view.task == "reset":
                await self._reset(self._steps[0])
                return
            for index in indices:
                await self._step(index)
            self._show(state="judging", current=None, ends_utc_ms=None)
            await self._judge()
        except asyncio.CancelledError:
            self._show(state="idle", current=None, ends_utc_ms=None, task=None, steps=[])
        except AlignmentError as error:
            self._show(state="failed", current=None, ends_utc_ms=None, sentences=[str(error)])
        except Exception:
            _log.exception("a guided task ended in an unforeseen way; recording goes on")
            self._show(state="failed", current=None, ends_utc_ms=None)

    async def _step(self, index: int) -> None:
        """Ask for one step until it is done, or a person goes on without."""
        step = self._steps[index]
        by_itself = 1
        while True:
            span, check = await self._once(index, step)
            self._spans[index] = span
            if check.passed:
                self._mark(index, state="done", problem="", repetitions=check.repetitions)
                return
            self._mark(index, state="again", problem=check.problem)
            if by_itself > 0:
                by_itself -= 1
                self._show(ends_utc_ms=self._in_ms(PROBLEM_S))
                await self._sleep(PROBLEM_S)
                continue
            self._show(state="waiting", ends_utc_ms=None)
            self._answer = asyncio.get_running_loop().create_future()
            again = await self._answer
            self._show(state="running")
            if not again:
                return

    async def _once(self, index: int, step: Step) -> tuple[Span, StepCheck]:
        """Ask for one step once; return when it was made and what it amounts to."""
        start_ns = await self._get_ready(index, step)
        ends_ns = start_ns + round(step.seconds * 1e9)
        self._mark(index, state="now")
        self._show(ends_utc_ms=ends_ns // 1_000_000)
        check = StepCheck("no_samples")
        while (now_ns := self._collector.now_utc_ns()) < ends_ns:
            await self._sleep(min(LOOK_EVERY_S, (ends_ns - now_ns) * 1e-9))
            if self._collector.now_utc_ns() - start_ns < 1e9:
                continue
            check = await self._look(step, start_ns, self._collector.now_utc_ns())
            self._mark(index, repetitions=check.repetitions, unrest_dps=check.unrest_dps)
            if step.is_movement and check.passed and check.repetitions >= step.times:
                break
        end_ns = min(ends_ns, self._collector.now_utc_ns())
        await self._sleep(ARRIVAL_S)
        return Span(step.kind, start_ns, end_ns), await self._look(step, start_ns, end_ns)

    async def _look(self, step: Step, start_ns: int, end_ns: int) -> StepCheck:
        span = Span(step.kind, start_ns, end_ns)
        rotation = None
        if self._view.task == "reset" and self._stored is not None:
            rotation = self._stored.rotations[step.kind]
        return await self._collector.check_step(span, max(1, step.least), rotation)

    async def _get_ready(self, index: int, step: Step) -> int:
        """Say what is coming and wait; return when it begins."""
        assert self._view.task is not None
        ready_s = READY_S[self._view.task]
        start_ns = self._collector.now_utc_ns() + round(ready_s * 1e9)
        if self._perform is not None:
            self._perform(step.kind, start_ns, step.seconds, step.times)
        self._mark(index, state="ready", repetitions=0, unrest_dps=0.0)
        self._show(current=index, ends_utc_ms=start_ns // 1_000_000)
        await self._sleep((start_ns - self._collector.now_utc_ns()) * 1e-9)
        return start_ns

    async def _judge(self) -> None:
        """Work the alignment out, go on with it, and keep it."""
        spans = [span for span in self._spans if span is not None]
        assert len(spans) == len(self._spans)
        if self._assisted and self._stored is None:
            spans = [
                replace(s, sigma_deg=ASSISTED_SIGMA_DEG) if s.kind == "neutral_pose" else s
                for s in spans
            ]
        since_ns = min(span.start_ns for span in spans) - round(MARGIN_S * 1e9)
        plan = await self._collector.calibrate(spans, self._stored)
        detail = wear_detail(plan.setup, plan.resets, since_ns, self._collector.now_utc_ns())
        self._calibrations.keep(plan, spans, detail, self._stored, assisted=self._assisted)
        self._references = stored_references(self._catalog, self._patient)
        self._last_reset_ns = self._collector.now_utc_ns()
        self._sitting.calibrated()
        found = plan.setup.alignment
        self._show(
            state="done",
            quality=found.quality,
            sentences=list(found.warnings),
            redo=[s.kind for s in self._view.steps if s.state == "again"],
        )

    async def _reset(self, step: Step) -> None:
        """Ask for a reference pose; it counts only where it was held still, and was that pose."""
        assert self._stored is not None
        otherwise: list[Placement] = []
        for last_try in (False, True):
            start_ns = self._collector.now_utc_ns() + round(READY_S["reset"] * 1e9)
            own_value, shared_sigma_deg = sharing(step.kind, self._stored.rotations)
            reset = PoseReset(
                start_ns=start_ns,
                end_ns=start_ns + round(step.seconds * 1e9),
                q_th_ref=sensor_rotation(
                    self._collector.alignment, self._stored.rotations[step.kind]
                ),
                sigma_deg=max(
                    ASSISTED_SIGMA_DEG if step.kind == "neutral_pose" else ALONE_SIGMA_DEG,
                    self._stored.sigma_deg.get(step.kind, 0.0),
                ),
                own_value=own_value,
                shared_sigma_deg=shared_sigma_deg,
            )
            # announced before it begins: rows that are processed already would not count
            taken = await self._collector.add_reset(reset)
            check = StepCheck("no_samples")
            if taken:
                check = await self._held(step, reset)
            if check.passed:
                self._keep_reset(step, reset, check.placement)
                return
            await self._collector.withdraw_reset(reset)
            self._mark(0, state="again", problem=check.problem)
            if check.placement is not None:
                otherwise.append(check.placement)
            if not last_try:
                self._show(ends_utc_ms=self._in_ms(PROBLEM_S))
                await self._sleep(PROBLEM_S)
        slipped = self._sitting.refused(otherwise, reset.end_ns)
        if slipped is not None:
            self._mark(0, problem=f"{slipped}_slipped")
        self._show(state="failed", current=None, ends_utc_ms=None, redo=[step.kind])

    async def _held(self, step: Step, reset: PoseReset) -> StepCheck:
        """Watch a pose until it is over, or no longer one."""
        self._mark(0, state="ready", unrest_dps=0.0)
        self._show(current=0, ends_utc_ms=reset.start_ns // 1_000_000)
        if self._perform is not None:
            self._perform(step.kind, reset.start_ns, step.seconds, 0)
        await self._sleep((reset.start_ns - self._collector.now_utc_ns()) * 1e-9)
        self._mark(0, state="now")
        self._show(ends_utc_ms=reset.end_ns // 1_000_000)
        judged_ns = reset.end_ns - round(MOVED_MARGIN_S * 1e9)
        check = StepCheck("no_samples")
        while self._collector.now_utc_ns() < judged_ns:
            await self._sleep(LOOK_EVERY_S)
            if self._collector.now_utc_ns() - reset.start_ns < 1e9:
                continue
            check = await self._look(step, reset.start_ns, self._collector.now_utc_ns())
            self._mark(0, unrest_dps=check.unrest_dps)
            if check.problem == "moved":
                return check
        return check

    def _keep_reset(self, step: Step, reset: PoseReset, placement: Placement | None) -> None:
        self._catalog.add_span(
            self._patient,
            step.kind,
            reset.start_ns,
            reset.end_ns,
            sigma_deg=reset.sigma_deg,
            detail=pose_detail(reset),
        )
        self._last_reset_ns = reset.end_ns
        if placement is not None:
            self._sitting.took(placement, reset.end_ns)
        self._mark(0, state="done", problem="")
        self._show(state="done", current=None, ends_utc_ms=None)

    def _in_ms(self, seconds: float) -> int:
        return self._collector.now_utc_ns() // 1_000_000 + round(1000 * seconds)

    def _show(self, **changes: object) -> None:
        self._view = self._view.model_copy(update=changes)

    def _mark(self, index: int, **changes: object) -> None:
        steps = list(self._view.steps)
        steps[index] = steps[index].model_copy(update=changes)
        self._view = self._view.model_copy(update={"steps": steps})
