"""Covariance of the error states: propagation over a window and scalar measurements.

All work is done on whole rows of P, because rows are contiguous and the compiler vectorises
``row += c * row``. With the row operation L, ``L(L P)ᵀ`` is ``L P Lᵀ`` as P is symmetric.
"""

import numpy as np

from processing._jit import kernel
from processing.orientation.layout import AO, BI, MG, N_TRANSITION, PO, TH, VE
from processing.types import FloatArray, IntArray

# Offsets into the transition of a window: the integrals that `layout` lists from SUM_R on, then T.
_R = 0
_RW = 9
GRAVITY_MS2 = 9.81
"""Standard gravity; a local value off by 0.3 % looks like an offset and is learnt as one."""
T_S = N_TRANSITION
"""Place of the window's length behind the integrals."""


@kernel()
def add_row(P: FloatArray, to: int, c: float, source: int) -> None:
    """Row `to` += c × row `source`."""
    for j in range(P.shape[1]):
        P[to, j] += c * P[source, j]


@kernel()
def apply_transition(P: FloatArray, r: int, t: FloatArray, d: FloatArray) -> None:
    """Multiply the rows of one sensor, starting at row r, by its transition over a window.

    `t` holds the integrals ∫R dt and ∫R[i, j] ω[k] dt of a window and its length T; `d` is scratch
    of three rows::

        θ' = R (M ω - b)          v' = θ × g - R o          p' = v

    θ acts on v at the middle of the window, and through gravity g only, not through the whole
    specific force: the motion model is the same in all directions, so turning the motion along with
    the attitude changes no measurement, and an attitude error must not look like a correlation
    between the axes of the motion (invariant error, Barrau and Bonnabel 2017). Heading drops out.
    """
    n = P.shape[1]
    half = 0.5 * t[T_S]
    for i in range(3):
        for j in range(n):
            d[i, j] = 0.0
        for m in range(3):
            c = -0.5 * t[_R + 3 * i + m]
            for j in range(n):
                d[i, j] += c * P[r + BI + m, j]
        for m in range(9):
            c = 0.5 * t[_RW + 9 * i + m]
            for j in range(n):
                d[i, j] += c * P[r + MG + m, j]
    for i in range(3):
        add_row(P, r + PO + i, half, r + VE + i)
        for j in range(n):
            P[r + TH + i, j] += d[i, j]
        for j in range(3):
            add_row(P, r + VE + i, -t[_R + 3 * i + j], r + AO + j)
    add_row(P, r + VE, GRAVITY_MS2 * t[T_S], r + TH + 1)
    add_row(P, r + VE + 1, -GRAVITY_MS2 * t[T_S], r + TH)
    for i in range(3):
        add_row(P, r + PO + i, half, r + VE + i)
        for j in range(n):
            P[r + TH + i, j] += d[i, j]


@kernel()
def apply_adjoint(L: FloatArray, r: int, t: FloatArray) -> None:
    """Multiply the rows of one sensor by the transpose of `apply_transition`."""
    half = 0.5 * t[T_S]
    for i in range(3):
        add_row(L, r + VE + i, half, r + PO + i)
        _adjoint_of_attitude(L, r, t, i)
    add_row(L, r + TH + 1, GRAVITY_MS2 * t[T_S], r + VE)
    add_row(L, r + TH, -GRAVITY_MS2 * t[T_S], r + VE + 1)
    for i in range(3):
        for j in range(3):
            add_row(L, r + AO + j, -t[_R + 3 * i + j], r + VE + i)
    for i in range(3):
        add_row(L, r + VE + i, half, r + PO + i)
        _adjoint_of_attitude(L, r, t, i)


@kernel()
def _adjoint_of_attitude(L: FloatArray, r: int, t: FloatArray, i: int) -> None:
    for m in range(3):
        add_row(L, r + BI + m, -0.5 * t[_R + 3 * i + m], r + TH + i)
    for m in range(9):
        add_row(L, r + MG + m, 0.5 * t[_RW + 9 * i + m], r + TH + i)


@kernel()
def transpose(P: FloatArray) -> None:
    """Transpose a square matrix in place."""
    n = P.shape[0]
    for i in range(n):
        for j in range(i):
            swap = P[i, j]
            P[i, j] = P[j, i]
            P[j, i] = swap


@kernel()
def symmetrise(P: FloatArray) -> None:
    """Replace P by the mean of P and its transpose.

    Rounding would make P asymmetric, and no measurement corrects the antisymmetric part: the
    double integrator of velocity and position would let it grow without bound.
    """
    n = P.shape[0]
    for i in range(n):
        for j in range(i):
            mean = 0.5 * (P[i, j] + P[j, i])
            P[i, j] = mean
            P[j, i] = mean


@kernel()
def measure(
    P: FloatArray,
    h: FloatArray,
    innovation: float,
    variance: float,
    dx: FloatArray,
    gain: FloatArray,
    tape: FloatArray,
    used: IntArray,
) -> None:
    """Take in one scalar measurement: innovation = h · error + noise of `variance`.

    `dx` collects the corrections of all measurements taken at one instant, so `innovation` is the
    measured minus the expected value before the first of them. `h` is cleared. With a `tape` of
    any length, (h, gain, weighted innovation, weight) are written to its next row for the
    smoother and `used[0]` counts the rows.
    """
    n = P.shape[0]
    for i in range(n):
        gain[i] = 0.0
    s = variance
    y = innovation
    for i in range(n):
        c = h[i]
        if c != 0.0:
            y -= c * dx[i]
            for j in range(n):
                gain[j] += c * P[i, j]
    for i in range(n):
        s += h[i] * gain[i]
    weight = 1.0 / s
    root = np.sqrt(weight)
    for i in range(n):
        dx[i] += gain[i] * weight * y
        gain[i] *= root
    for i in range(n):
        c = gain[i]
        for j in range(n):
            P[i, j] -= c * gain[j]
    if tape.shape[0] > 0:
        row = used[0]
        used[0] = row + 1
        for i in range(n):
            tape[row, i] = h[i]
            tape[row, n + i] = gain[i] * root
        tape[row, 2 * n] = y * weight
        tape[row, 2 * n + 1] = weight
    for i in range(n):
        h[i] = 0.0
