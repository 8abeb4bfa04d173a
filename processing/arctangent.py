"""Arc tangent of two numbers without a call and without a branch, so that the compiler vectorises.

The C library's takes 20 ns and one number at a time, which is more than all else that an angle
costs.
"""

from typing import Final

import numpy as np

from processing._jit import kernel
from processing.types import FloatArray

_FOLD: Final = 0.4142135623730951
"""tan(π/8): beyond it the angle is counted from π/4."""
_C1, _C2, _C3, _C4, _C5 = (
    -0.33333333333328435,
    0.19999999998854168,
    -0.14285714180900647,
    0.11111106177375227,
    -0.09090773003240828,
)
_C6, _C7, _C8, _C9, _C10 = (
    0.07689952488233016,
    -0.066402251735395,
    0.0568830340363325,
    -0.04347919839046537,
    0.021133752033748364,
)
"""Minimax polynomial of atan(t)/t in t², 0 to tan(π/8)²; off by at most 7e-17."""


@kernel()
def arctan2_deg(y: FloatArray, x: FloatArray, sign: float) -> None:
    """Replace y (n,) by the angles of the points (x, y), degrees in [-180, 180], times `sign`.

    Right to 3 units in the last place of a radian; 0 for (0, 0), NaN where either is NaN.
    """
    to_deg = sign * 180.0 / np.pi
    for i in range(y.shape[0]):
        ay, ax = abs(y[i]), abs(x[i])
        steep = ay > ax
        small = ax if steep else ay
        large = ay if steep else ax
        folded = small > _FOLD * large
        above = small - large if folded else small
        below = small + large if folded else large
        t = above / (below if below != 0.0 else 1.0)
        z = t * t
        series = _C6 + z * (_C7 + z * (_C8 + z * (_C9 + z * _C10)))
        series = z * (_C1 + z * (_C2 + z * (_C3 + z * (_C4 + z * (_C5 + z * series)))))
        angle = (0.25 * np.pi if folded else 0.0) + (t + t * series)
        angle = 0.5 * np.pi - angle if steep else angle
        angle = np.pi - angle if x[i] < 0.0 else angle
        y[i] = to_deg * (-angle if y[i] < 0.0 else angle)
