"""Covariance of the error states: propagation over a window, and a batch of measurements.

Both work on whole rows of P, because rows are contiguous and the compiler vectorises
``row += c * row``, and both keep P exactly symmetric: rounding would otherwise leave an
antisymmetric part that no measurement corrects and that the double integrator of velocity and
position lets grow without bound.
"""

from typing import Final

import numpy as np

from processing._jit import kernel
from processing.orientation.layout import AO, BI, LE, MG, N_ERROR, N_TRANSITION, PO, TH, VE
from processing.types import FloatArray, IntArray

_R: Final = 0
_RW: Final = 9
_L: Final = 36
"""Offsets into the transition of a window: the integrals that `layout` lists from SUM_R on."""
T_S: Final = N_TRANSITION
"""Place of the window's length behind them."""
GRAVITY_MS2: Final = 9.81
"""Standard gravity; a local value off by 0.3 % looks like an offset and is learnt as one."""


@kernel()
def add_row(P: FloatArray, to: int, c: float, source: int) -> None:
    """Row `to` += c × row `source`."""
    for j in range(P.shape[1]):
        P[to, j] += c * P[source, j]


@kernel()
def apply_transition(P: FloatArray, r: int, t: FloatArray, d: FloatArray) -> None:
    """Multiply the rows of one sensor, starting at row r, by its transition over a window.

    `t` holds the integrals ∫R dt, ∫R[i, j] ω[k] dt and ∫R (ω × f) dt of a window and its length T;
    `d` is scratch of four rows::

        θ' = R (M ω - b)          v' = θ × g - R o + R (ω × f) l          p' = v

    θ acts on v at the middle of the window, and through gravity g only, not through the whole
    specific force: the motion model is the same in all directions, so turning the motion along with
    the attitude changes no measurement, and an attitude error must not look like a correlation
    between the axes of the motion (invariant error, Barrau and Bonnabel 2017). Heading drops out.
    """
    n = P.shape[1]
    e = d[3]
    half = 0.5 * t[T_S]
    lift = GRAVITY_MS2 * t[T_S]
    for i in range(3):
        b0, b1, b2 = -0.5 * t[_R + 3 * i], -0.5 * t[_R + 3 * i + 1], -0.5 * t[_R + 3 * i + 2]
        for j in range(n):
            d[i, j] = b0 * P[r + BI, j] + b1 * P[r + BI + 1, j] + b2 * P[r + BI + 2, j]
        for m in range(3):
            w0 = 0.5 * t[_RW + 9 * i + 3 * m]
            w1 = 0.5 * t[_RW + 9 * i + 3 * m + 1]
            w2 = 0.5 * t[_RW + 9 * i + 3 * m + 2]
            k = r + MG + 3 * m
            for j in range(n):
                d[i, j] += w0 * P[k, j] + w1 * P[k + 1, j] + w2 * P[k + 2, j]
    for i in range(3):
        a0, a1, a2 = -t[_R + 3 * i], -t[_R + 3 * i + 1], -t[_R + 3 * i + 2]
        add_row(P, r + PO + i, half, r + VE + i)
        for j in range(n):
            P[r + TH + i, j] += d[i, j]
        for j in range(n):
            e[j] = a0 * P[r + AO, j] + a1 * P[r + AO + 1, j] + a2 * P[r + AO + 2, j]
            e[j] += t[_L + i] * P[r + LE, j]
        for j in range(n):
            P[r + VE + i, j] += e[j]
    add_row(P, r + VE, lift, r + TH + 1)
    add_row(P, r + VE + 1, -lift, r + TH)
    for i in range(3):
        add_row(P, r + PO + i, half, r + VE + i)
        for j in range(n):
            P[r + TH + i, j] += d[i, j]


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
def propagate(P: FloatArray, t: FloatArray, sensors: int, d: FloatArray) -> None:
    """Replace P by F P Fᵀ, F the transitions `t` (sensors, ...) of all sensors.

    Only the rows of attitude, velocity and position change under F, so F P holds F P Fᵀ everywhere
    but where those rows meet the columns of the same states.
    """
    n = P.shape[0]
    for i in range(sensors):
        apply_transition(P, i * N_ERROR, t[i], d)
    for i in range(sensors):
        r = i * N_ERROR
        for j in range(N_ERROR):
            if BI <= j < VE:
                continue
            row = P[r + j]
            for k in range(i, sensors):
                _to_row(row, k * N_ERROR, t[k])
    for i in range(sensors):
        r = i * N_ERROR
        for j in range(N_ERROR):
            if BI <= j < VE:
                continue
            a = r + j
            for k in range(i):
                for b in range(k * N_ERROR + BI, k * N_ERROR + VE):
                    P[b, a] = P[a, b]
            for b in range(r + BI, r + VE):
                P[b, a] = P[a, b]
            for b in range(r + N_ERROR, n):
                P[b, a] = P[a, b]
            for inner in range(j + 1, N_ERROR):
                if BI <= inner < VE:
                    continue
                b = r + inner
                mean = 0.5 * (P[a, b] + P[b, a])
                P[a, b] = mean
                P[b, a] = mean


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
    tape: FloatArray,
    used: IntArray,
) -> None:
    """Take in the first `count` scalar measurements: innovation = H[m] · error + noise.

    values[m] = (innovation, variance). `dx` receives the corrections. The measurements are taken
    one after the other (sequential update, Bierman 1977), but P is passed over only once: what the
    earlier ones change in it is added to the gain of the later. G is scratch like H; H is cleared.
    With a `tape` of any length, (h, gain, weighted innovation, weight) of each are written to its
    next row for the smoother; `used[0]` counts the rows.
    """
    n = P.shape[0]
    where = np.empty(N_ERROR, dtype=np.int64)
    for i in range(n):
        dx[i] = 0.0
    for m in range(count):
        y, s = values[m, 0], values[m, 1]
        terms = 0
        for j in range(n):
            G[m, j] = 0.0
        for i in range(n):
            c = H[m, i]
            if c != 0.0:
                where[terms] = i
                terms += 1
                y -= c * dx[i]
                for j in range(n):
                    G[m, j] += c * P[i, j]
        for k in range(m):
            c = 0.0
            for i in range(terms):
                c += H[m, where[i]] * G[k, where[i]]
            if c != 0.0:
                for j in range(n):
                    G[m, j] -= c * G[k, j]
        for i in range(terms):
            s += H[m, where[i]] * G[m, where[i]]
        root = np.sqrt(1.0 / s)
        step = root * y
        for i in range(n):
            G[m, i] *= root
            dx[i] += G[m, i] * step
        if tape.shape[0] > 0:
            line = used[0]
            used[0] += 1
            for i in range(n):
                tape[line, i] = H[m, i]
                tape[line, n + i] = G[m, i] * root
            tape[line, 2 * n] = y * root * root
            tape[line, 2 * n + 1] = root * root
        for i in range(terms):
            H[m, where[i]] = 0.0
    full = count - count % 3
    for i in range(n):
        for m in range(0, full, 3):
            c0, c1, c2 = G[m, i], G[m + 1, i], G[m + 2, i]
            if c0 != 0.0 or c1 != 0.0 or c2 != 0.0:
                for j in range(n):
                    P[i, j] -= c0 * G[m, j] + c1 * G[m + 1, j] + c2 * G[m + 2, j]
        for m in range(full, count):
            c0 = G[m, i]
            if c0 != 0.0:
                for j in range(n):
                    P[i, j] -= c0 * G[m, j]
