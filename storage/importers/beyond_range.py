"""Samples beyond any sensor's range in a foreign recording: left out, counted and told."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from processing.types import MOST_FORCE_MS2, MOST_RATE_RADS, ImuBlock


def beyond_range(block: ImuBlock) -> NDArray[np.bool_]:
    """Return which samples (n,) are numbers, but no sensor's."""
    numbers = np.isfinite(block.acc).all(axis=1) & np.isfinite(block.gyr).all(axis=1)
    inside = (np.abs(block.acc) <= MOST_FORCE_MS2) & (np.abs(block.gyr) <= MOST_RATE_RADS)
    return np.asarray(numbers & ~inside.all(axis=1))


class BeyondRange:
    """Follows one pass over a file."""

    def __init__(self) -> None:
        self._count: dict[str, int] = {}
        self._first: dict[str, tuple[int, str]] = {}
        self._rows: dict[str, int] = {}

    def add(self, blocks: Mapping[str, ImuBlock]) -> None:
        """Count in the next samples of the sensors at these tracked points."""
        for point, block in blocks.items():
            before = self._rows.get(point, 0)
            self._rows[point] = before + block.t_ns.shape[0]
            found = np.flatnonzero(beyond_range(block))
            if found.size == 0:
                continue
            self._count[point] = self._count.get(point, 0) + int(found.size)
            self._first.setdefault(point, (before + int(found[0]) + 1, _worst(block, found[0])))

    def conclude(self, name: str, warnings: list[str]) -> None:
        """Add to `warnings` what was left out of the file `name`."""
        for point, count in self._count.items():
            row, value = self._first[point]
            warning = (
                f"{name}, {point}: samples beyond any sensor's range ({MOST_RATE_RADS:.0f} rad/s, "
                f"{MOST_FORCE_MS2:.0f} m/s²) are left out, {count} in all; the first is sample "
                f"{row} with {value}"
            )
            if warning not in warnings:
                warnings.append(warning)


def _worst(block: ImuBlock, row: np.intp) -> str:
    rate, force = float(np.abs(block.gyr[row]).max()), float(np.abs(block.acc[row]).max())
    return f"{rate:.4g} rad/s" if rate > MOST_RATE_RADS else f"{force:.4g} m/s²"
