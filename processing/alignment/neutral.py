"""The neutral pose: which stretch, was it held, and where is up in each sensor."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from processing import quaternion
from processing.errors import AlignmentError
from processing.frames import EARTH_UP, STANDARD_GRAVITY_MS2
from processing.types import BoolArray, FloatArray, PairBlock, PairOrientation, Span

HOLD_S: Final = 5.0
GYR_LIMIT_DPS: Final = 3.0
"""Most angular rate, RMS, of a held pose (clinical specification, section 3)."""
ACC_SPREAD_MS2: Final = 0.3
"""Most standard deviation of the specific force of a held pose (there the limit is on the deviation
from gravity, but the offset of an uncalibrated sensor is not motion)."""
ACC_OFFSET_MS2: Final = 0.6
"""Most deviation of its mean from gravity: boards are off by up to 40 mg."""


@dataclass(frozen=True, slots=True)
class Held:
    """A stretch of rows in which a pose was held."""

    start: int
    """First row of the block."""
    stop: int
    passed: bool
    """The gate of a held pose was passed."""
    off_gravity: tuple[str, ...] = ()
    """Which of head and trunk failed it only because their mean force is not gravity's: still, but
    the accelerometer is off."""


def span_rows(pair: PairBlock, span: Span) -> tuple[int, int]:
    """Return the rows (start, stop) of the block that a span covers, cut to the block."""
    n = int(pair.head_gyr.shape[0])
    start, stop = (
        round((edge_ns - pair.t0_ns) * 1e-9 * pair.rate_hz) - pair.k0
        for edge_ns in (span.start_ns, span.end_ns)
    )
    return min(n, max(0, start)), min(n, max(0, stop))


def valid_rows(pair: PairBlock, *, head_only: bool) -> BoolArray:
    """Return where the sensors that count have samples."""
    return pair.head_valid if head_only else pair.head_valid & pair.trunk_valid


def held_in(pair: PairBlock, span: Span, *, head_only: bool = False) -> Held | None:
    """Return the rows of a declared pose with the verdict of the gate; None without samples."""
    start, stop = span_rows(pair, span)
    rows = np.flatnonzero(valid_rows(pair, head_only=head_only)[start:stop])
    if rows.size < 0.5 * pair.rate_hz:
        return None
    still = True
    off: list[str] = []
    sensors = _sensors(pair, head_only=head_only)
    for point, (gyr, acc) in zip(("head", "trunk"), sensors, strict=False):
        rms = np.degrees(np.sqrt(np.mean(np.sum(gyr[start:stop][rows] ** 2, axis=1))))
        force = np.linalg.norm(acc[start:stop][rows], axis=1)
        still &= bool(rms < GYR_LIMIT_DPS and np.std(force) < ACC_SPREAD_MS2)
        if abs(np.mean(force) - STANDARD_GRAVITY_MS2) >= ACC_OFFSET_MS2:
            off.append(point)
    return Held(start, stop, still and not off, tuple(off) if still else ())


def find_held(pair: PairBlock, *, head_only: bool = False) -> Held:
    """Return the first 5 s that pass the gate of a held pose, else the quietest 5 s.

    Raises
    ------
    AlignmentError
        There are no 5 s of samples.
    """
    width = round(HOLD_S * pair.rate_hz)
    ok = valid_rows(pair, head_only=head_only)
    if ok.size < width:
        raise AlignmentError(
            f"the recording has {ok.size / pair.rate_hz:.1f} s; at least {HOLD_S:.0f} s are "
            "needed to find a neutral pose"
        )
    whole = _window_mean(ok.astype(np.float64), width) > 0.999
    if not whole.any():
        raise AlignmentError(_missing(pair, width, head_only=head_only))
    unrest = np.zeros(whole.size)
    passed = whole.copy()
    for gyr, acc in _sensors(pair, head_only=head_only):
        square = np.where(ok, np.sum(gyr**2, axis=1), 0.0)
        mean_square = np.maximum(_window_mean(square, width), 0.0)
        rms = np.degrees(np.sqrt(mean_square))
        # about gravity, so that the difference of squares below keeps its digits
        excess = np.where(ok, np.linalg.norm(acc, axis=1) - STANDARD_GRAVITY_MS2, 0.0)
        mean = _window_mean(excess, width)
        spread = np.sqrt(np.maximum(_window_mean(excess**2, width) - mean**2, 0.0))
        passed &= rms < GYR_LIMIT_DPS
        passed &= (spread < ACC_SPREAD_MS2) & (np.abs(mean) < ACC_OFFSET_MS2)
        unrest += mean_square
    if passed.any():
        first = int(np.argmax(passed))
        return Held(first, first + width, passed=True)
    first = int(np.argmin(np.where(whole, unrest, np.inf)))
    return Held(first, first + width, passed=False)


def _missing(pair: PairBlock, width: int, *, head_only: bool) -> str:
    """Return which sensor has no stretch without gaps, and what to do."""
    long = f"{HOLD_S:.0f} s without missing samples"
    remedy = "record again with the sensors connected"
    if head_only or not _whole(pair.head_valid, width):
        return f"the head sensor has no {long}; {remedy}"
    if not _whole(pair.trunk_valid, width):
        return f"the trunk sensor has no {long}; use --single head, or {remedy}"
    return f"head and trunk sensor have no {long} at the same time; {remedy}"


def _whole(valid: BoolArray, width: int) -> bool:
    return bool((_window_mean(valid.astype(np.float64), width) > 0.999).any())


def neutral_span(pair: PairBlock, spans: Sequence[Span], *, head_only: bool = False) -> Span:
    """Return the first neutral pose declared inside the block, else the one that is found.

    Where nothing is declared, the span found is what `estimate_alignment` takes for N; as a span
    it can define the heading too.
    """
    for span in sorted(spans, key=lambda s: s.start_ns):
        if span.kind == "neutral_pose" and held_in(pair, span, head_only=head_only) is not None:
            return span
    held = find_held(pair, head_only=head_only)
    start_ns, end_ns = (
        pair.t0_ns + round((pair.k0 + row) * 1e9 / pair.rate_hz) for row in (held.start, held.stop)
    )
    return Span("neutral_pose", start_ns, end_ns)


def up_in_sensor(q_es: FloatArray) -> FloatArray:
    """Return the unit mean of earth's up in sensor axes, (3,), rows of NaN left out."""
    q = q_es[np.isfinite(q_es).all(axis=1)]
    if q.shape[0] == 0:
        raise AlignmentError(
            "no orientation during the neutral pose; hold it while the sensors are sending"
        )
    up = quaternion.rotate(quaternion.conjugate(q), np.broadcast_to(EARTH_UP, (q.shape[0], 3)))
    mean = up.mean(axis=0)
    return np.asarray(mean / np.linalg.norm(mean))


def mean_attitude(oriented: PairOrientation, held: Held, *, of: str) -> FloatArray:
    """Return the orientations (m, 4) of `head` or `trunk` over a held pose."""
    q = oriented.q_es_head if of == "head" else oriented.q_es_trunk
    return q[held.start : held.stop]


def _sensors(pair: PairBlock, *, head_only: bool) -> list[tuple[FloatArray, FloatArray]]:
    head = (pair.head_gyr, pair.head_acc)
    return [head] if head_only else [head, (pair.trunk_gyr, pair.trunk_acc)]


def _window_mean(x: FloatArray, width: int) -> FloatArray:
    sums = np.concatenate(([0.0], np.cumsum(x)))
    return (sums[width:] - sums[:-width]) / width
