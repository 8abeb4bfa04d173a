"""Grid rows to minutes of the UTC minute grid and to the posture map, as a stream."""

from dataclasses import dataclass, replace

import numpy as np

from processing.angles import FAIR_SIGMA_DEG, GOOD_SIGMA_DEG
from processing.episodes.turns import TURN_DEG
from processing.episodes.types import EpisodesOut, Turn
from processing.errors import InputError
from processing.exposure import histogram_quantile, pack
from processing.gates import GateBlock
from processing.summary import accumulate as acc
from processing.summary.types import (
    CELL_DEG,
    CELL_SPAN_NS,
    HISTOGRAM_BIN_DEG,
    MinutesOut,
    MinuteSummary,
    PostureCell,
)
from processing.types import BoolArray, CervicalAngles, Episode, FloatArray, IntArray, PairBlock

MINUTE_NS = 60_000_000_000
AXES = ("flexion", "lateral", "rotation", "deviation")
HISTOGRAM_LOW_DEG = (-180.0, -180.0, -180.0, 0.0)
"""Lower edge of the first bin of each axis."""


@dataclass(frozen=True, slots=True)
class SummaryParams:
    """What counts as neutral and as still."""

    near_neutral_deg: float = 10.0
    """Largest deviation that is near neutral (TWSTRS item F, ISO 11226 lateral)."""
    still_dps: float = 10.0
    """Largest relative rate that is still; quiet sitting has 3-5 °/s RMS."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Columns of grid rows that wait for their gate."""

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

    def cut(self, begin: int, end: int, *, copy: bool = False) -> "Rows":
        """Return rows begin..end-1."""
        parts = [getattr(self, name)[begin:end] for name in self.__slots__]
        return Rows(*(p.copy() for p in parts)) if copy else Rows(*parts)

    def joined(self, later: "Rows") -> "Rows":
        """Return these rows followed by later ones."""
        return Rows(
            *(np.concatenate((getattr(self, n), getattr(later, n))) for n in self.__slots__)
        )


@dataclass(frozen=True, slots=True)
class SummaryState:
    """The minute and the posture map under way, and what waits."""

    k_next: int
    """Grid index of the first row not yet added."""
    waiting: Rows | None
    minute_ns: int
    """Beginning of the minute under way; -1 before the first row."""
    counts: IntArray
    sums: FloatArray
    histograms: IntArray
    moments: FloatArray
    cells_ns: int
    """Beginning of the quarter of an hour under way."""
    cells: IntArray
    closed: tuple[MinuteSummary, ...]
    """Minutes that wait for their episodes."""
    episodes: tuple[Episode, ...]
    """Final episodes of minutes not yet given out."""
    turns: tuple[Turn, ...]


def start(params: SummaryParams) -> SummaryState:  # noqa: ARG001 - every step has this signature
    """Return the state before the first row."""
    return SummaryState(
        k_next=0,
        waiting=None,
        minute_ns=-1,
        counts=np.zeros(acc.COUNTS, dtype=np.int64),
        sums=np.zeros(acc.SUMS),
        histograms=np.zeros((4, acc.BINS), dtype=np.int64),
        moments=acc.empty_moments(),
        cells_ns=-1,
        cells=np.zeros((acc.MAP_ROWS, acc.MAP_COLUMNS), dtype=np.int64),
        closed=(),
        episodes=(),
        turns=(),
    )


def axis_statistics(
    counts: IntArray, sums: FloatArray, histograms: IntArray
) -> dict[str, float | None]:
    """Return mean, sd and percentiles of the four angles as named summary fields.

    Parameters
    ----------
    counts : (13,) int64
        As `accumulate.add_rows` fills them.
    sums : (10,) float64
    histograms : (4, 720) int64
    """
    fields: dict[str, float | None] = {}
    for j, axis in enumerate(AXES):
        n = int(counts[acc.TILT_N if j < 2 else acc.TURN_N])
        low = HISTOGRAM_LOW_DEG[j]
        mean = float(sums[j]) / n if n else None
        sd = None
        if mean is not None:
            sd = float(np.sqrt(max(0.0, float(sums[4 + j]) / n - mean * mean)))
        fields[f"{axis}_mean_deg"] = mean
        fields[f"{axis}_sd_deg"] = sd
        for name, q in (("p05", 0.05), ("p50", 0.5), ("p95", 0.95)):
            fields[f"{axis}_{name}_deg"] = histogram_quantile(
                histograms[j], q, low, HISTOGRAM_BIN_DEG
            )
    return fields


