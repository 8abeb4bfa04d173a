"""Numbers as 16-bit multiples of a unit, with one value for "unknown"."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from processing._jit import kernel
from processing.types import FloatArray

EMPTY: Final = np.int16(-32768)
"""Unknown."""
_MOST: Final = 32767.0


@kernel()
def to_whole(values: FloatArray, units: FloatArray, out: NDArray[np.int16]) -> None:
    """Fill out (m, n) with values (n, m) over units (m,), rounded to even.

    What does not fit is cut to what does; what is not finite is `EMPTY`.
    """
    for column in range(out.shape[0]):
        unit = units[column]
        for i in range(out.shape[1]):
            scaled = np.rint(values[i, column] / unit)
            whole = np.int16(min(max(scaled, -_MOST), _MOST)) if np.isfinite(scaled) else EMPTY
            out[column, i] = whole
