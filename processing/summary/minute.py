"""Grid rows to minutes of the UTC minute grid and to the posture map, as a stream."""

from dataclasses import dataclass
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


_KEPT_ROWS = 1024
"""Rows that may stay in memory for the few of them that wait; of longer blocks these are copied."""


@dataclass(frozen=True, slots=True)
class SummaryState:
    """The minute and the posture maps under way, and what waits."""

    k_next: int
    """Grid index of the first row not yet added."""
    waiting: tuple[Rows, ...]
    """Blocks of rows that wait for their gate, as they came."""
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


def _as_it_looks(
    minute: MinuteSums,
    found: EpisodesOut,
    episodes: tuple[Episode, ...],
    turns: tuple[Turn, ...],
    rate_hz: float,
    *,
    head_only: bool,
    low_rate: bool,
) -> MinuteSummary:
    """Return a minute with the episodes known so far, open ones included."""
    summary = minute_of(minute, rate_hz, head_only=head_only, low_rate=low_rate)
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
    blocks = [*state.waiting, *([rows] if rows.valid.shape[0] else [])]
    added = state.added
    m, n = gate.gated.shape[0], sum(block.valid.shape[0] for block in blocks) - added
    if m and gate.k0 != state.k_next:
        raise InputError(f"the gate begins at row {gate.k0}, expected {state.k_next}")
    if m > n:
        raise InputError("the gate is ahead of the angles; feed both of the same step")
    period_ns = round(1e9 / pair.rate_hz)
    closed = list(state.closed)
    given: list[PostureCell] = []
    # counted up in place below: the caller's state stays as it was
    minute, cells_ns, table = state.minute, state.cells_ns, state.cells
    if m:
        minute, table = minute.copy(), table.copy()
    at = 0
    while at < m:
        t_ns = pair.t0_ns + (state.k_next + at) * period_ns
        minute_ns = t_ns // MINUTE_NS * MINUTE_NS
        if minute_ns != minute.minute_ns:
            if minute.minute_ns >= 0:
                closed.append(
                    minute_of(minute, pair.rate_hz, head_only=head_only, low_rate=low_rate)
                )
            minute = MinuteSums.empty(minute_ns)
        span_ns = t_ns // CELL_SPAN_NS * CELL_SPAN_NS
        if span_ns != cells_ns:
            given += _listed(cells_ns, table, pair.rate_hz)
            cells_ns, table = span_ns, cells.empty()
        # to the end of the minute, of the block, or of the gate
        to_minute = -(-(minute_ns + MINUTE_NS - t_ns) // period_ns)
        length = blocks[0].valid.shape[0]
        end = min(added + to_minute, length, added + m - at)
        table = _add(params, minute, table, blocks[0], added, end, gate.gated, at)
        at += end - added
        added = end
        if added == length:
            del blocks[0]
            added = 0
    if added and blocks[0].valid.shape[0] > _KEPT_ROWS:
        blocks[0], added = blocks[0].behind(added), 0
    episodes, turns = (*state.episodes, *found.final), (*state.turns, *found.turns)
    look = None
    if minute.minute_ns >= 0:
        look = partial(
            _as_it_looks,
            minute,
            found,
            episodes,
            turns,
            pair.rate_hz,
            head_only=head_only,
            low_rate=low_rate,
        )
    if final:
        if minute.minute_ns >= 0:
            closed.append(minute_of(minute, pair.rate_hz, head_only=head_only, low_rate=low_rate))
            given += _listed(cells_ns, table, pair.rate_hz)
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
    rest = SummaryState(
        k_next=state.k_next + m,
        waiting=tuple(blocks),
        added=added,
        minute=minute,
        cells_ns=cells_ns,
        cells=table,
        closed=tuple(closed[ready:]),
        episodes=tuple(e for e in episodes if e.end_ns >= oldest),
        turns=tuple(t for t in turns if t.end_ns >= oldest),
    )
    return rest, MinutesOut(minutes=minutes, cells=tuple(given), look=look)
