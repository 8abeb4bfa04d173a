"""Covariance of the error states: propagation over a window, and a batch of measurements.

Both work on whole rows of P, eight columns at a time (see `layout.WIDTH`), and both keep P exactly
symmetric: rounding would otherwise leave an antisymmetric part that no measurement corrects and
that the double integrator of velocity and position lets grow without bound.
"""

from typing import Final

import numpy as np

from processing._jit import kernel
from processing.orientation.layout import (
    AO,
    BI,
    LE,
    MG,
    N_ERROR,
    N_TRANSITION,
    PO,
    TH,
    VE,
    WIDTH,
)
from processing.types import FloatArray, IntArray

_R: Final = 0
_RW: Final = 9
_L: Final = 36
"""Offsets into the transition of a window: the integrals that `layout` lists from SUM_R on."""
T_S: Final = N_TRANSITION
"""Place of the window's length behind them."""
GRAVITY_MS2: Final = 9.81
"""Gravity between 45 and 55° of latitude, 9.806 to 9.815; a local value off by 0.3 % looks like an
offset and is learnt as one. Not the unit g (`frames.STANDARD_GRAVITY_MS2`): with that BROAD's 9D
error is 1.769 instead of 1.755° online."""


@kernel()
def add_row(P: FloatArray, to: int, c: float, source: int) -> None:
    """Row `to` += c × row `source`."""
    for j in range(P.shape[1]):
        P[to, j] += c * P[source, j]


@kernel()
def widen(P: FloatArray, wide: FloatArray) -> None:
    """Copy P to the same rows of `WIDTH`."""
    n = P.shape[0]
    for i in range(n):
        for j in range(n):
            wide[i, j] = P[i, j]
        for j in range(n, WIDTH):
            wide[i, j] = 0.0


@kernel()
def narrow(wide: FloatArray, P: FloatArray) -> None:
    """Copy rows of `WIDTH` back to P."""
    for i in range(P.shape[0]):
        for j in range(P.shape[0]):
            P[i, j] = wide[i, j]


@kernel()
def _whole_eights(n: int) -> int:
    """Return how many columns to work on for n error states."""
    return (n + 7) // 8 * 8


@kernel()
def apply_transition(P: FloatArray, r: int, t: FloatArray) -> None:
    """Multiply the rows of one sensor, starting at row r, by its transition over a window.

    `t` holds the integrals ∫R dt, ∫R[i, j] ω[k] dt and ∫R (ω × f) dt of a window and its length T::

        θ' = R (M ω - b)          v' = θ × g - R o + R (ω × f) l          p' = v

    θ acts on v at the middle of the window, v on p by its mean, and θ through gravity g only, not
    through the whole specific force: the motion model is the same in all directions, so turning the
    motion along with the attitude changes no measurement, and an attitude error must not look like
    a correlation between the axes of the motion (invariant error, Barrau and Bonnabel 2017).
    Heading drops out.
    """
    if P.shape[1] != WIDTH:
        raise ValueError("rows of another width than they are compiled for")
    p = P[r : r + N_ERROR]
    half, lift = 0.5 * t[T_S], GRAVITY_MS2 * t[T_S]
    R, W, L = t[_R:_RW], t[_RW:_L], t[_L:T_S]
    for j in range(_whole_eights(P.shape[0])):
        x, y, z = p[BI, j], p[BI + 1, j], p[BI + 2, j]
        d0 = -R[0] * x - R[1] * y - R[2] * z
        d1 = -R[3] * x - R[4] * y - R[5] * z
        d2 = -R[6] * x - R[7] * y - R[8] * z
        x, y, z = p[MG, j], p[MG + 1, j], p[MG + 2, j]
        d0 += W[0] * x + W[1] * y + W[2] * z
        d1 += W[9] * x + W[10] * y + W[11] * z
        d2 += W[18] * x + W[19] * y + W[20] * z
        x, y, z = p[MG + 3, j], p[MG + 4, j], p[MG + 5, j]
        d0 += W[3] * x + W[4] * y + W[5] * z
        d1 += W[12] * x + W[13] * y + W[14] * z
        d2 += W[21] * x + W[22] * y + W[23] * z
        x, y, z = p[MG + 6, j], p[MG + 7, j], p[MG + 8, j]
        d0 += W[6] * x + W[7] * y + W[8] * z
        d1 += W[15] * x + W[16] * y + W[17] * z
        d2 += W[24] * x + W[25] * y + W[26] * z
        x, y, z, lead = p[AO, j], p[AO + 1, j], p[AO + 2, j], p[LE, j]
        e0 = L[0] * lead - R[0] * x - R[1] * y - R[2] * z + lift * (p[TH + 1, j] + 0.5 * d1)
        e1 = L[1] * lead - R[3] * x - R[4] * y - R[5] * z - lift * (p[TH, j] + 0.5 * d0)
        e2 = L[2] * lead - R[6] * x - R[7] * y - R[8] * z
        p[TH, j] += d0
        p[TH + 1, j] += d1
        p[TH + 2, j] += d2
        p[PO, j] += half * (2.0 * p[VE, j] + e0)
        p[PO + 1, j] += half * (2.0 * p[VE + 1, j] + e1)
        p[PO + 2, j] += half * (2.0 * p[VE + 2, j] + e2)
        p[VE, j] += e0
        p[VE + 1, j] += e1
        p[VE + 2, j] += e2


