"""Which way a worn sensor faces, where neither movements nor a declared mounting say it.

A last resort, after Kong et al. 2016 (principal components of walking and of sitting down, with
quiet stance): people lean and look forward more, and further, than aside or backward. The direction
is that of the largest horizontal spread of tilt, its sign that of the longer tail.
"""

import numpy as np

from processing import quaternion
from processing.alignment.axes import unit
from processing.frames import EARTH_UP
from processing.types import FloatArray


def right_from_tilt(q_es: FloatArray, up: FloatArray) -> FloatArray:
    """Return the direction (3,) in sensor axes that is probably the wearer's right.

    Parameters
    ----------
    q_es : (n, 4) float64
        Orientation over the recording; NaN rows are left out.
    up : (3,) float64
        Earth's up in sensor axes in the neutral pose.
    """
    q = q_es[np.isfinite(q_es).all(axis=1)]
    ups = quaternion.rotate(quaternion.conjugate(q), np.broadcast_to(EARTH_UP, (q.shape[0], 3)))
    tilt = ups - np.outer(ups @ up, up)
    _, vectors = np.linalg.eigh(tilt.T @ tilt)
    back = vectors[:, -1] - (vectors[:, -1] @ up) * up
    along = tilt @ back
    # when a segment tips forward, earth's up moves towards its back
    if np.sum(along * np.abs(along)) < 0.0:
        back = -back
    return unit(np.cross(-back, up))
