"""Grid rows by fine numerical integration of the straight line between samples: slow, obvious."""

import numpy as np

from processing.types import FloatArray


def rates(
    t_s: FloatArray, gyr: FloatArray, n_rows: int, period_s: float, *, fine: int = 2000
) -> FloatArray:
    """Mean of the interpolated rate over the period that ends at each row; gaps are not known."""
    out = np.empty((n_rows, 3))
    for k in range(n_rows):
        u = (k - 1 + (np.arange(fine) + 0.5) / fine) * period_s
        u = u[(u >= t_s[0]) & (u <= t_s[-1])]
        for j in range(3):
            out[k, j] = np.interp(u, t_s, gyr[:, j]).mean() if u.size else gyr[0, j]
    return out


def forces(t_s: FloatArray, acc: FloatArray, n_rows: int, period_s: float) -> FloatArray:
    """Specific force interpolated at each row."""
    t = np.arange(n_rows) * period_s
    return np.stack([np.interp(t, t_s, acc[:, j]) for j in range(3)], axis=1)


def centred_forces(
    t_s: FloatArray, acc: FloatArray, n_rows: int, period_s: float, *, fine: int = 2000
) -> FloatArray:
    """Specific force averaged over the period centred on each row."""
    out = np.empty((n_rows, 3))
    for k in range(n_rows):
        u = (k - 0.5 + (np.arange(fine) + 0.5) / fine) * period_s
        u = u[(u >= t_s[0]) & (u <= t_s[-1])]
        for j in range(3):
            out[k, j] = np.interp(u, t_s, acc[:, j]).mean()
    return out
