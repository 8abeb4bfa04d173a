"""The whole chain for one wear session, one step at a time: samples in, results out.

    grid -> joint orientation -> angles -> gate, wear -> candidate episodes -> minutes

Live and batch call the same `step`. Offline smoothing replaces the orientations only and calls
`follow`, the part of the chain after them. A wear session runs from one calibration to the next or
to take-off; its `Setup` does not change.
"""

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from processing import episodes, gates, grid, orientation, summary, wear
from processing.angles import HeadInclination, cervical_angles, head_inclination
from processing.derived import derived
from processing.episodes import EpisodeParams, EpisodesOut, EpisodesState
from processing.gates import GateBlock, GateParams, GateState
from processing.grid import GridParams, GridState
from processing.orientation import PairParams, PairState, SensorParams
from processing.state import encode
from processing.summary import MinutesOut, SummaryParams, SummaryState
from processing.types import (
    Alignment,
    BoolArray,
    CervicalAngles,
    FloatArray,
    HeadingReset,
    ImuBlock,
    PairBlock,
    PairOrientation,
)
from processing.wear import WearParams, WearState

ALGORITHM_VERSION: Final = "5"
"""Rises when equal parameters may give other numbers."""

MIN_RATE_FOR_JERKS_HZ: Final = 50.0
"""Below it jerks and tremor are null: at 25 Hz a tremor reads 12 % low (clinical specification)."""


@dataclass(frozen=True, slots=True)
class PipelineParams:
    """Every tuning parameter of the chain; its hash stands beside every result."""

    grid: GridParams = field(default_factory=GridParams)
    orientation: PairParams = field(default_factory=PairParams)
    gates: GateParams = field(default_factory=GateParams)
    wear: WearParams = field(default_factory=WearParams)
    episodes: EpisodeParams = field(default_factory=EpisodeParams)
    summary: SummaryParams = field(default_factory=SummaryParams)

    @property
    def hash(self) -> str:
        """Eight hexadecimal digits that change with any parameter or the algorithm's version."""
        return _hash(self)

    @property
    def algorithm_id(self) -> str:
        """Short id of version and parameters, the tag of stored results."""
        return f"{ALGORITHM_VERSION}-{self.hash}"


