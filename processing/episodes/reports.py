"""A decided jerk as an episode with its attributes."""

import math

from processing._jit import kernel
from processing.episodes.confidence import jerk_confidence
from processing.episodes.jerk import JerkCandidate, JerkParams
from processing.episodes.types import DETECTOR_VERSION
from processing.types import Episode, FloatArray

RECOVERY_MAX_S = 3.0
"""Later returns are not the jerk's own."""


@kernel()
def _first_back(w: FloatArray, begin: int, offset: int, end: int, level: float) -> int:
    """Return the first row from `offset` on where the path along its value there is below a level.

    The path is the sum of w (n, 3) from row `begin` on; the level is times the length of that
    value. -1 where there is none before `end`.
    """
    x = y = z = 0.0
    dx = dy = dz = 0.0
    for i in range(begin, end):
        x, y, z = x + w[i, 0], y + w[i, 1], z + w[i, 2]
        if i < offset:
            continue
        if i == offset:
            dx, dy, dz = x, y, z
        if x * dx + y * dy + z * dz <= level:
            return i
    return -1


def recovery_s(
    candidate: JerkCandidate, w_dps: FloatArray, k_row0: int, rate_hz: float
) -> float | None:
    """Return the time from the peak until half of the excursion is undone, None if it is not.

    Parameters
    ----------
    w_dps : (n, 3) float64
        Filtered relative rate around the jerk.
    k_row0 : int
        Grid index of row 0.
    """
    begin = candidate.k_onset - k_row0
    if begin < 0:
        return None
    end = min(candidate.k_peak - k_row0 + round(RECOVERY_MAX_S * rate_hz), w_dps.shape[0])
    half = 0.5 * candidate.amplitude_deg * max(candidate.amplitude_deg, 1e-9) * rate_hz * rate_hz
    offset = candidate.k_offset - k_row0
    back = _first_back(w_dps, begin, offset, end, half)
    return None if back < 0 else float(back + k_row0 - candidate.k_peak) / rate_hz


def jerk_episode(
    params: JerkParams,
    candidate: JerkCandidate,
    t0_ns: int,
    rate_hz: float,
    direction: FloatArray,
    burst: int,
    recovery: float | None,
    *,
    estimated: bool,
) -> Episode:
    """Return the jerk as an episode.

    Parameters
    ----------
    direction : (3,) float64
        Unit vector d (flexion, lateral right, rotation right), zeros where unknown.
    burst : int
        Jerks in the fullest window around it, 0 outside bursts.
    recovery : float or None
        See `recovery_s`.
    """
    period_ns = round(1e9 / rate_hz)
    features = {
        "peak_velocity_dps": candidate.peak_velocity_dps,
        "peak_accel_dps2": candidate.peak_accel_dps2,
        "fwhm_s": candidate.fwhm_s,
        "flexion_excursion_deg": candidate.flexion_deg,
        "lateral_right_excursion_deg": candidate.lateral_right_deg,
        "rotation_right_excursion_deg": candidate.rotation_right_deg,
    }
    cosine: float | None = None
    flexion, lateral, rotation = direction.tolist()
    if flexion or lateral or rotation:
        along = (
            candidate.flexion_deg * flexion
            + candidate.lateral_right_deg * lateral
            + candidate.rotation_right_deg * rotation
        )
        cosine = along / candidate.amplitude_deg
        features["direction_cos"] = cosine
        features["direction_estimated"] = float(estimated)
        if abs(cosine) >= params.direction_cos_min:
            # +1 towards the dystonic posture, -1 away from it
            features["toward"] = math.copysign(1.0, cosine)
    if recovery is not None:
        features["recovery_s"] = recovery
    if burst:
        features["burst_n"] = float(burst)
    return Episode(
        kind="jerk",
        label="jerk_burst" if burst else "jerk",
        start_ns=t0_ns + candidate.k_onset * period_ns,
        end_ns=t0_ns + candidate.k_offset * period_ns,
        peak_ns=t0_ns + candidate.k_peak * period_ns,
        amplitude_deg=candidate.amplitude_deg,
        confidence=jerk_confidence(candidate.fwhm_s, candidate.peak_accel_dps2, cosine),
        detector=f"jerk/{DETECTOR_VERSION}",
        features=features,
    )
