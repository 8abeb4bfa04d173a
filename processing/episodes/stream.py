"""All detectors on one stream: precedence, and finality at a fixed lag.

Precedence is invalid, gate, tremor, jerk; posture stands beside them. An episode is reported final
at a fixed number of rows after its end, whatever the cut of the stream, and never changed again.
"""

import numpy as np

from processing.episodes import jerk, posture, spectrum, tremor, turns
from processing.episodes.jerk import JerkCandidate
from processing.episodes.posture import PostureState
from processing.episodes.reports import jerk_episode, recovery_s
from processing.episodes.rows import Rows, grow
from processing.episodes.state import EpisodeParams, EpisodesState
from processing.episodes.types import EpisodesOut, unit_direction
from processing.gates import GateBlock
from processing.kept_rows import rows_from
from processing.types import CervicalAngles, Episode, FloatArray, IntArray

_HISTORY_ROWS = 900
"""Rows kept behind the gate: an undecided jerk and its recovery, the window under way."""
LOW_RATE_NOTE = (
    "jerks and tremor are not judged: the sensors sample below 50 Hz; record at 50 Hz or more"
)
_BURST_ROWS = 2000
"""Decided jerks are remembered this long for the bursts of later ones."""


def _jerks(
    params: EpisodeParams, state: EpisodesState, rows: Rows, *, low_rate: bool
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


def _windows(rows: Rows, k_window: int) -> tuple[IntArray, int]:
    """Return the first rows of the tremor windows that are complete, and the next one."""
    count = max(0, (rows.k_real - spectrum.WINDOW_ROWS - k_window) // spectrum.HOP_ROWS + 1)
    begin = k_window - rows.k0
    starts = np.arange(begin, begin + count * spectrum.HOP_ROWS, spectrum.HOP_ROWS, dtype=np.int64)
    return starts, k_window + count * spectrum.HOP_ROWS


def _postures(
    params: EpisodeParams,
    state: EpisodesState,
    rows: Rows,
    angles: FloatArray,
    t0_ns: int,
    direction: FloatArray,
    *,
    estimated: bool,
    final: bool,
) -> tuple[PostureState, int, list[tuple[int, int, Episode]]]:
    """Return state, first angle row still needed, and decisions."""
    count = max(0, rows.k_gate - state.k_angles) // posture.POINT_ROWS
    k_end = state.k_angles + count * posture.POINT_ROWS
    block = angles[: k_end - state.k_angles]
    points = np.empty((count, posture.COLUMNS))
    known, judged = np.empty(count, dtype=np.bool_), np.empty(count, dtype=np.bool_)
    span = slice(state.k_angles - rows.k0, k_end - rows.k0)
    posture.block_means(
        block, rows.w[span], rows.invalid[span], rows.gated[span], points, known, judged
    )
    rest, ended = posture.advance(
        params.posture, state.posture, points, known, judged, params.rate_hz
    )
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
    return rest, k_end, decisions


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
    rows, all_angles, raw_w, raw_invalid = grow(
        params, state, angles, w_rel_dps, gate, head_only=head_only, final=final
    )
    d = unit_direction(direction)
    k_gate, rate_hz = rows.k_gate, params.rate_hz
    decisions: list[tuple[int, int, Episode]] = []

    found, kept, k_scanned = _jerks(params, state, rows, low_rate=low_rate)
    starts, k_window = _windows(rows, state.k_window)
    open_tremor, covered = state.tremor, state.covered
    if not low_rate:
        open_tremor, ended = tremor.judge(
            params.tremor, rows.w, rows.invalid, rows.gated, starts, rows.k0, rate_hz, open_tremor
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

    posture_state, k_angles, posture_decisions = _postures(
        params, state, rows, all_angles, t0_ns, d, estimated=direction_estimated, final=final
    )
    decisions += posture_decisions

    def provisional() -> tuple[Episode, ...]:
        undecided = [*kept[decided:], *found]
        undecided_peaks = [*peaks, *(c.k_peak for c in found)]
        looks = [as_episode(c, undecided_peaks) for c in undecided if not in_tremor(c)]
        if open_tremor is not None and open_counts:
            looks.append(tremor.report(params.tremor, open_tremor, t0_ns, rate_hz))
        if not final and posture.is_open(posture_state):
            posture_look = posture.report(
                params.posture,
                posture_state.counters,
                posture_state.sums,
                posture_state.histograms,
                t0_ns,
                rate_hz,
                d,
                estimated=direction_estimated,
            )
            looks += [posture_look] if posture_look is not None else []
        return tuple(looks)

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
        turns=tuple(ended_turns),
        k_final=rows.k_real if final else max(0, k_gate - wait),
        notes=(LOW_RATE_NOTE,) if low_rate else (),
        look=provisional,
    )
    rest = EpisodesState(
        k_raw=state.k_raw + raw_keep,
        raw_w=rows_from(raw_w, raw_keep),
        raw_invalid=rows_from(raw_invalid, raw_keep),
        k_rows=rows.k0 + cut,
        w=rows_from(rows.w, cut),
        invalid=rows_from(rows.invalid, cut),
        gated=rows_from(rows.gated, cut),
        k_angles=k_angles,
        angles=rows_from(all_angles, k_angles - state.k_angles),
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
