"""All detectors on one stream: buffering, precedence, finality at a fixed lag.

Precedence is invalid, gate, tremor, jerk; posture stands beside them. An episode is reported final
at a fixed number of rows after its end, whatever the cut of the stream, and never changed again.
"""

from dataclasses import dataclass, field

import numpy as np

from processing._jit import kernel
from processing.episodes import jerk, posture, spectrum, tremor, turns
from processing.episodes.jerk import JerkCandidate, JerkParams
from processing.episodes.posture import PostureParams, PostureState
from processing.episodes.reports import jerk_episode, recovery_s
from processing.episodes.tremor import TremorEpisode, TremorParams
from processing.episodes.turns import TurnParams, TurnState
from processing.episodes.types import EpisodesOut, unit_direction
from processing.errors import InputError
from processing.filters import fir, lowpass_taps, near_bad
from processing.gates import GateBlock
from processing.types import BoolArray, CervicalAngles, Episode, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class EpisodeParams:
    """Everything that decides what is a candidate episode."""

    jerk: JerkParams = field(default_factory=JerkParams)
    posture: PostureParams = field(default_factory=PostureParams)
    tremor: TremorParams = field(default_factory=TremorParams)
    turn: TurnParams = field(default_factory=TurnParams)
    lowpass_hz: float = 20.0
    """Half-power frequency of the relative rate. Lower widens jerks, higher lets strap noise in."""
    lowpass_half_rows: int = 8
    """Taps on each side of that filter; its lag."""
    decide_s: float = 7.3
    """A jerk is decided this long after its end, once the gate is known: any tremor episode that
    covers it has shown itself by then. With the gate's 2 s it stays below the 10 s allowed."""
    rate_hz: float = 100.0
    """Grid rate; the windows of the tremor detector are laid out for 100 Hz."""


@dataclass(frozen=True, slots=True)
class EpisodesState:
    """What all detectors remember."""

    k_raw: int
    """Grid index of the first row of `raw_w`."""
    raw_w: FloatArray
    """(2 half, 3) at most: rates that the filter still needs."""
    raw_invalid: BoolArray
    k_rows: int
    """Grid index of the first row of the arrays below."""
    w: FloatArray
    """(m, 3) filtered rates."""
    invalid: BoolArray
    """(m,) rows within reach of an invalid one."""
    gated: BoolArray
    """(g,) gate of the first g of these rows."""
    k_angles: int
    """Grid index of the first row of `angles`."""
    angles: FloatArray
    """(a, 5) flexion, lateral, rotation, deviation, heading sigma; NaN where not usable."""
    k_scanned: int
    """First row not yet judged as the peak of a jerk."""
    k_window: int
    """First row of the next tremor window."""
    found: tuple[JerkCandidate, ...]
    """Jerks whose gate is not known yet."""
    kept: tuple[JerkCandidate, ...]
    """Jerks outside gates, refractory time applied; decided ones stay for the bursts of others."""
    decided: int
    """How many of `kept` have been decided."""
    tremor: TremorEpisode | None
    covered: tuple[tuple[int, int], ...]
    """Row bounds of tremor episodes that ended lately."""
    posture: PostureState
    turns: TurnState


_HISTORY_ROWS = 900
"""Rows kept behind the gate: an undecided jerk and its recovery, the window under way."""
LOW_RATE_NOTE = (
    "jerks and tremor are not judged: the sensors sample below 50 Hz; record at 50 Hz or more"
)
_TAIL_ROWS = 120
"""Unknown rows that follow the last one, so that all filters can run out."""
_BURST_ROWS = 2000
"""Decided jerks are remembered this long for the bursts of later ones."""


@kernel()
def _prepare(
    flexion: FloatArray,
    lateral: FloatArray,
    rotation: FloatArray,
    deviation: FloatArray,
    sigma: FloatArray,
    valid: BoolArray,
    w: FloatArray,
    sigma_max: float,
    raw_w: FloatArray,
    invalid: BoolArray,
    angles: FloatArray,
) -> None:
    """Fill finite rates, validity and the usable angles (n, 5)."""
    for i in range(valid.shape[0]):
        total = w[i, 0] + w[i, 1] + w[i, 2]
        fine = valid[i] and np.isfinite(total)
        invalid[i] = not fine
        for j in range(3):
            raw_w[i, j] = w[i, j] if fine else 0.0
        usable = fine and sigma[i] <= sigma_max and np.isfinite(deviation[i])
        angles[i, 0] = flexion[i] if usable else np.nan
        angles[i, 1] = lateral[i]
        angles[i, 2] = rotation[i]
        angles[i, 3] = deviation[i]
        angles[i, 4] = sigma[i]


