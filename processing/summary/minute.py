"""Grid rows to minutes of the UTC minute grid and to the posture map, as a stream."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from processing.angles import FAIR_SIGMA_DEG, GOOD_SIGMA_DEG
from processing.episodes.types import EpisodesOut, Turn
from processing.errors import InputError
from processing.gates import GateBlock
from processing.summary import accumulate as acc
from processing.summary import cells
from processing.summary.figures import MINUTE_NS, MinuteSums, by_minute, minute_of, with_events
from processing.summary.types import (
    CELL_DEG,
    CELL_SPAN_NS,
    PLANES,
    MinutesOut,
    MinuteSummary,
    PostureCell,
)
from processing.types import BoolArray, CervicalAngles, Episode, FloatArray, IntArray, PairBlock


@dataclass(frozen=True, slots=True)
class SummaryParams:
    """What counts as neutral and as still."""

    near_neutral_deg: float = 10.0
    """Largest deviation that is near neutral (TWSTRS item F, ISO 11226 lateral)."""
    still_dps: float = 10.0
    """Largest relative rate that is still; quiet sitting has 3-5 °/s RMS."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Columns of consecutive grid rows."""

    flexion: FloatArray
    lateral: FloatArray
    rotation: FloatArray
    deviation: FloatArray
    sigma: FloatArray
    valid: BoolArray
    received: BoolArray
    rate: FloatArray
    head_gyr: FloatArray
    head_acc: FloatArray
    head_valid: BoolArray
    trunk_gyr: FloatArray
    trunk_acc: FloatArray
    trunk_valid: BoolArray

    def behind(self, begin: int) -> "Rows":
        """Return a copy of the rows from `begin` on."""
        return Rows(*(getattr(self, name)[begin:].copy() for name in self.__slots__))


COUNTED_ROWS = 500
"""Rows whose gate is known are counted so many at a time, or at the end of their minute: counting
copies the minute's histograms, which are larger than the rows of a live step."""
_KEPT_ROWS = 1024
"""Rows that may stay in memory for the few of them that wait; of longer blocks these are copied."""


@dataclass(frozen=True, slots=True)
class SummaryState:
    """The minute and the posture maps under way, and what waits."""

    k_next: int
    """Grid index of the first row not yet added."""
    gated: BoolArray
    """Gate of the rows from `k_next` on, as far as it is known."""
    waiting: tuple[Rows, ...]
    """Blocks of rows that wait for their gate or to be counted, as they came."""
    added: int
    """Rows of the first of them that have been added."""
    minute: MinuteSums
    """The minute under way."""
    cells_ns: int
    """Beginning of the quarter of an hour under way."""
    cells: IntArray
    """Table of `summary.cells`."""
    closed: tuple[MinuteSummary, ...]
    """Minutes that wait for their episodes."""
    episodes: tuple[Episode, ...]
    """Final episodes of minutes not yet given out."""
    turns: tuple[Turn, ...]


def start(params: SummaryParams) -> SummaryState:  # noqa: ARG001 - every step has this signature
    """Return the state before the first row."""
    return SummaryState(
        k_next=0,
        gated=np.empty(0, dtype=np.bool_),
        waiting=(),
        added=0,
        minute=MinuteSums.empty(-1),
        cells_ns=-1,
        cells=cells.empty(),
        closed=(),
        episodes=(),
        turns=(),
    )


def _listed(cells_ns: int, table: IntArray, rate_hz: float) -> list[PostureCell]:
    numbers, rows = cells.counted(table)
    at, other = np.divmod(numbers, acc.MAP_BINS)
    plane, turned = np.divmod(at, acc.MAP_BINS)
    columns = (
        (-180.0 + CELL_DEG * turned).tolist(),
        (-180.0 + CELL_DEG * other).tolist(),
        (rows / rate_hz).tolist(),
        plane.tolist(),
    )
    return [
        PostureCell(cells_ns, rotation, other, seconds, PLANES[k])
        for rotation, other, seconds, k in zip(*columns, strict=True)
    ]