def _sensor_fields(name: str, moments: FloatArray) -> dict[str, str | float | None]:
    n = float(moments[6, 0])
    if n == 0.0:
        fields: dict[str, str | float | None] = {
            f"{name}_acc_{part}_ms2": "" for part in ("mean", "sd", "min", "max")
        }
        return {**fields, f"{name}_gyr_sd_dps": None}
    mean = moments[:6, 0] / n
    sd = np.sqrt(np.maximum(moments[:6, 1] / n - mean * mean, 0.0))

    def text(values: FloatArray) -> str:
        return ",".join(f"{v:.4f}" for v in values.tolist())

    return {
        f"{name}_acc_mean_ms2": text(mean[3:]),
        f"{name}_acc_sd_ms2": text(sd[3:]),
        f"{name}_acc_min_ms2": text(moments[3:6, 2]),
        f"{name}_acc_max_ms2": text(moments[3:6, 3]),
        f"{name}_gyr_sd_dps": float(np.degrees(sd[:3].max())),
    }


def _minute(
    state: SummaryState, rate_hz: float, *, head_only: bool, low_rate: bool
) -> MinuteSummary:
    """Return the minute under way without its episodes."""
    counts, sums = state.counts, state.sums

    def seconds(place: int) -> float:
        return int(counts[place]) / rate_hz

    n, worn, evaluable = (int(counts[i]) for i in (acc.N, acc.WORN, acc.EVALUABLE))
    graded = int(counts[acc.GOOD] + counts[acc.FAIR] + counts[acc.POOR])
    decidable = int(counts[acc.DECIDABLE])
    histograms = {
        f"{axis}_histogram": pack(state.histograms[j], round(HISTOGRAM_LOW_DEG[j] * 2.0))
        for j, axis in enumerate(AXES)
    }
    none_or_zero = None if low_rate else 0
    rms = float(np.sqrt(sums[acc.RATE_SQUARE] / evaluable)) if evaluable else None
    values: dict[str, object] = {
        "t_ns": state.minute_ns,
        "n": n,
        "recorded_s": n / rate_hz,
        "received_s": seconds(acc.RECEIVED),
        "completeness": int(counts[acc.RECEIVED]) / n if n else None,
        "worn_s": worn / rate_hz,
        "evaluable_s": evaluable / rate_hz,
        "gated_s": seconds(acc.GATED),
        **axis_statistics(counts, sums, state.histograms),
        "near_neutral_s": seconds(acc.NEAR) if decidable else None,
        "decidable_s": decidable / rate_hz,
        "heading_good_s": seconds(acc.GOOD),
        "heading_fair_s": seconds(acc.FAIR),
        "heading_poor_s": seconds(acc.POOR),
        "heading_sigma_deg": float(sums[acc.SIGMA]) / graded if graded else None,
        "still_s": seconds(acc.STILL),
        "relative_rate_rms_dps": rms,
        "jerk_n": none_or_zero,
        "jerk_s": none_or_zero,
        "tremor_n": none_or_zero,
        "tremor_s": none_or_zero,
        "posture_n": None if head_only else 0,
        "posture_s": None if head_only else 0.0,
        "turn_n": 0,
        **histograms,
        **_sensor_fields("head", state.moments[0]),
        **_sensor_fields("trunk", state.moments[1]),
        "trunk_compensated": not head_only,
    }
    return MinuteSummary(**values)  # type: ignore[arg-type] # built by field name above


def _with_events(
    minute: MinuteSummary, episodes: tuple[Episode, ...], turns: tuple[Turn, ...]
) -> MinuteSummary:
    """Return the minute with the episodes and turns that ended in it."""
    end_ns = minute.t_ns + MINUTE_NS
    changes: dict[str, float | int] = {
        "turn_n": sum(
            minute.t_ns <= t.end_ns < end_ns and abs(t.excursion_deg) >= TURN_DEG for t in turns
        )
    }
    for kind in ("jerk", "tremor", "posture"):
        if getattr(minute, f"{kind}_n") is None:
            continue
        ended = [e for e in episodes if e.kind == kind and minute.t_ns <= e.end_ns < end_ns]
        changes[f"{kind}_n"] = len(ended)
        changes[f"{kind}_s"] = sum(e.end_ns - e.start_ns for e in ended) * 1e-9
    return replace(minute, **changes)  # type: ignore[arg-type] # named fields of their own types


def _cells(state: SummaryState, rate_hz: float) -> list[PostureCell]:
    return [
        PostureCell(
            t_ns=state.cells_ns,
            rotation_deg=-180.0 + CELL_DEG * int(i),
            lateral_deg=-90.0 + CELL_DEG * int(j),
            seconds=int(state.cells[i, j]) / rate_hz,
        )
        for i, j in zip(*np.nonzero(state.cells), strict=True)
    ]