def start(params: EpisodeParams) -> EpisodesState:
    """Return the state before the first row.

    Raises
    ------
    InputError
        The grid has another rate than the detectors are laid out for.
    """
    if params.rate_hz != 100.0:
        raise InputError(f"the detectors work on a 100 Hz grid, not at {params.rate_hz} Hz")
    none = np.empty(0, dtype=np.bool_)
    half = params.lowpass_half_rows
    return EpisodesState(
        # what lies before the first row is not known: the filter's reach of it is invalid
        k_raw=-half,
        raw_w=np.zeros((half, 3)),
        raw_invalid=np.ones(half, dtype=np.bool_),
        k_rows=0,
        w=np.empty((0, 3)),
        invalid=none,
        gated=none,
        k_angles=0,
        angles=np.empty((0, 5)),
        k_scanned=round(params.jerk.reach_s * params.rate_hz),
        k_window=0,
        found=(),
        kept=(),
        decided=0,
        tremor=None,
        covered=(),
        posture=posture.start(),
        turns=turns.start(),
    )


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows at hand: filtered rates, flags, and where the known ones end."""

    k0: int
    w: FloatArray
    invalid: BoolArray
    gated: BoolArray
    k_real: int
    """First index behind the rows that really exist and whose gate is known."""

    @property
    def k_gate(self) -> int:
        return self.k0 + int(self.gated.shape[0])

    @property
    def k_w(self) -> int:
        return self.k0 + int(self.w.shape[0])

    def bad(self, begin: int, end: int) -> BoolArray:
        """Return where rows begin..end-1 are invalid or gated."""
        span = slice(begin - self.k0, end - self.k0)
        return np.asarray(self.invalid[span] | self.gated[span])


def _grow(
    params: EpisodeParams,
    state: EpisodesState,
    angles: CervicalAngles,
    w_rel_dps: FloatArray,
    gate: GateBlock,
    *,
    head_only: bool,
    final: bool,
) -> tuple[_Rows, FloatArray, FloatArray, BoolArray]:
    """Return rows, usable angles, and the raw rates and flags that the next step needs."""
    n = angles.valid.shape[0]
    k_new = state.k_raw + state.raw_w.shape[0]
    if n and angles.k0 != k_new:
        raise InputError(f"angles begin at row {angles.k0}, expected {k_new}: rows were skipped")
    k_gate = state.k_rows + state.gated.shape[0]
    if gate.gated.shape[0] and gate.k0 != k_gate:
        raise InputError(f"the gate begins at row {gate.k0}, expected {k_gate}: rows were skipped")
    half = params.lowpass_half_rows
    tail = _TAIL_ROWS + half if final else 0
    m = state.raw_w.shape[0]
    raw_w = np.zeros((m + n + tail, 3))
    raw_invalid = np.ones(m + n + tail, dtype=np.bool_)
    raw_w[:m], raw_invalid[:m] = state.raw_w, state.raw_invalid
    a = state.angles.shape[0]
    all_angles = np.full((a + n + tail, 5), np.nan)
    all_angles[:a] = state.angles
    _prepare(
        angles.flexion_deg,
        angles.lateral_right_deg,
        angles.rotation_right_deg,
        angles.deviation_deg,
        angles.heading_sigma_deg,
        angles.valid,
        w_rel_dps,
        -np.inf if head_only else params.posture.sigma_max_deg,
        raw_w[m:],
        raw_invalid[m:],
        all_angles[a:],
    )
    fresh = max(0, raw_w.shape[0] - 2 * half)
    old = state.w.shape[0]
    w = np.empty((old + fresh, 3))
    invalid = np.empty(old + fresh, dtype=np.bool_)
    w[:old], invalid[:old] = state.w, state.invalid
    if fresh:
        fir(raw_w, lowpass_taps(params.lowpass_hz, params.rate_hz, half), w[old:])
        near_bad(raw_invalid, half, invalid[old:])
    known = gate.gated
    k_real = k_gate + known.shape[0]
    if final:
        if k_real != k_new + n:
            raise InputError("the gate of the last rows is missing: flush the gate first")
        known = np.concatenate((known, np.zeros(_TAIL_ROWS, dtype=np.bool_)))
    gated = np.concatenate((state.gated, known))
    return _Rows(state.k_rows, w, invalid, gated, k_real), all_angles, raw_w, raw_invalid


def _jerks(
    params: EpisodeParams, state: EpisodesState, rows: _Rows, *, low_rate: bool
) -> tuple[tuple[JerkCandidate, ...], tuple[JerkCandidate, ...], int]:
    """Return jerks whose gate is unknown, those outside gates, and the next row to scan."""
    reach = round(params.jerk.reach_s * params.rate_hz)
    end = max(state.k_scanned, rows.k_w - reach)
    if low_rate:
        return (), (), end
    new = jerk.candidates(
        params.jerk,
        rows.w,
        rows.invalid,
        rows.k0,
        state.k_scanned - rows.k0,
        end - rows.k0,
        params.rate_hz,
    )
    found = [*state.found, *new]
    ready = 0
    while ready < len(found) and found[ready].k_offset < rows.k_gate:
        ready += 1
    outside = [
        c
        for c in found[:ready]
        if not rows.gated[c.k_onset - rows.k0 : c.k_offset + 1 - rows.k0].any()
    ]
    refractory = round(params.jerk.refractory_s * params.rate_hz)
    kept = jerk.keep_larger(list(state.kept), outside, refractory)
    return tuple(found[ready:]), tuple(kept), end


def _windows(rows: _Rows, k_window: int) -> tuple[IntArray, int]:
    """Return the first rows of the tremor windows that are complete, and the next one."""
    count = max(0, (rows.k_real - spectrum.WINDOW_ROWS - k_window) // spectrum.HOP_ROWS + 1)
    starts = k_window - rows.k0 + spectrum.HOP_ROWS * np.arange(count, dtype=np.int64)
    return starts, k_window + count * spectrum.HOP_ROWS


def _postures(
    params: EpisodeParams,
    state: EpisodesState,
    rows: _Rows,
    angles: FloatArray,
    t0_ns: int,
    direction: FloatArray,
    *,
    estimated: bool,
    final: bool,
) -> tuple[PostureState, int, list[tuple[int, int, Episode]], Episode | None]:
    """Return state, first angle row still needed, decisions, and the open episode."""
    count = max(0, rows.k_gate - state.k_angles) // posture.POINT_ROWS
    k_end = state.k_angles + count * posture.POINT_ROWS
    block = angles[: k_end - state.k_angles]
    points, judged = np.empty((count, posture.COLUMNS)), np.empty(count, dtype=np.bool_)
    usable = ~rows.bad(state.k_angles, k_end) & np.isfinite(block[:, 0])
    w = rows.w[state.k_angles - rows.k0 : k_end - rows.k0]
    posture.block_means(block, w, usable, points, judged)
    rest, ended = posture.advance(params.posture, state.posture, points, judged, params.rate_hz)
    if final and posture.is_open(rest):
        ended.append((rows.k_gate, rest.counters, rest.sums, rest.histograms))
    decisions = []
    for k, counters, sums, histograms in ended:
        episode = posture.report(
            params.posture,
            counters,
            sums,
            histograms,
            t0_ns,
            params.rate_hz,
            direction,
            estimated=estimated,
        )
        if episode is not None:
            decisions.append((k, 2, episode))
    open_episode = None
    if not final and posture.is_open(rest):
        open_episode = posture.report(
            params.posture,
            rest.counters,
            rest.sums,
            rest.histograms,
            t0_ns,
            params.rate_hz,
            direction,
            estimated=estimated,
        )
    return rest, k_end, decisions, open_episode


def step(
    params: EpisodeParams,
    state: EpisodesState,
    angles: CervicalAngles,
    w_rel_dps: FloatArray,
    gate: GateBlock,
    *,
    t0_ns: int,
    direction: FloatArray | None = None,
    direction_estimated: bool = False,
    low_rate: bool = False,
    head_only: bool = False,
    final: bool = False,
) -> tuple[EpisodesState, EpisodesOut]:
    """Feed the next rows to all detectors.

    Parameters
    ----------
    angles : CervicalAngles
        Rows that continue those of the step before, from grid index 0 on.
    w_rel_dps : (n, 3) float64
        `relative_rate_dps` of the same rows.
    gate : GateBlock
        The gate as it arrives, later than the angles.
    t0_ns : int
        UTC nanoseconds of grid index 0.
    direction : (3,) float64, optional
        D - N as (flexion, lateral right, rotation right); None where D was never recorded.
    direction_estimated : bool
        `direction` is the recording's own median deviation (offline mode only).
    low_rate : bool
        The sensors sample below 50 Hz: jerks and tremor are not judged.
    head_only : bool
        There is no trunk sensor: the angles are not those of the neck and give no postures.
    final : bool
        Nothing follows; the gate must have been flushed.

    Returns
    -------
    state : EpisodesState
    out : EpisodesOut

    Raises
    ------
    InputError
        Rows were skipped.
    """
    rows, all_angles, raw_w, raw_invalid = _grow(
        params, state, angles, w_rel_dps, gate, head_only=head_only, final=final
    )
    d = unit_direction(direction)
    k_gate, rate_hz = rows.k_gate, params.rate_hz
    decisions: list[tuple[int, int, Episode]] = []

    found, kept, k_scanned = _jerks(params, state, rows, low_rate=low_rate)
    starts, k_window = _windows(rows, state.k_window)
    open_tremor, covered = state.tremor, state.covered
    if not low_rate:
        blocked = rows.invalid[: rows.gated.shape[0]] | rows.gated
        open_tremor, ended = tremor.judge(
            params.tremor, rows.w, blocked, starts, rows.k0, rate_hz, open_tremor
        )
        if final and open_tremor is not None:
            if tremor.counts_as_episode(params.tremor, open_tremor, rate_hz):
                ended.append((k_gate, open_tremor))
            open_tremor = None
        decisions += [(k, 0, tremor.report(params.tremor, e, t0_ns, rate_hz)) for k, e in ended]
        covered += tuple(tremor.bounds(params.tremor, e, rate_hz) for _, e in ended)
    spans = [*covered]
    open_counts = open_tremor is not None and tremor.counts_as_episode(
        params.tremor, open_tremor, rate_hz
    )
    if open_tremor is not None and open_counts:
        spans.append(tremor.bounds(params.tremor, open_tremor, rate_hz))

    wait = round(params.decide_s * rate_hz)
    burst_rows = round(params.jerk.burst_window_s * rate_hz)

    def as_episode(c: JerkCandidate, peaks: list[int]) -> Episode:
        burst = jerk.burst_size(c.k_peak, peaks, params.jerk.burst_n, burst_rows)
        recovery = recovery_s(c, rows.w, rows.k0, rate_hz)
        return jerk_episode(
            params.jerk, c, t0_ns, rate_hz, d, burst, recovery, estimated=direction_estimated
        )

    def in_tremor(c: JerkCandidate) -> bool:
        return any(first <= c.k_peak <= last for first, last in spans)

    decided = state.decided
    peaks = [c.k_peak for c in kept]
    while decided < len(kept) and (final or kept[decided].k_offset + wait <= k_gate):
        c = kept[decided]
        decided += 1
        if not in_tremor(c):
            decisions.append((c.k_offset + wait, 1, as_episode(c, peaks)))
    undecided = [*kept[decided:], *found]
    undecided_peaks = [*peaks, *(c.k_peak for c in found)]
    provisional = [as_episode(c, undecided_peaks) for c in undecided if not in_tremor(c)]
    if open_tremor is not None and open_counts:
        provisional.append(tremor.report(params.tremor, open_tremor, t0_ns, rate_hz))

    posture_state, k_angles, posture_decisions, open_posture = _postures(
        params, state, rows, all_angles, t0_ns, d, estimated=direction_estimated, final=final
    )
    decisions += posture_decisions
    if open_posture is not None:
        provisional.append(open_posture)
    k_turned = state.k_rows + state.gated.shape[0]
    turn_state, ended_turns = turns.advance(
        params.turn,
        state.turns,
        rows.w[k_turned - rows.k0 : k_gate - rows.k0],
        rows.bad(k_turned, k_gate),
        k_turned,
        t0_ns,
        rate_hz,
    )

    decisions.sort(key=lambda decision: (decision[0], decision[1], decision[2].start_ns))
    forget = sum(c.k_peak <= k_gate - _BURST_ROWS for c in kept[:decided])
    reach = round(params.jerk.reach_s * rate_hz)
    keep_from = min(k_scanned - reach, k_window, k_gate - _HISTORY_ROWS)
    cut = max(0, keep_from - rows.k0)
    half = params.lowpass_half_rows
    raw_keep = max(0, raw_w.shape[0] - 2 * half)
    out = EpisodesOut(
        final=tuple(episode for _, _, episode in decisions),
        provisional=tuple(provisional),
        turns=tuple(ended_turns),
        k_final=rows.k_real if final else max(0, k_gate - wait),
        notes=(LOW_RATE_NOTE,) if low_rate else (),
    )
    rest = EpisodesState(
        k_raw=state.k_raw + raw_keep,
        raw_w=raw_w[raw_keep:].copy(),
        raw_invalid=raw_invalid[raw_keep:].copy(),
        k_rows=rows.k0 + cut,
        w=rows.w[cut:].copy(),
        invalid=rows.invalid[cut:].copy(),
        gated=rows.gated[cut:].copy(),
        k_angles=k_angles,
        angles=all_angles[k_angles - state.k_angles :].copy(),
        k_scanned=k_scanned,
        k_window=k_window,
        found=found,
        kept=kept[forget:],
        decided=decided - forget,
        tremor=open_tremor,
        covered=tuple(span for span in covered if span[1] > k_gate - _BURST_ROWS),
        posture=posture_state,
        turns=turn_state,
    )
    return rest, out
