"""Fixed-interval smoothing: what the future says about every window.

The backward form of Bryson and Frazier (modified, Bierman 1977): the adjoint λ and its covariance
Λ run backward over the same transitions and measurements that the filter recorded. The smoothed
error of a window is -P λ and its covariance P - P Λ P, so no covariance is ever inverted.
"""

import numpy as np

from processing._jit import kernel
from processing.orientation.covariance import apply_adjoint, transpose
from processing.orientation.field import wear_back
from processing.orientation.layout import N_ERROR, PO, TH, VE
from processing.orientation.warming import warm_back
from processing.orientation.window import (
    LOG_FORGOT,
    LOG_PLACE,
    LOG_ROWS,
    LOG_TRANSITION,
    LOG_TURN,
    LOG_WARM,
)
from processing.types import FloatArray, IntArray


@kernel()
def sweep_back(
    log: FloatArray,
    marks: IntArray,
    tape: FloatArray,
    windows: int,
    adjoint: FloatArray,
    L: FloatArray,
    error: FloatArray,
    variance: FloatArray,
) -> None:
    """Run the adjoint over the recorded windows, last to first.

    adjoint (1, n) and L (n, n) enter as they stand behind the last window and leave as they stand
    before the first. error (windows, sensors, 3) receives the smoothed attitude errors after each
    window, variance (windows,) that of relative heading for two sensors. L of no rows: skip it.
    """
    sensors = log.shape[1]
    n = adjoint.shape[1]
    column = np.empty((n, 1))
    tilt = np.empty(n)
    for w in range(windows - 1, -1, -1):
        for i in range(sensors):
            for j in range(3):
                total = 0.0
                for m in range(n):
                    total -= log[w, i, LOG_ROWS + n * j + m] * adjoint[0, m]
                error[w, i, j] = total
        if sensors == 2 and L.shape[0] > 0:
            u = column[:, 0]
            for m in range(n):
                u[m] = log[w, 0, LOG_ROWS + 2 * n + m] - log[w, 1, LOG_ROWS + 2 * n + m]
            total = u[TH + 2] - u[N_ERROR + TH + 2]
            for m in range(n):
                part = 0.0
                for j in range(n):
                    part += L[m, j] * u[j]
                total -= u[m] * part
            variance[w] = total
        for i in range(sensors):
            if log[w, i, LOG_TURN] != 0.0:
                turn_back(adjoint, L, i * N_ERROR, log[w, i, LOG_TURN])
        for row in range(marks[w + 1] - 1, marks[w] - 1, -1):
            h, gain = tape[row, :n], tape[row, n : 2 * n]
            along = tape[row, 2 * n]
            for m in range(n):
                along += gain[m] * adjoint[0, m]
            for m in range(n):
                adjoint[0, m] -= h[m] * along
            if L.shape[0] > 0:
                spread = tape[row, 2 * n + 1]
                for m in range(n):
                    part = 0.0
                    for j in range(n):
                        part += L[m, j] * gain[j]
                    tilt[m] = part
                    spread += gain[m] * part
                for m in range(n):
                    for j in range(n):
                        L[m, j] += h[m] * h[j] * spread - h[m] * tilt[j] - tilt[m] * h[j]
        if log[w, 0, LOG_PLACE] != 0.0:
            wear_back(adjoint, L, log[w, 0, LOG_PLACE])
        for i in range(sensors):
            if log[w, i, LOG_FORGOT] != 0.0:
                for j in range(6):
                    adjoint[0, i * N_ERROR + VE + j] = 0.0
                    for m in range(L.shape[0]):
                        L[i * N_ERROR + VE + j, m] = 0.0
                        L[m, i * N_ERROR + VE + j] = 0.0
        if sensors == 2:
            warm_back(adjoint, L, log[w, 0, LOG_WARM])
        for m in range(n):
            column[m, 0] = adjoint[0, m]
        for i in range(sensors):
            apply_adjoint(column, i * N_ERROR, log[w, i, LOG_TRANSITION:LOG_FORGOT])
        for m in range(n):
            adjoint[0, m] = column[m, 0]
        if L.shape[0] > 0:
            for _ in range(2):
                for i in range(sensors):
                    apply_adjoint(L, i * N_ERROR, log[w, i, LOG_TRANSITION:LOG_FORGOT])
                transpose(L)
            symmetrise(L)


@kernel()
def symmetrise(L: FloatArray) -> None:
    """Remove the antisymmetric part: nothing corrects it, and over hours it grows without bound."""
    for m in range(L.shape[0]):
        for j in range(m):
            mean = 0.5 * (L[m, j] + L[j, m])
            L[m, j] = mean
            L[j, m] = mean


