"""Does gravity turn in sensor axes as the gyroscope says? Tells wrong units, scale and axes.

For a direction u that stands still in earth and is seen from a sensor turning at rate w,
``du/dt = -w x u``. The specific force is such a direction but for the sensor's own acceleration,
which has no part in it at low frequencies: a person does not keep accelerating one way. Both sides
are therefore weighted over windows of 2 s, where nods, walking and tremor have averaged out, and
the left side is regressed on the right. The slope is the factor by which the rates are too small:
1 for a sound sensor, 57.3 for rad/s declared as deg/s, -1 for axes of the wrong hand. A constant
gyroscope bias is estimated along with it, so that a sensor at rest says nothing.

Kinematics: Titterton and Weston, Strapdown Inertial Navigation Technology, 2nd ed., chapter 3.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from processing.frames import STANDARD_GRAVITY_MS2
from processing.types import BoolArray, FloatArray, ImuBlock

Finding = Literal["unknown", "sound", "scale", "units", "hand"]
"""`scale`: doubtful; `units`: beyond any sensor's error; `hand`: turns the wrong way."""

_WINDOWS_AT_LEAST = 8
"""Windows in one block below which its bias is not known well enough."""


@dataclass(frozen=True, slots=True)
class PlausibilityParams:
    """When slope and evidence are judged, and how."""

    window_s: float = 2.0
    """Length of the Hann window. Shorter lets nods through, whose acceleration points with gravity
    and raises the slope (1.24 at 1 s in a guided calibration, 1.08 at 2 s); longer lets fewer
    movements remain."""
    step_s: float = 1.0
    """Distance of windows: half of one, beyond which nothing is gained."""
    block_s: float = 60.0
    """Stretch with one gyroscope bias; bounds memory."""
    force_rms: float = 0.1
    """Largest rms of (specific force / g - 1) in a window: shaken beyond it, it says nothing."""
    moving_dps: float = 3.0
    """Turning of gravity above which a window has moved."""
    moving_windows: int = 8
    """Windows that must have moved before anything is said."""
    correlation: float = 0.9
    """Least correlation of both sides at which a slope is believed. Worn sensors reach 0.95 and
    more, sensors that are shaken or carried (BROAD, fast rotation and translation) less than 0.7;
    the unit has no part in it."""
    warn: tuple[float, float] = (0.7, 1.5)
    """Slopes beyond are doubtful: worn sensors gave 1.0 to 1.2, half and double scale 2.1, 0.54."""
    refuse: tuple[float, float] = (0.1, 8.0)
    """Slopes beyond are no error of scale but another unit."""


@dataclass(frozen=True, slots=True)
class PlausibilityState:
    """One sensor's evidence so far."""

    rate_hz: float
    t_s: FloatArray
    """(m,) times of the samples of the block under way, from the first sample of all."""
    acc: FloatArray
    """(m, 3) in multiples of g."""
    gyr: FloatArray
    """(m, 3) rad/s."""
    valid: BoolArray
    """(m,)."""
    t0_ns: int | None
    sums: FloatArray
    """(3,) of gyroscope side squared, of both sides' product, of gravity side squared, (rad/s)²,
    each freed of the bias of its block."""
    moved: int
    """Windows that have moved."""


@dataclass(frozen=True, slots=True)
class Plausibility:
    """What the evidence says of one sensor."""

    finding: Finding
    slope: float
    """Factor by which the declared rates are too small; NaN where unknown."""
    correlation: float
    """Of both sides; NaN where unknown."""


def start(rate_hz: float) -> PlausibilityState:
    """Return the state before the first sample of a sensor of nominal rate `rate_hz`."""
    return PlausibilityState(
        rate_hz=rate_hz,
        t_s=np.empty(0),
        acc=np.empty((0, 3)),
        gyr=np.empty((0, 3)),
        valid=np.empty(0, dtype=np.bool_),
        t0_ns=None,
        sums=np.zeros(3),
        moved=0,
    )