@derived
def _hash(params: PipelineParams) -> str:
    """Return the hash of the parameters and the algorithm's version."""
    text = json.dumps([ALGORITHM_VERSION, encode(params)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class Setup:
    """What is known about a wear session before its samples arrive."""

    alignment: Alignment
    head_only: bool = False
    """A single head sensor: neck angles are null, inclination is given instead."""
    low_rate: bool = False
    """A sensor is slower than `MIN_RATE_FOR_JERKS_HZ`."""
    direction: FloatArray | None = None
    """(3,) direction of dystonia in (flexion, lateral, rotation), from D - N; None if unknown."""
    head_sensor: SensorParams | None = None
    """What is known of the unit on the head; None: what the parameters say of any."""
    trunk_sensor: SensorParams | None = None
    """The same of the unit on the trunk."""


@dataclass(frozen=True, slots=True)
class PipelineState:
    """Everything the chain remembers; save it with `processing.state`."""

    grid: GridState
    orientation: PairState
    gates: GateState
    wear: WearState
    episodes: EpisodesState
    summary: SummaryState


@dataclass(frozen=True, slots=True)
class PipelineOutput:
    """What one step adds. The gate and all that rests on it lag the angles by a fixed time."""

    pair: PairBlock
    orientation: PairOrientation
    angles: CervicalAngles
    inclination: HeadInclination | None
    """Head to gravity, for a single head sensor only."""
    worn: BoolArray
    """(n,) both sensors (or the only one) worn."""
    relative_rate_dps: FloatArray
    """(n, 3) angular rate of the head relative to the trunk, head segment axes."""
    gate: GateBlock
    episodes: EpisodesOut
    minutes: MinutesOut


def orientation_params(params: PipelineParams, setup: Setup) -> PairParams:
    """Return the filter's parameters for the units that are worn."""
    return for_units(params.orientation, setup.head_sensor, setup.trunk_sensor)


@derived
def for_units(
    params: PairParams, head: SensorParams | None, trunk: SensorParams | None
) -> PairParams:
    """Return the filter's parameters with what is known of two units, where it is known."""
    return dataclasses.replace(params, head=head or params.head, trunk=trunk or params.trunk)


def start(params: PipelineParams, setup: Setup) -> PipelineState:
    """Return the state before the first sample of a wear session."""
    return PipelineState(
        grid=grid.start(params.grid, has_trunk=not setup.head_only),
        orientation=orientation.start(orientation_params(params, setup), params.grid.rate_hz),
        gates=gates.start(params.gates),
        wear=wear.start(params.wear),
        episodes=episodes.start(params.episodes),
        summary=summary.start(params.summary),
    )


def step(
    params: PipelineParams,
    state: PipelineState,
    setup: Setup,
    head: ImuBlock | None,
    trunk: ImuBlock | None,
    *,
    resets: Sequence[HeadingReset] = (),
    excluded: Sequence[tuple[int, int]] = (),
    complete_until_ns: int | None = None,
    final: bool = False,
) -> tuple[PipelineState, PipelineOutput]:
    """Advance by the samples that have come.

    Parameters
    ----------
    head, trunk : ImuBlock or None
        New samples of each sensor at its own rate, continuing those of the step before.
    resets : sequence of HeadingReset
        All resets of the session known so far; each acts when the grid reaches its end.
    excluded : sequence of (int, int)
        Grid rows (first, one past the last) of guided movements and exercises known so far: they
        count as gated. A stretch must be told before its rows are two seconds old.
    complete_until_ns : int or None
        Nothing older than this will come any more: what is missing before it is missing for good.
    final : bool
        Nothing follows: finish what waits for later samples.

    Raises
    ------
    InputError
        A block breaks its contract.
    """
    grid_state, pair = grid.step(
        params.grid, state.grid, head, trunk, complete_until_ns=complete_until_ns, final=final
    )
    filter_state, oriented = orientation.step(
        orientation_params(params, setup), state.orientation, pair, resets
    )
    state = PipelineState(
        grid_state, filter_state, state.gates, state.wear, state.episodes, state.summary
    )
    return follow(params, state, setup, pair, oriented, excluded=excluded, final=final)


def follow(
    params: PipelineParams,
    state: PipelineState,
    setup: Setup,
    pair: PairBlock,
    oriented: PairOrientation,
    *,
    excluded: Sequence[tuple[int, int]] = (),
    final: bool = False,
) -> tuple[PipelineState, PipelineOutput]:
    """Advance everything after the orientations, which come from the filter or the smoother."""
    wear_state, wear_block = wear.step(params.wear, state.wear, pair)
    if setup.head_only:
        worn = wear_block.head_worn
        valid = pair.head_valid & worn
    else:
        worn = wear_block.head_worn & wear_block.trunk_worn
        valid = pair.head_valid & pair.trunk_valid & worn
    angles = cervical_angles(oriented, setup.alignment, valid)
    rate_dps = episodes.relative_rate_dps(
        pair, angles.q_rel, setup.alignment, head_only=setup.head_only
    )
    if setup.head_only:
        angles = _without_neck(angles)
    gate_state, gate = gates.step(
        params.gates, state.gates, pair, head_only=setup.head_only, final=final
    )
    gate = gates.excluding(gate, excluded)
    episode_state, found = episodes.step(
        params.episodes,
        state.episodes,
        angles,
        rate_dps,
        gate,
        t0_ns=pair.t0_ns,
        direction=setup.direction,
        low_rate=setup.low_rate,
        head_only=setup.head_only,
        final=final,
    )
    summary_state, minutes = summary.step(
        params.summary,
        state.summary,
        pair,
        angles,
        rate_dps,
        gate,
        found,
        head_only=setup.head_only,
        low_rate=setup.low_rate,
        final=final,
    )
    state = PipelineState(
        state.grid, state.orientation, gate_state, wear_state, episode_state, summary_state
    )
    return state, PipelineOutput(
        pair=pair,
        orientation=oriented,
        angles=angles,
        inclination=(
            head_inclination(oriented.q_es_head, setup.alignment) if setup.head_only else None
        ),
        worn=worn,
        relative_rate_dps=rate_dps,
        gate=gate,
        episodes=found,
        minutes=minutes,
    )


def _without_neck(angles: CervicalAngles) -> CervicalAngles:
    """Neck angles of a head alone are unknown, not zero."""
    unknown = np.full_like(angles.flexion_deg, np.nan)
    return dataclasses.replace(
        angles,
        q_rel=np.full_like(angles.q_rel, np.nan),
        flexion_deg=unknown,
        lateral_right_deg=unknown,
        rotation_right_deg=unknown,
        deviation_deg=unknown,
        heading_sigma_deg=unknown,
    )
