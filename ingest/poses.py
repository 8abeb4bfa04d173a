"""Reference poses and movements to order, told in UTC, as rows of the grid under way."""

from collections.abc import Sequence
from dataclasses import dataclass

from processing.types import FloatArray, HeadingReset

RESET_MARGIN_S = 2.0
"""Least time between two reference poses: the filter acts a window after a pose."""


@dataclass(frozen=True, slots=True)
class PoseReset:
    """A reference pose held during the wear session: a measurement of relative heading."""

    start_ns: int
    end_ns: int
    q_th_ref: FloatArray
    """(4,) head sensor to trunk sensor rotation that the pose stands for."""
    sigma_deg: float
    own_value: bool = False
    """As in `HeadingReset`, as the next one."""
    shared_sigma_deg: float | None = None

    @classmethod
    def of(cls, reset: HeadingReset, t0_ns: int, period_ns: int) -> "PoseReset":
        """Return a reset in rows of a grid that began at a time as one in UTC."""
        return cls(
            t0_ns + reset.k_start * period_ns,
            t0_ns + (reset.k_end - 1) * period_ns,
            reset.q_th_ref,
            reset.sigma_deg,
            reset.own_value,
            reset.shared_sigma_deg,
        )


class ToldPoses:
    """What a wear session has been told of; used by one thread.

    Parameters
    ----------
    period_ns : int
        Nanoseconds between rows of the grid.
    """

    def __init__(self, period_ns: int) -> None:
        self._period_ns = period_ns
        self._resets: tuple[PoseReset, ...] = ()
        self._excluded: tuple[tuple[int, int], ...] = ()

    def begin(self, resets: Sequence[PoseReset] = ()) -> None:
        """Forget earlier poses: a new stretch begins."""
        self._resets = tuple(resets)

    def add(self, reset: PoseReset) -> bool:
        """Take a reference pose; False where it overlaps another one and was not taken."""
        margin_ns = round(RESET_MARGIN_S * 1e9)
        for other in self._resets:
            before = reset.end_ns + margin_ns <= other.start_ns
            if not (before or other.end_ns + margin_ns <= reset.start_ns):
                return False
        self._resets = (*self._resets, reset)
        return True

    def withdraw(self, reset: PoseReset) -> None:
        """Take back a reference pose."""
        self._resets = tuple(other for other in self._resets if other is not reset)

    def exclude(self, stretches: Sequence[tuple[int, int]]) -> None:
        """Keep stretches, UTC (from, to) in nanoseconds, out of free living."""
        self._excluded = (*self._excluded, *stretches)

    def resets_on_grid(self, t0_ns: int | None) -> list[HeadingReset]:
        """Return the resets as rows of the grid that began at a time; None: it has not begun."""
        if t0_ns is None:
            return []
        return [
            HeadingReset(
                k_start=-(-(reset.start_ns - t0_ns) // self._period_ns),
                k_end=(reset.end_ns - t0_ns) // self._period_ns + 1,
                q_th_ref=reset.q_th_ref,
                sigma_deg=reset.sigma_deg,
                own_value=reset.own_value,
                shared_sigma_deg=reset.shared_sigma_deg,
            )
            for reset in self._resets
            if reset.start_ns >= t0_ns
        ]

    def excluded_on_grid(self, t0_ns: int | None) -> list[tuple[int, int]]:
        """Return the stretches kept out of free living as rows of that grid."""
        if t0_ns is None:
            return []
        period_ns = self._period_ns
        return [((a - t0_ns) // period_ns, -(-(b - t0_ns) // period_ns)) for a, b in self._excluded]
