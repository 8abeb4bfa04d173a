"""How sure a candidate is, 0..1: logistic functions with published coefficients.

A coefficient is the change of the log odds per unit. Those of jerks are fitted on simulated
patients, so a statement about the simulator first; those of tremor and posture are chosen. A
person's verdicts are what counts.
"""

import math


def _logistic(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-max(-40.0, min(40.0, x))))


JERK = (2.88, 0.10, 2.88)
"""Intercept, per second of pulse width, per ln(acceleration / 1000 °/s²); d unknown."""
JERK_WITH_DIRECTION = (1.04, 7.01, 3.31, 1.45)
"""The same and per unit of the cosine to d, where d is known. Fitted to 1473 pulses of ten patients
(5 h) up to 0.4 s wide and from 100 °/s²; of the pulses then accepted with 0.95 and more 97 % were
jerks, with 0.8-0.95 92 %, with 0.5-0.8 57 %. Width adds nothing once acceleration is known: the
simulator's short false pulses are half cycles of a tremor."""


def jerk_confidence(fwhm_s: float, accel_dps2: float, cosine: float | None) -> float:
    """Return the confidence of a jerk from pulse width, acceleration and cosine to d."""
    log_accel = math.log(max(accel_dps2, 1.0) / 1000.0)
    if cosine is None:
        return _logistic(JERK[0] + JERK[1] * fwhm_s + JERK[2] * log_accel)
    intercept, per_s, per_log, per_cosine = JERK_WITH_DIRECTION
    return _logistic(intercept + per_s * fwhm_s + per_log * log_accel + per_cosine * cosine)


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
