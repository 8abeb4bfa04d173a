"""Covariance of the error states: propagation over a window and scalar measurements.

All work is done on whole rows of P, because rows are contiguous and the compiler vectorises
``row += c * row``. With the row operation L, ``L(L P)ᵀ`` is ``L P Lᵀ`` as P is symmetric.
"""

from processing._jit import kernel
from processing.orientation.layout import AO, BI, MG, N_TRANSITION, PO, TH, VE
from processing.types import FloatArray, IntArray

# Offsets into the transition of a window: the integrals that `layout` lists from SUM_R on, then T.
_R = 0
_RW = 9
_F = 36
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

    `t` holds the integrals ∫R dt, ∫R[i, j] ω[k] dt and ∫f dt (earth axes) of a window and its
    length T; `d` is scratch of three rows::

        θ' = R (M ω - b)          v' = θ × f - R o          p' = v

    θ acts on v at the middle of the window. The vertical component of θ is left out of v': turning
    attitude, velocity and position about the vertical together changes no measurement, so a
    heading error must not look like an acceleration (invariant error, Barrau and Bonnabel 2017).
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
    add_row(P, r + VE, t[_F + 2], r + TH + 1)
    add_row(P, r + VE + 1, -t[_F + 2], r + TH)
    add_row(P, r + VE + 2, t[_F + 1], r + TH)
    add_row(P, r + VE + 2, -t[_F], r + TH + 1)
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
    add_row(L, r + TH + 1, t[_F + 2], r + VE)
    add_row(L, r + TH, -t[_F + 2], r + VE + 1)
    add_row(L, r + TH, t[_F + 1], r + VE + 2)
    add_row(L, r + TH + 1, -t[_F], r + VE + 2)
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
    for i in range(n):
        c = gain[i] * weight
        dx[i] += c * y
        for j in range(n):
            P[i, j] -= c * gain[j]
    if tape.shape[0] > 0:
        row = used[0]
        used[0] = row + 1
        for i in range(n):
            tape[row, i] = h[i]
            tape[row, n + i] = gain[i] * weight
        tape[row, 2 * n] = y * weight
        tape[row, 2 * n + 1] = weight
    for i in range(n):
        h[i] = 0.0
