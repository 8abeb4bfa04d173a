"""The likeliest line under points whose delays are never negative, without a hull."""

import numpy as np

from processing.types import FloatArray


def likeliest_line(
    x: FloatArray, d: FloatArray, *, prior: float, drift_sd: float, delay_s: float
) -> tuple[float, float]:
    """Return height at x = 0 and slope of the line that maximises the posterior.

    n (h(s) + s mean(x)) / delay_s - (s - prior)^2 / (2 drift_sd^2) with h(s) = min(d - s x) is
    concave in s: where its derivative changes sign is found by halving.
    """
    low, high = -1.0, 1.0
    for _ in range(200):
        s = 0.5 * (low + high)
        touched = x[np.argmin(d - s * x)]
        rising = x.size * (x.mean() - touched) / delay_s - (s - prior) / drift_sd**2
        low, high = (s, high) if rising > 0.0 else (low, s)
    s = 0.5 * (low + high)
    return float(np.min(d - s * x)), float(s)
