"""Warming up on the skin: what a gyroscope's bias does in the first half hour, as a state.

A body that is put into another temperature follows it by `1 - exp(-t / τ)` (Newton's law of
cooling), and bias follows temperature nearly along a line (0.01 to 0.05 °/s per kelvin, and 8 K
from a room to the skin). So what warming adds to the bias of each axis is one unknown number times
a known course, and what an axis shows early tells how far it has yet to go. A random walk knows no
such thing: one fast enough to follow the first minutes forgets what motion and poses taught, a slow
one lags and takes its lag for heading.

The course begins with the filter, when sensors are put on. A sensor that is warm already finds
nothing to add: the state stays near zero.
"""

import numpy as np

from processing._jit import kernel
from processing.orientation.layout import BI, BIAS, N_ERROR, WARM, WARMING
from processing.types import FloatArray


@kernel()
def share_of_window(first: int, last: int, dt: float, tau_s: float) -> float:
    """Return which share of all warming falls between two grid rows since the start."""
    return float(np.exp(-first * dt / tau_s) - np.exp(-last * dt / tau_s))


@kernel()
def warm_up(x: FloatArray, P: FloatArray, share: float) -> None:
    """Move the biases of both sensors, and their covariance, by a share of what warming adds."""
    n = P.shape[0]
    for i in range(2):
        for j in range(3):
            to, source = i * N_ERROR + BI + j, WARM + 3 * i + j
            x[i, BIAS + j] += share * x[i, WARMING + j]
            for m in range(n):
                P[to, m] += share * P[source, m]
            for m in range(n):
                P[m, to] += share * P[m, source]


@kernel()
def warm_back(adjoint: FloatArray, L: FloatArray, share: float) -> None:
    """Take the adjoint (1, n) and its covariance (n, n, or no rows) back over `warm_up`."""
    for i in range(2):
        for j in range(3):
            to, source = WARM + 3 * i + j, i * N_ERROR + BI + j
            adjoint[0, to] += share * adjoint[0, source]
            for m in range(L.shape[0]):
                L[to, m] += share * L[source, m]
            for m in range(L.shape[0]):
                L[m, to] += share * L[m, source]
