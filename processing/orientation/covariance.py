"""Covariance of the error states: propagation over a window and scalar measurements.

All work is done on whole rows of P, because rows are contiguous and the compiler vectorises
``row += c * row``. With the row operation L, ``L(L P)ᵀ`` is ``F P Fᵀ`` as P is symmetric.
"""

from processing._jit import kernel
from processing.orientation.layout import AO, BI, MG, PO, SUM_F, SUM_R, SUM_RW, TH, VE
from processing.types import FloatArray


@kernel()
def add_row(P: FloatArray, to: int, c: float, source: int) -> None:
    """Row `to` += c × row `source`."""
    for j in range(P.shape[1]):
        P[to, j] += c * P[source, j]


@kernel()
def apply_transition(P: FloatArray, r: int, s: FloatArray, T: float, d: FloatArray) -> None:
    """Multiply the rows of one sensor, starting at row r, by its transition over a window.

    `s` holds the integrals ∫R dt, ∫R[i, j] ω[k] dt and ∫f dt (earth axes) of a window of T seconds;
    `d` is scratch of three rows::

        θ' = R (M ω - b)          v' = θ × f - R o          p' = v

    θ acts on v at the middle of the window. The vertical component of θ is left out of v': turning
    attitude, velocity and position about the vertical together changes no measurement, so a
    heading error must not look like an acceleration (invariant error, Barrau and Bonnabel 2017).
    """
    n = P.shape[1]
    for i in range(3):
        for j in range(n):
            d[i, j] = 0.0
        for m in range(3):
            c = -0.5 * s[SUM_R + 3 * i + m]
            for j in range(n):
                d[i, j] += c * P[r + BI + m, j]
        for m in range(9):
            c = 0.5 * s[SUM_RW + 9 * i + m]
            for j in range(n):
                d[i, j] += c * P[r + MG + m, j]
    for i in range(3):
        add_row(P, r + PO + i, 0.5 * T, r + VE + i)
        for j in range(n):
            P[r + TH + i, j] += d[i, j]
    for i in range(3):
        for j in range(3):
            add_row(P, r + VE + i, -s[SUM_R + 3 * i + j], r + AO + j)
    add_row(P, r + VE, s[SUM_F + 2], r + TH + 1)
    add_row(P, r + VE + 1, -s[SUM_F + 2], r + TH)
    add_row(P, r + VE + 2, s[SUM_F + 1], r + TH)
    add_row(P, r + VE + 2, -s[SUM_F], r + TH + 1)
    for i in range(3):
        add_row(P, r + PO + i, 0.5 * T, r + VE + i)
        for j in range(n):
            P[r + TH + i, j] += d[i, j]


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
) -> float:
    """Take in one scalar measurement and return the variance of its innovation.

    `dx` collects the corrections of a batch of measurements taken at one instant, so `innovation`
    is the measured minus the expected value *before* the batch. `gain` receives P h / s.
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
    root = 1.0 / s
    for i in range(n):
        c = gain[i] * root
        for j in range(n):
            P[i, j] -= c * gain[j]
    for i in range(n):
        gain[i] *= root
        dx[i] += gain[i] * y
    return s