@kernel()
def _to_row(row: FloatArray, r: int, t: FloatArray) -> None:
    """Apply the same transition to one vector of error states."""
    half = 0.5 * t[T_S]
    lift = GRAVITY_MS2 * t[T_S]
    d0 = d1 = d2 = 0.0
    for m in range(3):
        b = row[r + BI + m]
        d0 -= t[_R + m] * b
        d1 -= t[_R + 3 + m] * b
        d2 -= t[_R + 6 + m] * b
    for m in range(9):
        g = row[r + MG + m]
        d0 += t[_RW + m] * g
        d1 += t[_RW + 9 + m] * g
        d2 += t[_RW + 18 + m] * g
    o0, o1, o2 = row[r + AO], row[r + AO + 1], row[r + AO + 2]
    lead = row[r + LE]
    x, y = row[r + TH] + 0.5 * d0, row[r + TH + 1] + 0.5 * d1
    row[r + TH] += d0
    row[r + TH + 1] += d1
    row[r + TH + 2] += d2
    for i in range(3):
        v = row[r + VE + i]
        u = v - t[_R + 3 * i] * o0 - t[_R + 3 * i + 1] * o1 - t[_R + 3 * i + 2] * o2
        u += t[_L + i] * lead
        if i == 0:
            u += lift * y
        elif i == 1:
            u -= lift * x
        row[r + VE + i] = u
        row[r + PO + i] += half * (v + u)


@kernel()
def propagate(P: FloatArray, t: FloatArray) -> None:
    """Replace P by F P Fᵀ, F the transitions `t` (sensors, ...) of all sensors.

    Only the rows of attitude, velocity and position change under F, so F P holds F P Fᵀ everywhere
    but where those rows meet the columns of the same states.
    """
    sensors = t.shape[0]
    for i in range(sensors):
        apply_transition(P, i * N_ERROR, t[i])
    for i in range(sensors):
        for j in range(N_ERROR):
            if BI <= j < VE:
                continue
            row = P[i * N_ERROR + j]
            for k in range(i, sensors):
                _to_row(row, k * N_ERROR, t[k])
    for i in range(sensors):
        _mirror(P, i * N_ERROR)


@kernel()
def _mirror(P: FloatArray, r: int) -> None:
    """Copy the rows that a transition of one sensor changed to the columns of the same states."""
    if P.shape[1] != WIDTH:
        raise ValueError("rows of another width than they are compiled for")
    rows, columns = P[r : r + N_ERROR], P[:, r : r + N_ERROR]
    for m in range(P.shape[0]):
        for j in range(3):
            columns[m, TH + j] = rows[TH + j, m]
        for j in range(6):
            columns[m, VE + j] = rows[VE + j, m]


