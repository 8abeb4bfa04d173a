"""The live chain of one patient: blocks of both sensors in, angles and results out.

The same `processing.pipeline.step` as in batch. What batch knows from the end of a recording, live
must decide by time: what of a sensor did not come within `horizon.HORIZON_S` is missing for good,
so that the other one's angles do not wait for it. Samples that come later are in the record and in
every reprocessing.
"""

import dataclasses
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from ingest.horizon import Horizon, resting
from ingest.live import Role, TodayCounters
from ingest.live_angles import LiveAngles, newest_angles
from ingest.merging import joined, merged
from ingest.poses import PoseReset, ToldPoses
from ingest.timeline import Piece
from ingest.today import Today
from processing import pipeline
from processing.errors import InputError
from processing.pipeline import PipelineOutput, PipelineParams, PipelineState, Setup
from processing.types import ImuBlock
from storage.angle_grid import SecondsState, full_rate_of, seconds_step
from storage.result_rows import ResultBatch

_log = logging.getLogger("ingest.processor")

MAX_BREAK_S = 3600.0
"""A longer silence of both sensors begins a new stretch: nothing of the filter is worth keeping."""

OVER_S = MAX_BREAK_S + 60.0
"""After a silence of all sensors for so long the stretch is over, whoever comes back: what waits is
given out. The minute is for samples that are under way."""


@dataclass(frozen=True, slots=True)
class Processed:
    """What one step gave."""

    live: LiveAngles | None
    results: ResultBatch | None
    """To be stored once the samples are committed; None where there is nothing to store."""


