"""What the repetitions of a pose share: an error of the filter's state, not of each pose.

Later poses N scatter, each by its own error, and all differ from the first, which defines zero, by
the error with which that one was taken up. A pose that the person takes up alone, M or D, was not
held when zero was defined. What it stands for was seen after the calibration, by a heading that had
drifted since, and in poses that scatter: that error is another one, and the filter learns it where
it was made, from the same repetitions. So it is known together with the heading of that time: a
better one, found later, mends both.

The second error is a state only where there is such a pose: one more at the end of the covariance.
The field's two leave an even number, so an odd one says that it is there.
"""

import numpy as np

from processing._jit import kernel
from processing.orientation.layout import COMMON, REFERENCE
from processing.types import FloatArray


@kernel()
def own_error(n: int) -> int:
    """Return the index of the error that poses with a value of their own share, -1: none yet."""
    return n - 1 if n % 2 == 1 else -1


def with_own_error(P: FloatArray) -> FloatArray:
    """Return the covariance with room for that error."""
    n = P.shape[0]
    if own_error(n) >= 0:
        return P
    wider = np.zeros((n + 1, n + 1))
    wider[:n, :n] = P
    return wider


def shared_error(n: int, *, own_value: bool) -> int:
    """Return the index of the error that a pose shares, of `n` error states."""
    return own_error(n) if own_value else REFERENCE


@kernel()
def common(x: FloatArray, index: int) -> float:
    """Return by how much a pose is known to be turned further, rad; -1 as index: not at all."""
    if index < 0:
        return 0.0
    return float(x[0, COMMON] if index == REFERENCE else x[1, COMMON])
