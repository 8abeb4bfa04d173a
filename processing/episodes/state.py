"""Parameters of all detectors, and what they remember between steps."""

from dataclasses import dataclass, field

import numpy as np

from processing.episodes import posture, turns
from processing.episodes.jerk import JerkCandidate, JerkParams
from processing.episodes.posture import PostureParams, PostureState
from processing.episodes.tremor import TremorEpisode, TremorParams
from processing.episodes.turns import TurnParams, TurnState
from processing.errors import InputError
from processing.types import BoolArray, FloatArray


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
