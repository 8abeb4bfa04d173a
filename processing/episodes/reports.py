"""A decided jerk as an episode with its attributes."""

import math

import numpy as np

from processing.episodes.confidence import jerk_confidence
from processing.episodes.jerk import JerkCandidate, JerkParams
from processing.episodes.types import DETECTOR_VERSION
from processing.types import Episode, FloatArray

RECOVERY_MAX_S = 3.0
"""Later returns are not the jerk's own."""


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
    end = candidate.k_peak - k_row0 + round(RECOVERY_MAX_S * rate_hz)
    if begin < 0:
        return None
    path = np.cumsum(w_dps[begin:end], axis=0) / rate_hz
    direction = path[min(candidate.k_offset - candidate.k_onset, path.shape[0] - 1)]
    along = path @ direction / max(candidate.amplitude_deg, 1e-9)
    after = along[candidate.k_offset - candidate.k_onset :]
    back = np.flatnonzero(after <= 0.5 * candidate.amplitude_deg)
    if back.shape[0] == 0:
        return None
    return float(candidate.k_offset - candidate.k_peak + back[0]) / rate_hz


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