class Processor:
    """The chain from blocks to results for one patient; used by one thread.

    Parameters
    ----------
    params : PipelineParams
    setup : Setup
        Alignment and what else is known; replaced by `restart`.
    patient : str
    zone : ZoneInfo
        Where the patient's day begins.
    today : TodayCounters, optional
        What of today's results was stored before this start.
    """

    def __init__(
        self,
        params: PipelineParams,
        setup: Setup,
        *,
        patient: str,
        zone: ZoneInfo,
        today: TodayCounters | None = None,
    ) -> None:
        self._params = params
        self._setup = setup
        self._patient = patient
        self._today = Today(zone, today)
        self._state: PipelineState = pipeline.start(params, setup)
        self._seconds = SecondsState()
        self._waiting: dict[Role, list[Piece]] = {"head": [], "trunk": []}
        self._newest: dict[Role, int | None] = {"head": None, "trunk": None}
        self._told = ToldPoses(params.grid.period_ns)
        self._horizon = Horizon()
        self._gated: bool | None = None
        self.stretches = 1
        """Stretches begun, each with a fresh filter."""

    @property
    def setup(self) -> Setup:
        """Alignment in force."""
        return self._setup

    @property
    def patient(self) -> str:
        """Whose samples they are."""
        return self._patient

    @property
    def newest_ns(self) -> int | None:
        """Time of the newest sample of any sensor."""
        known = [t for t in self._newest.values() if t is not None]
        return max(known, default=None)

    def add(self, role: Role, pieces: Sequence[Piece]) -> None:
        """Take the next samples of a sensor; they are processed by the next `step`."""
        for piece in pieces:
            if self._setup.head_only and role == "trunk":
                continue
            self._waiting[role].append(piece)
            self._newest[role] = int(piece.block.t_ns[-1])

    def add_reset(self, reset: PoseReset) -> bool:
        """Take a reference pose, best before it begins: rows already processed do not count.

        Returns
        -------
        bool
            False where it overlaps another one and was not taken.
        """
        return self._told.add(reset)

    def withdraw_reset(self, reset: PoseReset) -> None:
        """Take back a reference pose that was not held after all, before its end."""
        self._told.withdraw(reset)

    def declare_rate(self, *, low: bool) -> None:
        """Say whether a sensor turned out to be too slow for jerks and tremor."""
        if low != self._setup.low_rate:
            self._setup = dataclasses.replace(self._setup, low_rate=low)

    def exclude(self, stretches: Sequence[tuple[int, int]]) -> None:
        """Keep movements made to order out of free living: UTC (from, to) of each, nanoseconds.

        They count as gated wherever they are not two seconds old yet.
        """
        self._told.exclude(stretches)

    def restart(
        self, setup: Setup, resets: Sequence[PoseReset] = (), *, since_ns: int | None = None
    ) -> Processed:
        """Finish the wear session and begin the next with another setup.

        What was counted from `since_ns` on will be computed again.
        """
        last = self.step(None, final=True)
        if since_ns is not None:
            self._today.forget(since_ns)
        self._setup = setup
        self._begin()
        self._told.begin(resets)
        return last

    def abandon(self) -> None:
        """Drop what waits and begin afresh, after a failure."""
        self._waiting = {"head": [], "trunk": []}
        self._begin()

    def step(self, now_ns: int | None, *, final: bool = False, live: bool = True) -> Processed:
        """Process what waits.

        Parameters
        ----------
        now_ns : int or None
            Present UTC, by which a sensor is found missing; None: nothing is missing yet. While
            all are silent time stands still: they may be out of reach, or the record may end here.
        final : bool
            Nothing follows.
        live : bool
            False where everything before `now_ns` is there, and nobody looks: rows wait for no
            sample then, and `Processed.live` is left out.
        """
        batches: list[ResultBatch] = []
        newest: LiveAngles | None = None
        heard_ns = self.newest_ns
        if self._is_over(now_ns, heard_ns):
            batches += self._finish()
            self._begin()
        until_ns = self._missing_until_ns(now_ns, heard_ns, live=live)
        for head, trunk, anew in self._rounds():
            if anew:
                batches += self._finish()
                self._begin()
            finished, out = self._advance(head, trunk, until_ns)
            if out.gate.gated.shape[0]:
                self._gated = bool(out.gate.gated[-1])
            if live:
                newest = self._newest_angles(out) or newest
            batches += [*finished, *self._batch(out, final=False)]
        if final:
            batches += self._finish()
        return Processed(newest, merged(batches))

    def _begin(self) -> None:
        self.stretches += 1
        self._state = pipeline.start(self._params, self._setup)
        self._seconds = SecondsState()
        self._told.begin()
        self._horizon.forget()
        self._gated = None

    def _finish(self) -> list[ResultBatch]:
        """Give out what waits for later samples; the stretch is over."""
        self._state, out = pipeline.step(
            self._params,
            self._state,
            self._setup,
            None,
            None,
            resets=self._told.resets_on_grid(self._state.grid.t0_ns),
            excluded=self._told.excluded_on_grid(self._state.grid.t0_ns),
            final=True,
        )
        return self._batch(out, final=True)

    def _rounds(self) -> list[tuple[ImuBlock | None, ImuBlock | None, bool]]:
        """Return what waits as one step, or several where a time axis breaks in between."""
        waiting, self._waiting = self._waiting, {"head": [], "trunk": []}
        rounds: list[tuple[ImuBlock | None, ImuBlock | None, bool]] = []
        current: dict[Role, list[ImuBlock]] = {"head": [], "trunk": []}
        anew = self._silent_before(waiting)
        for role in ("head", "trunk"):
            for piece in waiting[role]:
                if piece.new_axis:
                    rounds.append((joined(current["head"]), joined(current["trunk"]), anew))
                    current, anew = {"head": [], "trunk": []}, True
                current[role].append(piece.block)
        rounds.append((joined(current["head"]), joined(current["trunk"]), anew))
        return rounds

    def _silent_before(self, waiting: dict[Role, list[Piece]]) -> bool:
        """Whether both sensors were silent for so long that a new stretch begins."""
        last = self._state.grid.t0_ns
        if last is None:
            return False
        last += self._state.grid.next_k * self._params.grid.period_ns
        firsts = [int(pieces[0].block.t_ns[0]) for pieces in waiting.values() if pieces]
        return bool(firsts) and min(firsts) - last > MAX_BREAK_S * 1e9

    def _is_over(self, now_ns: int | None, heard_ns: int | None) -> bool:
        """Whether all sensors have been silent for so long that nothing of it is waited for."""
        if now_ns is None or heard_ns is None or self._state.grid.t0_ns is None:
            return False
        return now_ns - heard_ns > OVER_S * 1e9

    def _missing_until_ns(
        self, now_ns: int | None, heard_ns: int | None, *, live: bool
    ) -> int | None:
        """Return up to when missing samples are missing for good."""
        if now_ns is None or heard_ns is None or self._setup.head_only:
            return None
        known_ns = min(now_ns, heard_ns)
        limit = self._horizon.reached(now_ns, heard_ns) if live else resting(known_ns)
        if limit is None:
            return None
        behind = [t for t in self._newest.values() if t is None or t < limit]
        return limit if behind else None

    def _advance(
        self, head: ImuBlock | None, trunk: ImuBlock | None, horizon_ns: int | None
    ) -> tuple[list[ResultBatch], PipelineOutput]:
        """Return what a stretch that ended here gave, and the output of this step."""
        finished: list[ResultBatch] = []
        t0_ns = self._origin_ns(head)
        try:
            self._state, out = pipeline.step(
                self._params,
                self._state,
                self._setup,
                head,
                trunk,
                resets=self._told.resets_on_grid(t0_ns),
                excluded=self._told.excluded_on_grid(t0_ns),
                complete_until_ns=horizon_ns,
            )
        except InputError as error:
            # such as a hole too long for one stretch: what is whole is kept, and life goes on
            _log.warning("a new stretch begins: %s", error, extra={"event": "new_stretch"})
            finished = self._finish()
            self._begin()
            self._state, out = pipeline.step(
                self._params, self._state, self._setup, head, trunk, complete_until_ns=horizon_ns
            )
        return finished, out

    def _origin_ns(self, head: ImuBlock | None) -> int | None:
        """Return the time of the stretch's first grid row, which may lie in this head block."""
        t0_ns = self._state.grid.t0_ns
        if t0_ns is None and head is not None and head.valid.any():
            return int(head.t_ns[head.valid.argmax()])
        return t0_ns

    def _batch(self, out: PipelineOutput, *, final: bool) -> list[ResultBatch]:
        """Return what is to be stored of a step: one batch, or nothing."""
        rows = out.angles.valid.shape[0]
        rate_hz = self._params.grid.rate_hz
        head_deg = None
        if out.inclination is not None:
            head_deg = np.column_stack(
                (out.inclination.head_pitch_deg, out.inclination.head_roll_deg)
            )
        block = full_rate_of(out.angles, out.pair.t0_ns, rate_hz, head_deg) if rows else None
        self._seconds, series, whole = seconds_step(
            self._seconds, block, rate_hz=rate_hz, final=final
        )
        if not (len(series.t_ns) or out.minutes.minutes or out.minutes.cells or out.episodes.final):
            return []
        self._today.add(out.minutes.minutes, out.episodes.final)
        batch = ResultBatch(
            patient=self._patient,
            algo=self._params.algorithm_id,
            angles=series if len(series.t_ns) else None,
            minutes=out.minutes.minutes,
            episodes=out.episodes.final,
            cells=out.minutes.cells,
            full_rate=whole,
        )
        return [batch]

    def _newest_angles(self, out: PipelineOutput) -> LiveAngles | None:
        return newest_angles(
            out,
            self._setup.alignment,
            self._today,
            period_ns=self._params.grid.period_ns,
            gated=self._gated,
        )
