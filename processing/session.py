"""One recorded wear session as a whole: find its alignment, then run the chain over it.

The calibration is first smoothed on its own, which gives the alignment and the neutral reference N;
poses then become resets, and the chain runs from the first sample on. Rows before N use the same N
and alignment.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from processing import alignment, orientation, pipeline, quaternion
from processing.alignment import Mounting, ReferencePoses, StoredReference
from processing.alignment.neutral import find_held
from processing.alignment.references import MOVEMENTS
from processing.declared import TO_ORDER, checked_spans
from processing.orientation import SensorParams
from processing.rows import join_orientations, orientation_rows, pair_rows
from processing.types import FloatArray, HeadingReset, PairBlock, PairOrientation, Span

Mode = Literal["online", "offline"]

CHUNK_ROWS = 60_000
"""Rows per step of a batch run, ten minutes at 100 Hz; bounds memory, changes no result."""
SURVEY_BEFORE_S = 60.0
"""How long before the calibration the survey begins."""
SURVEY_AFTER_S = 150.0
"""How far the survey goes on after the calibration: M and D held within 2 min belong to it."""
SURVEY_UNGUIDED_S = 3600.0
"""How much of a recording without guided movements is surveyed from its neutral pose on."""
SEARCH_NEUTRAL_S = 4 * 3600.0
"""How far a neutral pose that nobody declared is looked for; bounds memory."""


@dataclass(frozen=True, slots=True)
class Facing:
    """Relative heading before the pose that defines N, known from that pose backwards."""

    turn: FloatArray
    """(4,) about the vertical, makes the head sensor's heading agree with N at the pose."""
    pose_sigma_deg: float
    """Standard deviation of the pose."""
    until: int
    """Grid index of the first row whose heading the causal filter has from the pose itself."""
    unknown_variance_deg2: float
    """Variance of relative heading that the filter without resets reports at the pose."""

    def apply(self, oriented: PairOrientation) -> PairOrientation:
        """Return orientations in which no row has an unknown relative heading."""
        sigma = oriented.heading_sigma_deg
        before = oriented.k0 + np.arange(sigma.shape[0]) < self.until
        if not before.any():
            return oriented
        drift = np.maximum(0.0, self.unknown_variance_deg2 - np.square(sigma))
        known = np.sqrt(self.pose_sigma_deg**2 + drift)
        turned = quaternion.multiply(self.turn, oriented.q_es_head)
        return replace(
            oriented,
            q_es_head=np.where(before[:, None], turned, oriented.q_es_head),
            heading_sigma_deg=np.where(before, known, sigma),
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """What is settled before the chain runs over a session."""

    setup: pipeline.Setup
    resets: tuple[HeadingReset, ...]
    facing: Facing | None
    """None for a head sensor alone."""
    excluded: tuple[tuple[int, int], ...]
    """Grid rows of movements made to order, which are no free living."""
    warnings: tuple[str, ...]
    references: ReferencePoses
    """What N, M and D stand for, to be kept for later resets and re-dons."""


def plan(
    params: pipeline.PipelineParams,
    pair: PairBlock,
    spans: Sequence[Span],
    *,
    mounting: Mounting | None = None,
    neutral: Span | None = None,
    stored: StoredReference | None = None,
    head_only: bool = False,
    low_rate: bool = False,
    head_sensor: SensorParams | None = None,
    trunk_sensor: SensorParams | None = None,
) -> Plan:
    """Settle alignment, neutral reference, direction of dystonia and resets of a recording.

    Parameters
    ----------
    pair : PairBlock
        The whole session on the grid.
    spans : sequence of Span
        Poses and movements that the recording declares.
    mounting : Mounting or None
        How the sensors were mounted, where nobody calibrated.
    neutral : Span or None
        When the person held neutral, where no event says it.
    stored : StoredReference or None
        The person's references from an earlier calibration: a re-don, which keeps N.
    head_only : bool
        There is, or shall be used, only the head sensor.
    low_rate : bool
        A sensor is too slow for jerks and tremor.
    head_sensor, trunk_sensor : SensorParams or None
        What is known of the units.

    Raises
    ------
    AlignmentError
        There is no stretch of valid samples to align by, or `neutral` holds none.
    """
    counting = checked_spans(pair, spans, neutral=neutral, head_only=head_only)
    declared = list(counting.calibration)
    begin, end = _survey_rows(pair, declared, head_only=head_only)
    surveyed = pair_rows(pair, begin, end)
    known = pipeline.for_units(params.orientation, head_sensor, trunk_sensor)
    oriented = orientation.smooth(known, surveyed)
    found = alignment.estimate_alignment(
        surveyed, oriented, declared, mounting=mounting, stored_n=stored, head_only=head_only
    )
    poses = declared
    if stored is None:
        defining = alignment.neutral_span(surveyed, declared, head_only=head_only)
        poses = [*declared] if defining in declared else [defining, *declared]
    references = alignment.reference_poses(
        surveyed,
        oriented,
        found,
        poses,
        stored=None if stored is None else stored.rotations,
        stored_sigma_deg=None if stored is None else stored.sigma_deg,
    )
    resets = (
        ()
        if head_only
        else alignment.heading_resets(
            found, poses, t0_ns=pair.t0_ns, rate_hz=pair.rate_hz, references=references
        )
    )
    setup = pipeline.Setup(
        alignment=found,
        head_only=head_only,
        low_rate=low_rate,
        direction=references.direction,
        head_sensor=head_sensor,
        trunk_sensor=trunk_sensor,
    )
    return Plan(
        setup=setup,
        resets=tuple(resets),
        facing=_facing(known, pair, resets[0]) if resets else None,
        excluded=_moving_to_order(pair, counting.spans),
        warnings=(*counting.warnings, *found.warnings),
        references=references,
    )


def run(
    params: pipeline.PipelineParams,
    settled: Plan,
    pair: PairBlock,
    *,
    mode: Mode = "online",
    chunk_rows: int = CHUNK_ROWS,
) -> Iterator[pipeline.PipelineOutput]:
    """Yield the outputs of the chain over a whole session, chunk by chunk.

    Parameters
    ----------
    mode : {"online", "offline"}
        Orientations from the causal filter, exactly as live, or smoothed over the session.
    chunk_rows : int
        Rows per chunk; changes no result.
    """
    state = pipeline.start(params, settled.setup)
    known = pipeline.orientation_params(params, settled.setup)
    oriented: PairOrientation | None = None
    if mode == "offline":
        oriented = orientation.smooth(known, pair, settled.resets)
    filter_state = orientation.start(known, pair.rate_hz)
    n = pair.head_gyr.shape[0]
    for begin in range(0, n, chunk_rows):
        end = min(n, begin + chunk_rows)
        chunk = pair_rows(pair, begin, end)
        if oriented is not None:
            here = orientation_rows(oriented, begin, end)
        else:
            filter_state, here = orientation.step(known, filter_state, chunk, settled.resets)
            if settled.facing is not None:
                here = settled.facing.apply(here)
        state, output = pipeline.follow(
            params,
            state,
            settled.setup,
            chunk,
            here,
            excluded=settled.excluded,
            final=end == n,
        )
        yield output


def _facing(
    known: orientation.PairParams, pair: PairBlock, defining: HeadingReset
) -> Facing | None:
    """Run the causal filter without resets from the first row to the pose that defines N."""
    oriented = _without_resets(known, pair, defining.k_start - pair.k0, defining.k_end - pair.k0)
    turn = quaternion.multiply(
        quaternion.multiply(oriented.q_es_trunk, defining.q_th_ref),
        quaternion.conjugate(oriented.q_es_head),
    )
    finite = np.isfinite(turn).all(axis=1)
    if not finite.any():
        return None
    mean = quaternion.mean(turn[finite])
    first = max(defining.k_start, pair.k0) + int(np.argmax(finite))
    return Facing(
        turn=quaternion.normalize(mean * np.array([1.0, 0.0, 0.0, 1.0])),
        pose_sigma_deg=defining.sigma_deg,
        until=orientation.told_from(known, pair.rate_hz, first),
        unknown_variance_deg2=float(np.nanmax(np.square(oriented.heading_sigma_deg))),
    )


def _without_resets(
    known: orientation.PairParams, pair: PairBlock, begin: int, end: int
) -> PairOrientation:
    """Return rows begin..end of the causal filter, run from the first row on."""
    state = orientation.start(known, pair.rate_hz)
    kept: list[PairOrientation] = []
    for first in range(0, end, CHUNK_ROWS):
        last = min(end, first + CHUNK_ROWS)
        state, rows = orientation.step(known, state, pair_rows(pair, first, last))
        if last > begin:
            kept.append(orientation_rows(rows, max(0, begin - first), last - first))
    return join_orientations(kept)


def _row(pair: PairBlock, t_ns: int) -> int:
    """Return the row of a block that a time falls on, inside the block or not."""
    return round((t_ns - pair.t0_ns) * 1e-9 * pair.rate_hz) - pair.k0


def movements_of(spans: Sequence[Span]) -> tuple[tuple[int, int], ...]:
    """Return (from, to) in nanoseconds of movements made to order, which are no free living."""
    return tuple((span.start_ns, span.end_ns) for span in spans if span.kind in TO_ORDER)


def _moving_to_order(pair: PairBlock, spans: Sequence[Span]) -> tuple[tuple[int, int], ...]:
    return tuple(
        (_row(pair, start_ns) + pair.k0, _row(pair, end_ns) + pair.k0)
        for start_ns, end_ns in movements_of(spans)
    )


def _survey_rows(pair: PairBlock, spans: Sequence[Span], *, head_only: bool) -> tuple[int, int]:
    """Return the rows that the alignment needs to see: the calibration, or an hour."""
    n = int(pair.head_gyr.shape[0])

    def cut(first: int, last: int, before_s: float, after_s: float) -> tuple[int, int]:
        return (
            max(0, first - round(before_s * pair.rate_hz)),
            min(n, last + round(after_s * pair.rate_hz)),
        )

    movements = [_row(pair, s.end_ns) for s in spans if s.kind in MOVEMENTS]
    neutral = next((_row(pair, s.start_ns) for s in spans if s.kind == "neutral_pose"), None)
    if movements:
        return cut(min(*movements, neutral or 0), max(movements), SURVEY_BEFORE_S, SURVEY_AFTER_S)
    if neutral is None:
        searched = pair_rows(pair, 0, min(n, round(SEARCH_NEUTRAL_S * pair.rate_hz)))
        neutral = find_held(searched, head_only=head_only).start
    return cut(neutral, neutral, SURVEY_BEFORE_S, SURVEY_UNGUIDED_S)
