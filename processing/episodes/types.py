"""What the episode detectors are told, remember and report."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from processing.types import Episode, FloatArray

DETECTOR_VERSION = "3"


@dataclass(frozen=True, slots=True)
class Turn:
    """A voluntary turn about one axis: the negative class of the jerk detector, and a count."""

    axis: str
    """`flexion`, `lateral` or `rotation`."""
    start_ns: int
    end_ns: int
    excursion_deg: float
    """Signed; positive as in `CervicalAngles`."""
    peak_velocity_dps: float
    pauses: int
    """Slow stretches inside the movement, a marker of cervical dystonia (Shaikh 2015)."""


@dataclass(frozen=True, slots=True)
class EpisodesOut:
    """Candidate episodes reported by one step."""

    final: tuple[Episode, ...]
    """In the order in which they were decided; never changed afterwards."""
    turns: tuple[Turn, ...]
    """Voluntary turns that ended; final."""
    k_final: int
    """All episodes whose end lies before this grid index have been reported."""
    notes: tuple[str, ...] = ()
    """Why a kind is null, such as a sample rate too low for jerks and tremor."""
    look: Callable[[], tuple[Episode, ...]] | None = field(default=None, compare=False, repr=False)
    """Works out `provisional`; None where there is nothing."""

    @property
    def provisional(self) -> tuple[Episode, ...]:
        """Open or undecided candidates as they looked at that step; worked out when asked for."""
        return () if self.look is None else self.look()


def unit_direction(direction: FloatArray | None) -> FloatArray:
    """Return d as a unit vector (3,), or zeros where the direction is unknown."""
    if direction is None:
        return np.zeros(3)
    d = np.asarray(direction, dtype=np.float64).reshape(3)
    length = float(np.sqrt(np.sum(d * d)))
    return d / length if length > 0.0 else np.zeros(3)