@kernel()
def apply_adjoint(L: FloatArray, r: int, t: FloatArray) -> None:
    """Multiply the rows of one sensor by the transpose of `apply_transition`."""
    half = 0.5 * t[T_S]
    lift = GRAVITY_MS2 * t[T_S]
    for i in range(3):
        add_row(L, r + VE + i, half, r + PO + i)
        _adjoint_of_attitude(L, r, t, i)
    add_row(L, r + TH + 1, lift, r + VE)
    add_row(L, r + TH, -lift, r + VE + 1)
    for i in range(3):
        for j in range(3):
            add_row(L, r + AO + j, -t[_R + 3 * i + j], r + VE + i)
        add_row(L, r + LE, t[_L + i], r + VE + i)
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
def take_in(
    P: FloatArray,
    H: FloatArray,
    values: FloatArray,
    count: int,
    dx: FloatArray,
    G: FloatArray,
    where: IntArray,
    tape: FloatArray,
    used: IntArray,
) -> None:
    """Take in the first `count` scalar measurements: innovation = H[m] · error + noise.

    values[m] = (innovation, variance). `dx` receives the corrections. The measurements are taken
    one after the other (sequential update, Bierman 1977), but P is passed over only once: what the
    earlier ones change in it is added to the gain of the later. G is scratch like H, `where`
    (`WIDTH`,) scratch of indices; H is cleared.
    With a `tape` of any length, (h, gain, weighted innovation, weight) of each are written to its
    next row for the smoother; `used[0]` counts the rows.
    """
    if P.shape[1] != WIDTH or G.shape[1] != WIDTH:
        raise ValueError("rows of another width than they are compiled for")
    n = P.shape[0]
    columns = _whole_eights(n)
    for i in range(n):
        dx[i] = 0.0
    for m in range(count):
        h, g = H[m], G[m]
        y, s = values[m, 0], values[m, 1]
        terms = 0
        for i in range(n):
            if h[i] != 0.0:
                where[terms] = i
                terms += 1
                y -= h[i] * dx[i]
        for j in range(columns):
            g[j] = 0.0
        for k in range(0, terms, 4):
            _add_rows(P, h, where, k, terms, g, columns)
        for k in range(m):
            c = 0.0
            for i in range(terms):
                c += h[where[i]] * G[k, where[i]]
            if c != 0.0:
                for j in range(columns):
                    g[j] -= c * G[k, j]
        for i in range(terms):
            s += h[where[i]] * g[where[i]]
        root = np.sqrt(1.0 / s)
        step = root * y
        for i in range(columns):
            g[i] *= root
            dx[i] += g[i] * step
        if tape.shape[0] > 0:
            line = used[0]
            used[0] += 1
            for i in range(n):
                tape[line, i] = h[i]
                tape[line, n + i] = g[i] * root
            tape[line, 2 * n] = y * root * root
            tape[line, 2 * n + 1] = root * root
        for i in range(terms):
            h[where[i]] = 0.0
    full = count - count % 3
    for m in range(0, full, 3):
        _take_three(P, G[m : m + 3], columns)
    for m in range(full, count):
        for i in range(n):
            c0 = G[m, i]
            if c0 != 0.0:
                for j in range(columns):
                    P[i, j] -= c0 * G[m, j]


@kernel()
def _add_rows(
    P: FloatArray, h: FloatArray, where: IntArray, k: int, terms: int, g: FloatArray, columns: int
) -> None:
    """Add four rows of P, weighted by h, to g: those listed from k on, fewer at the end."""
    if P.shape[1] != WIDTH:
        raise ValueError("rows of another width than they are compiled for")
    i0 = where[k]
    i1 = where[k + 1] if k + 1 < terms else i0
    i2 = where[k + 2] if k + 2 < terms else i0
    i3 = where[k + 3] if k + 3 < terms else i0
    c0 = h[i0]
    c1 = h[i1] if k + 1 < terms else 0.0
    c2 = h[i2] if k + 2 < terms else 0.0
    c3 = h[i3] if k + 3 < terms else 0.0
    for j in range(columns):
        g[j] += c0 * P[i0, j] + c1 * P[i1, j] + c2 * P[i2, j] + c3 * P[i3, j]


@kernel()
def _take_three(P: FloatArray, G: FloatArray, columns: int) -> None:
    """Subtract three gains times themselves from P, two rows at a time."""
    if P.shape[1] != WIDTH or G.shape[1] != WIDTH:
        raise ValueError("rows of another width than they are compiled for")
    n = P.shape[0]
    for i in range(0, n - 1, 2):
        p = P[i : i + 2]
        a0, a1, a2 = G[0, i], G[1, i], G[2, i]
        b0, b1, b2 = G[0, i + 1], G[1, i + 1], G[2, i + 1]
        for j in range(columns):
            g0, g1, g2 = G[0, j], G[1, j], G[2, j]
            p[0, j] -= a0 * g0 + a1 * g1 + a2 * g2
            p[1, j] -= b0 * g0 + b1 * g1 + b2 * g2
    if n % 2 == 1:
        a0, a1, a2 = G[0, n - 1], G[1, n - 1], G[2, n - 1]
        for j in range(columns):
            P[n - 1, j] -= a0 * G[0, j] + a1 * G[1, j] + a2 * G[2, j]