@kernel()
def turn_back(adjoint: FloatArray, L: FloatArray, r: int, angle: float) -> None:
    """Undo a turn about the vertical in the adjoint of one sensor."""
    c, s = np.cos(angle), np.sin(angle)
    for block in (TH, VE, PO):
        a, b = adjoint[0, r + block], adjoint[0, r + block + 1]
        adjoint[0, r + block] = c * a + s * b
        adjoint[0, r + block + 1] = c * b - s * a
    if L.shape[0] > 0:
        for _ in range(2):
            for block in (TH, VE, PO):
                for j in range(L.shape[1]):
                    a, b = L[r + block, j], L[r + block + 1, j]
                    L[r + block, j] = c * a + s * b
                    L[r + block + 1, j] = c * b - s * a
            transpose(L)


@kernel()
def correct_attitude(
    q: FloatArray,
    first: int,
    window: int,
    before: FloatArray,
    after: FloatArray,
    error: FloatArray,
) -> None:
    """Turn the filtered attitudes of one sensor by the smoothed corrections, in place.

    q (n, 4) starts `first` samples into the first window; before, after (windows, 4) are the
    filtered attitudes around the corrections at the end of each window; error (windows, 3) is the
    smoothed error after them. Inside a window the correction goes from its start to its end on the
    shortest way; rows past the last window keep its correction.
    """
    n = q.shape[0]
    windows = before.shape[0]
    begin = np.array([1.0, 0.0, 0.0, 0.0])
    smoothed = np.empty(4)
    end = np.empty(4)
    now = np.empty(4)
    spread = np.empty(4)
    i = 0
    for w in range(windows):
        exponential(error[w], spread)
        product(spread, after[w], smoothed)
        quotient(smoothed, before[w], end)
        if w == 0:
            begin[:] = end
        dot = begin[0] * end[0] + begin[1] * end[1] + begin[2] * end[2] + begin[3] * end[3]
        sign = 1.0 if dot >= 0.0 else -1.0
        stop = min(n, (w + 1) * window - first)
        while i < stop:
            part = ((i + first) % window + 1.0) / window
            norm = 0.0
            for j in range(4):
                now[j] = (1.0 - part) * begin[j] + part * sign * end[j]
                norm += now[j] * now[j]
            norm = 1.0 / np.sqrt(norm)
            for j in range(4):
                now[j] *= norm
            if i == (w + 1) * window - first - 1:
                q[i] = smoothed
            else:
                product(now, q[i], spread)
                q[i] = spread
            i += 1
        quotient(smoothed, after[w], begin)
    while i < n:
        product(begin, q[i], spread)
        q[i] = spread
        i += 1


@kernel()
def exponential(error: FloatArray, q: FloatArray) -> None:
    """Write the rotation of a small tilt followed by any turn about the vertical to `q`."""
    ax, ay = 0.5 * error[0], 0.5 * error[1]
    norm = 1.0 / np.sqrt(1.0 + ax * ax + ay * ay)
    c, z = np.cos(0.5 * error[2]) * norm, np.sin(0.5 * error[2]) * norm
    q[0], q[1], q[2], q[3] = c, c * ax - z * ay, c * ay + z * ax, z


@kernel()
def product(p: FloatArray, q: FloatArray, out: FloatArray) -> None:
    """Write p ⊗ q to `out`, which must be neither of them."""
    out[0] = p[0] * q[0] - p[1] * q[1] - p[2] * q[2] - p[3] * q[3]
    out[1] = p[0] * q[1] + p[1] * q[0] + p[2] * q[3] - p[3] * q[2]
    out[2] = p[0] * q[2] - p[1] * q[3] + p[2] * q[0] + p[3] * q[1]
    out[3] = p[0] * q[3] + p[1] * q[2] - p[2] * q[1] + p[3] * q[0]


@kernel()
def quotient(p: FloatArray, q: FloatArray, out: FloatArray) -> None:
    """Write p ⊗ conj(q) to `out`."""
    out[0] = p[0] * q[0] + p[1] * q[1] + p[2] * q[2] + p[3] * q[3]
    out[1] = -p[0] * q[1] + p[1] * q[0] - p[2] * q[3] + p[3] * q[2]
    out[2] = -p[0] * q[2] + p[1] * q[3] + p[2] * q[0] - p[3] * q[1]
    out[3] = -p[0] * q[3] - p[1] * q[2] + p[2] * q[1] + p[3] * q[0]