def _add(
    params: SummaryParams,
    minute: MinuteSums,
    table: IntArray,
    rows: Rows,
    begin: int,
    end: int,
    gated: BoolArray,
    gated_from: int,
) -> IntArray:
    """Count rows [begin, end) of one minute, in place; return the map's table, which may grow."""
    acc.add_sensor(rows.head_gyr, rows.head_acc, rows.head_valid, begin, end, minute.moments[0])
    acc.add_sensor(rows.trunk_gyr, rows.trunk_acc, rows.trunk_valid, begin, end, minute.moments[1])
    while True:
        at = acc.add_rows(
            rows.flexion,
            rows.lateral,
            rows.rotation,
            rows.deviation,
            rows.sigma,
            rows.valid,
            rows.received,
            rows.rate,
            begin,
            end,
            gated,
            gated_from,
            GOOD_SIGMA_DEG,
            FAIR_SIGMA_DEG,
            params.near_neutral_deg,
            params.still_dps,
            minute.counts,
            minute.sums,
            minute.histograms,
            table,
        )
        if at == end:
            return table
        table = cells.grown(table)
        begin, gated_from = at, gated_from + at - begin


@dataclass(slots=True)
class _Counting:
    """Rows on their way into minutes and maps; what it was made of stays as it was."""

    params: SummaryParams
    pair: PairBlock
    minute: MinuteSums
    cells_ns: int
    cells: IntArray
    blocks: list[Rows]
    added: int
    closed: list[MinuteSums]
    given: list[PostureCell]

    def count(self, k_next: int, gated: BoolArray) -> None:
        """Count the rows from `k_next` on whose gate this is."""
        rate_hz = self.pair.rate_hz
        period_ns = round(1e9 / rate_hz)
        self.minute, self.cells = self.minute.copy(), self.cells.copy()
        at, m = 0, gated.shape[0]
        while at < m:
            t_ns = self.pair.t0_ns + (k_next + at) * period_ns
            minute_ns = t_ns // MINUTE_NS * MINUTE_NS
            if minute_ns != self.minute.minute_ns:
                if self.minute.minute_ns >= 0:
                    self.closed.append(self.minute)
                self.minute = MinuteSums.empty(minute_ns)
            span_ns = t_ns // CELL_SPAN_NS * CELL_SPAN_NS
            if span_ns != self.cells_ns:
                self.given += _listed(self.cells_ns, self.cells, rate_hz)
                self.cells_ns, self.cells = span_ns, cells.empty()
            # to the end of the minute, of the block, or of the gate
            to_minute = -(-(minute_ns + MINUTE_NS - t_ns) // period_ns)
            length = self.blocks[0].valid.shape[0]
            end = min(self.added + to_minute, length, self.added + m - at)
            self.cells = _add(
                self.params, self.minute, self.cells, self.blocks[0], self.added, end, gated, at
            )
            at += end - self.added
            self.added = end
            if self.added == length:
                del self.blocks[0]
                self.added = 0
        if self.added and self.blocks[0].valid.shape[0] > _KEPT_ROWS:
            self.blocks[0], self.added = self.blocks[0].behind(self.added), 0


def _as_it_looks(
    counting: _Counting,
    k_next: int,
    gated: BoolArray,
    found: EpisodesOut,
    episodes: tuple[Episode, ...],
    turns: tuple[Turn, ...],
    *,
    head_only: bool,
    low_rate: bool,
) -> MinuteSummary:
    """Return the minute under way with the episodes known so far, open ones included."""
    so_far = replace(counting, blocks=[*counting.blocks])
    if gated.shape[0]:
        so_far.count(k_next, gated)
    summary = minute_of(
        so_far.minute, counting.pair.rate_hz, head_only=head_only, low_rate=low_rate
    )
    return with_events(summary, (*episodes, *found.provisional), turns)


def step(
    params: SummaryParams,
    state: SummaryState,
    pair: PairBlock,
    angles: CervicalAngles,
    w_rel_dps: FloatArray,
    gate: GateBlock,
    found: EpisodesOut,
    *,
    head_only: bool = False,
    low_rate: bool = False,
    final: bool = False,
) -> tuple[SummaryState, MinutesOut]:
    """Return the minutes that became final.

    Parameters
    ----------
    pair, angles, w_rel_dps
        The same rows, continuing those of the step before.
    gate : GateBlock
        The gate as it arrives; rows wait for it.
    found : EpisodesOut
        What `episodes.step` gave for this step; a minute is final when its episodes are.
    head_only : bool
        Neck angles and postures are None.
    low_rate : bool
        Jerks and tremor are None.
    final : bool
        Nothing follows: the last minute is given out as far as it got.
    """
    received = pair.head_valid if head_only else pair.head_valid & pair.trunk_valid
    rows = Rows(
        angles.flexion_deg,
        angles.lateral_right_deg,
        angles.rotation_right_deg,
        angles.deviation_deg,
        angles.heading_sigma_deg,
        angles.valid,
        received,
        w_rel_dps,
        pair.head_gyr,
        pair.head_acc,
        pair.head_valid,
        pair.trunk_gyr,
        pair.trunk_acc,
        pair.trunk_valid,
    )
    gated = np.concatenate((state.gated, gate.gated)) if state.gated.shape[0] else gate.gated
    m, n_new = gated.shape[0], rows.valid.shape[0]
    if gate.gated.shape[0] and gate.k0 != state.k_next + state.gated.shape[0]:
        expected = state.k_next + state.gated.shape[0]
        raise InputError(f"the gate begins at row {gate.k0}, expected {expected}")
    if m and state.k_next + m > pair.k0 + n_new:
        raise InputError("the gate is ahead of the angles; feed both of the same step")
    period_ns = round(1e9 / pair.rate_hz)
    counting = _Counting(
        params=params,
        pair=pair,
        minute=state.minute,
        cells_ns=state.cells_ns,
        cells=state.cells,
        blocks=[*state.waiting, rows] if n_new else [*state.waiting],
        added=state.added,
        closed=[],
        given=[],
    )
    k_next = state.k_next
    minute_ends = pair.t0_ns + (k_next + m) * period_ns > state.minute.minute_ns + MINUTE_NS
    if m >= COUNTED_ROWS or (m and (final or minute_ends)):
        counting.count(k_next, gated)
        k_next, gated = k_next + m, gated[m:]
    closed = [
        *state.closed,
        *(
            minute_of(done, pair.rate_hz, head_only=head_only, low_rate=low_rate)
            for done in counting.closed
        ),
    ]
    minute, given = counting.minute, counting.given
    episodes, turns = (*state.episodes, *found.final), (*state.turns, *found.turns)
    look = None
    if minute.minute_ns >= 0:
        look = partial(
            _as_it_looks,
            counting,
            k_next,
            gated,
            found,
            episodes,
            turns,
            head_only=head_only,
            low_rate=low_rate,
        )
    if final:
        if minute.minute_ns >= 0:
            closed.append(minute_of(minute, pair.rate_hz, head_only=head_only, low_rate=low_rate))
            given += _listed(counting.cells_ns, counting.cells, pair.rate_hz)
        ready = len(closed)
    else:
        known_ns = pair.t0_ns + found.k_final * period_ns
        ready = 0
        while ready < len(closed) and closed[ready].t_ns + MINUTE_NS <= known_ns:
            ready += 1
    minutes: tuple[MinuteSummary, ...] = ()
    if ready:
        episodes_of, turns_of = by_minute(episodes), by_minute(turns)
        minutes = tuple(
            with_events(done, episodes_of.get(done.t_ns, ()), turns_of.get(done.t_ns, ()))
            for done in closed[:ready]
        )
    oldest = closed[ready].t_ns if ready < len(closed) else minute.minute_ns
    if episodes or turns:
        episodes = tuple([e for e in episodes if e.end_ns >= oldest])
        turns = tuple([t for t in turns if t.end_ns >= oldest])
    rest = SummaryState(
        k_next=k_next,
        gated=gated,
        waiting=tuple(counting.blocks),
        added=counting.added,
        minute=minute,
        cells_ns=counting.cells_ns,
        cells=counting.cells,
        closed=tuple(closed[ready:]),
        episodes=episodes,
        turns=turns,
    )
    return rest, MinutesOut(minutes=minutes, cells=tuple(given), look=look)