def step(
    params: PlausibilityParams, state: PlausibilityState, block: ImuBlock
) -> PlausibilityState:
    """Return the state after a sensor's next samples; how they are cut changes nothing."""
    if block.t_ns.shape[0] == 0:
        return state
    t0_ns = int(block.t_ns[0]) if state.t0_ns is None else state.t0_ns
    ok = block.valid[:, None]
    t_s = np.concatenate((state.t_s, (block.t_ns - t0_ns) * 1e-9))
    acc = np.concatenate((state.acc, np.where(ok, block.acc, 0.0) / STANDARD_GRAVITY_MS2))
    gyr = np.concatenate((state.gyr, np.where(ok, block.gyr, 0.0)))
    valid = np.concatenate((state.valid, block.valid))
    rows = round(params.block_s * state.rate_hz)
    sums, moved, done = state.sums, state.moved, 0
    while t_s.shape[0] - done >= rows:
        here = slice(done, done + rows)
        more, windows = _block(params, state.rate_hz, t_s[here], acc[here], gyr[here], valid[here])
        sums, moved, done = sums + more, moved + windows, done + rows
    return PlausibilityState(
        rate_hz=state.rate_hz,
        t_s=t_s[done:].copy(),
        acc=acc[done:].copy(),
        gyr=gyr[done:].copy(),
        valid=valid[done:].copy(),
        t0_ns=t0_ns,
        sums=sums,
        moved=moved,
    )


def judge(params: PlausibilityParams, state: PlausibilityState) -> Plausibility:
    """Return what the samples so far say; `unknown` without enough low-frequency turning."""
    more, windows = _block(params, state.rate_hz, state.t_s, state.acc, state.gyr, state.valid)
    turned, product, gravity = (float(value) for value in state.sums + more)
    if state.moved + windows < params.moving_windows or turned <= 0.0 or gravity <= 0.0:
        return Plausibility("unknown", np.nan, np.nan)
    slope, correlation = product / turned, product / np.sqrt(turned * gravity)
    return Plausibility(_finding(params, slope, correlation), slope, float(correlation))


def _finding(params: PlausibilityParams, slope: float, correlation: float) -> Finding:
    if abs(correlation) < params.correlation:
        return "unknown"
    if not params.refuse[0] <= abs(slope) <= params.refuse[1]:
        return "units"
    if slope < 0.0:
        return "hand"
    return "sound" if params.warn[0] <= slope <= params.warn[1] else "scale"


def _block(
    params: PlausibilityParams,
    rate_hz: float,
    t_s: FloatArray,
    acc: FloatArray,
    gyr: FloatArray,
    valid: BoolArray,
) -> tuple[FloatArray, int]:
    """Return a block's sums without its bias, and the number of windows that moved."""
    length, every = round(params.window_s * rate_hz), max(1, round(params.step_s * rate_hz))
    if t_s.shape[0] <= length or length < 3:
        return np.zeros(3), 0
    window = np.hanning(length + 2)[1:-1]
    window /= window.sum()

    def weighted(rows: FloatArray) -> FloatArray:
        views = np.lib.stride_tricks.sliding_window_view(rows, length, axis=0)[::every]
        return np.ascontiguousarray(views @ window)

    middle = 0.5 * (acc[1:] + acc[:-1])
    rate = 0.5 * (gyr[1:] + gyr[:-1])
    beyond = np.square(np.sqrt(np.square(middle).sum(axis=1)) - 1.0)
    lost = ~(valid[1:] & valid[:-1]) | (np.diff(t_s) > 2.5 / rate_hz)
    told = (weighted(lost.astype(np.float64)) == 0.0) & (weighted(beyond) < params.force_rms**2)
    if int(told.sum()) < _WINDOWS_AT_LEAST:
        return np.zeros(3), 0
    seen = weighted(np.diff(acc, axis=0) * rate_hz)[told]
    said = weighted(-np.cross(rate, middle))[told]
    of_bias = _cross(weighted(middle)[told])
    moved = int((np.sqrt(np.square(seen).sum(axis=1)) > np.radians(params.moving_dps)).sum())
    both = np.column_stack((said.ravel(), seen.ravel()))
    # a bias along a gravity that never turned cannot be seen: the pseudo-inverse leaves it alone
    known = np.linalg.pinv(of_bias.T @ of_bias, rcond=1e-3, hermitian=True)
    across = of_bias.T @ both
    free = both.T @ both - across.T @ known @ across
    return np.array([free[0, 0], free[0, 1], free[1, 1]]), moved


def _cross(u: FloatArray) -> FloatArray:
    """Return (3 n, 3): rows that turn a bias b into u x b, window by window."""
    x, y, z = u.T
    zero = np.zeros_like(x)
    rows = np.stack((zero, -z, y, z, zero, -x, -y, x, zero), axis=1)
    return rows.reshape(-1, 3)
