"""How steady a gyroscope is, guessed from how large its bias is.

What makes a gyroscope's bias large after calibration, its temperature coefficient and the stress of
its package, also makes it wander on the body: data sheets that promise little of the one promise
little of the other (BMI160 3 °/s and 0.05 °/s/K, LSM6DSO 1 °/s and 0.01 °/s/K). The biases that
motion has shown so far thus say which random walk to expect; about the vertical, where nothing
shows it, the others stand in. What a calibration has taken out of the samples counts: a poor unit
that was calibrated wanders as before, and passed for a steady one doubled its error of rotation.
"""

from typing import Final

import numpy as np

from processing.orientation.layout import BI, BIAS, N_ERROR
from processing.types import FloatArray

TYPICAL_DPS: Final = 0.14
"""Root mean square bias for which `bias_walk_dps` holds."""
TYPICAL_WEIGHT: Final = 1.0
"""Axes that this is worth before any is seen."""
LEAST: Final = 0.5
MOST: Final = 3.0
"""The walk stays within these multiples of `bias_walk_dps`, and begins with the larger: a large
bias that nobody calibrated need not wander, and a walk assumed too small locks wrong matrices and
offsets in."""


def walk_factor(x: FloatArray, P: FloatArray, start: FloatArray, variances: FloatArray) -> float:
    """Return by what `bias_walk_dps` is to be multiplied.

    Parameters
    ----------
    x, P : (2, `N_STATE`), (`N_PAIR`, `N_PAIR`)
        Running states and joint covariance of head and trunk.
    start, variances : (2, 3)
        Where no bias at all would lie, rad/s: minus what a calibration has taken out of the
        samples; and the variance of the bias that the filter began with.
    """
    squares, weights = 0.0, 0.0
    for i in range(2):
        for j in range(3):
            at = i * N_ERROR + BI + j
            seen = max(0.0, 1.0 - float(P[at, at]) / float(variances[i, j]))
            squares += seen * float(x[i, BIAS + j] - start[i, j]) ** 2
            weights += seen
    typical = np.radians(TYPICAL_DPS)
    mean = (TYPICAL_WEIGHT * typical**2 + squares) / (TYPICAL_WEIGHT + weights)
    return float(min(max(np.sqrt(mean) / typical, LEAST), MOST))
