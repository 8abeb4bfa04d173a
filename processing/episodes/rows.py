"""Buffering: rows of the stream with their filtered rates, flags and usable angles."""

from dataclasses import dataclass

import numpy as np

from processing._jit import kernel
from processing.episodes.state import EpisodeParams, EpisodesState
from processing.errors import InputError
from processing.filters import fir, lowpass_taps, near_bad
from processing.gates import GateBlock
from processing.types import BoolArray, CervicalAngles, FloatArray

TAIL_ROWS = 120
"""Unknown rows that follow the last one, so that all filters can run out."""


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


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows at hand: filtered rates, flags, and where the known ones end."""

    k0: int
    w: FloatArray
    invalid: BoolArray
    gated: BoolArray
    k_real: int
    """First index behind the rows that really exist and whose gate is known."""

    @property
    def k_gate(self) -> int:
        """Grid index behind the last row whose gate is known."""
        return self.k0 + int(self.gated.shape[0])

    @property
    def k_w(self) -> int:
        """Grid index behind the last filtered row."""
        return self.k0 + int(self.w.shape[0])

    def bad(self, begin: int, end: int) -> BoolArray:
        """Return where rows begin..end-1 are invalid or gated."""
        span = slice(begin - self.k0, end - self.k0)
        return np.asarray(self.invalid[span] | self.gated[span])


def grow(
    params: EpisodeParams,
    state: EpisodesState,
    angles: CervicalAngles,
    w_rel_dps: FloatArray,
    gate: GateBlock,
    *,
    head_only: bool,
    final: bool,
) -> tuple[Rows, FloatArray, FloatArray, BoolArray]:
    """Return rows, usable angles, and the raw rates and flags that the next step needs."""
    n = angles.valid.shape[0]
    k_new = state.k_raw + state.raw_w.shape[0]
    if n and angles.k0 != k_new:
        raise InputError(f"angles begin at row {angles.k0}, expected {k_new}: rows were skipped")
    k_gate = state.k_rows + state.gated.shape[0]
    if gate.gated.shape[0] and gate.k0 != k_gate:
        raise InputError(f"the gate begins at row {gate.k0}, expected {k_gate}: rows were skipped")
    half = params.lowpass_half_rows
    tail = TAIL_ROWS + half if final else 0
    m = state.raw_w.shape[0]
    raw_w = np.empty((m + n + tail, 3))
    raw_invalid = np.empty(m + n + tail, dtype=np.bool_)
    raw_w[:m], raw_invalid[:m] = state.raw_w, state.raw_invalid
    raw_w[m + n :], raw_invalid[m + n :] = 0.0, True
    a = state.angles.shape[0]
    all_angles = np.empty((a + n + tail, 5))
    all_angles[:a], all_angles[a + n :] = state.angles, np.nan
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
        known = np.concatenate((known, np.zeros(TAIL_ROWS, dtype=np.bool_)))
    gated = np.concatenate((state.gated, known))
    return Rows(state.k_rows, w, invalid, gated, k_real), all_angles, raw_w, raw_invalid
