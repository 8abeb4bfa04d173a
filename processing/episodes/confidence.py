"""How sure a candidate is, 0..1: logistic functions with published coefficients.

A coefficient is the change of the log odds per unit. Fitted on simulated patients, so a statement
about the simulator first: a person's verdicts are what counts.
"""

import math


def _logistic(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-max(-40.0, min(40.0, x))))


JERK_INTERCEPT = 4.2
JERK_PER_FWHM_S = -36.0
"""Wider pulses are more often voluntary."""
JERK_PER_LOG_ACCEL = 1.5
"""Per factor e above 1000 °/s²."""
JERK_PER_COSINE = 1.0
"""Along the direction of dystonia, where it is known."""


def jerk_confidence(fwhm_s: float, accel_dps2: float, cosine: float | None) -> float:
    """Return the confidence of a jerk from pulse width, acceleration and cosine to d."""
    x = JERK_INTERCEPT + JERK_PER_FWHM_S * fwhm_s
    x += JERK_PER_LOG_ACCEL * math.log(max(accel_dps2, 1.0) / 1000.0)
    if cosine is not None:
        x += JERK_PER_COSINE * cosine
    return _logistic(x)


def tremor_confidence(peak_ratio: float, pp_deg: float, windows: int) -> float:
    """Return the confidence of a tremor episode from peak share, amplitude and length.

    One half at a share of 0.5, 0.4° and 2 windows; small short oscillations are the false ones.
    """
    x = 8.0 * (peak_ratio - 0.5) + 1.5 * math.log(max(pp_deg, 1e-3) / 0.4)
    return _logistic(x + 0.5 * math.log(max(windows, 1) / 2.0))


def posture_confidence(deviation_deg: float, sigma_deg: float, theta_on_deg: float) -> float:
    """Return the probability that the mean deviation truly exceeds the lower threshold.

    A logistic in (deviation - 2/3 of the onset threshold) over the heading's standard deviation,
    never less than 2°: the repeatability of the neutral pose.
    """
    return _logistic(1.7 * (deviation_deg - 2.0 / 3.0 * theta_on_deg) / max(2.0, sigma_deg))