def _fresh_minute(state: SummaryState, minute_ns: int) -> SummaryState:
    return replace(
        state,
        minute_ns=minute_ns,
        counts=np.zeros_like(state.counts),
        sums=np.zeros_like(state.sums),
        histograms=np.zeros_like(state.histograms),
        moments=acc.empty_moments(),
    )


def _add(params: SummaryParams, state: SummaryState, rows: Rows, gated: BoolArray) -> SummaryState:
    """Return the state with rows of one minute added."""
    counts, sums = state.counts.copy(), state.sums.copy()
    histograms, moments = state.histograms.copy(), state.moments.copy()
    cells = state.cells.copy()
    acc.add_rows(
        rows.flexion,
        rows.lateral,
        rows.rotation,
        rows.deviation,
        rows.sigma,
        rows.valid,
        rows.received,
        gated,
        rows.rate,
        GOOD_SIGMA_DEG,
        FAIR_SIGMA_DEG,
        params.near_neutral_deg,
        params.still_dps,
        counts,
        sums,
        histograms,
        cells,
    )
    acc.add_sensor(rows.head_gyr, rows.head_acc, rows.head_valid, moments[0])
    acc.add_sensor(rows.trunk_gyr, rows.trunk_acc, rows.trunk_valid, moments[1])
    return replace(
        state, counts=counts, sums=sums, histograms=histograms, moments=moments, cells=cells
    )


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
    old = 0 if state.waiting is None else state.waiting.valid.shape[0]
    m, n = gate.gated.shape[0], rows.valid.shape[0]
    if m and gate.k0 != state.k_next:
        raise InputError(f"the gate begins at row {gate.k0}, expected {state.k_next}")
    if m > old + n:
        raise InputError("the gate is ahead of the angles; feed both of the same step")
    period_ns = round(1e9 / pair.rate_hz)
    closed = list(state.closed)
    cells: list[PostureCell] = []
    now = state
    at = 0
    while at < m:
        t_ns = pair.t0_ns + (state.k_next + at) * period_ns
        minute_ns = t_ns // MINUTE_NS * MINUTE_NS
        if minute_ns != now.minute_ns:
            if now.minute_ns >= 0:
                closed.append(_minute(now, pair.rate_hz, head_only=head_only, low_rate=low_rate))
            now = _fresh_minute(now, minute_ns)
        cells_ns = t_ns // CELL_SPAN_NS * CELL_SPAN_NS
        if cells_ns != now.cells_ns:
            cells += _cells(now, pair.rate_hz)
            now = replace(now, cells_ns=cells_ns, cells=np.zeros_like(now.cells))
        # to the end of the minute, of the waiting rows, or of the gate
        end = at + -(-(minute_ns + MINUTE_NS - t_ns) // period_ns)
        if at < old:
            end = min(end, old)
        end = min(end, m)
        source, base = (state.waiting, 0) if at < old else (rows, old)
        assert source is not None
        now = _add(params, now, source.cut(at - base, end - base), gate.gated[at:end])
        at = end
    if m < old and state.waiting is not None:
        waiting = state.waiting.cut(m, old, copy=True).joined(rows)
    else:
        waiting = rows.cut(m - old, n, copy=True)
    episodes, turns = (*state.episodes, *found.final), (*state.turns, *found.turns)
    current = None
    if now.minute_ns >= 0:
        current = _minute(now, pair.rate_hz, head_only=head_only, low_rate=low_rate)
    if final:
        if current is not None:
            closed.append(current)
            cells += _cells(now, pair.rate_hz)
        ready = len(closed)
    else:
        known_ns = pair.t0_ns + found.k_final * period_ns
        ready = 0
        while ready < len(closed) and closed[ready].t_ns + MINUTE_NS <= known_ns:
            ready += 1
    minutes = tuple(_with_events(minute, episodes, turns) for minute in closed[:ready])
    if current is not None:
        current = _with_events(current, (*episodes, *found.provisional), turns)
    oldest = closed[ready].t_ns if ready < len(closed) else now.minute_ns
    rest = replace(
        now,
        k_next=state.k_next + m,
        waiting=waiting,
        closed=tuple(closed[ready:]),
        episodes=tuple(e for e in episodes if e.end_ns >= oldest),
        turns=tuple(t for t in turns if t.end_ns >= oldest),
    )
    return rest, MinutesOut(minutes=minutes, cells=tuple(cells), current=current)
