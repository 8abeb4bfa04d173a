"""What a look at the magnetic field does to the filter of two sensors.

Two states more stand behind those of a pair: what the field always shows wrongly, and what comes to
it at this place. They are there only where both sensors have a magnetometer; see `field`.
"""

import math

import numpy as np

from processing.orientation.field import (
    ALWAYS,
    APART,
    EVERY_ROWS,
    FIELD_WINDOWS,
    HERE,
    KNOWN,
    STEEP,
    FieldParams,
    Look,
    judge,
    wear_off,
)
from processing.orientation.heading import (
    turn_heading,
    wrapped,
)
from processing.orientation.layout import (
    FIELD_ERROR,
    N_ERROR,
    N_PAIR,
    N_WITH_FIELD,
    PLACE_ERROR,
    TH,
    WIDTH,
)
from processing.orientation.recording import Recording
from processing.types import FloatArray


def with_field(P: FloatArray) -> FloatArray:
    """Return the covariance with room for what the field shows wrongly all the time."""
    n = P.shape[0]
    if n >= N_WITH_FIELD:
        return P
    kept = np.arange(n)
    kept[N_PAIR:] += N_WITH_FIELD - N_PAIR  # the error that poses share stays the last one
    wider = np.zeros((n + 2, n + 2))
    wider[np.ix_(kept, kept)] = P
    return wider


def take_look(
    params: FieldParams,
    window: int,
    dt: float,
    x: FloatArray,
    P: FloatArray,
    field: FloatArray,
    trusted: float,
    turns: FloatArray,
    record: Recording,
) -> float:
    """Take in what a look at the field says of relative heading; return the share that wears off.

    A reference pose must have given heading a zero before. What is known of the field is known by
    itself, as a pose is: its variances are divided by the factor on the filter's.
    """
    look_s = FIELD_WINDOWS * window * dt
    seen = judge(params, field, look_s, FIELD_WINDOWS * window / EVERY_ROWS)
    if seen is None:
        return 0.0
    turns[:] = 0.0
    H, values, dx = np.zeros((1, WIDTH)), np.empty((1, 2)), np.empty(WIDTH)
    variance = math.radians(params.look_sigma_deg) ** 2 + params.iron_looks * seen.doubt_rad2
    variance /= trusted
    of_place = place_variance(params, field) / trusted
    if field[KNOWN] == 0.0:
        expect_same(seen, 0.0, variance, H, values)
        field[KNOWN], field[ALWAYS] = 1.0, -values[0, 0]
        P[FIELD_ERROR, FIELD_ERROR] = math.radians(params.always_sigma_deg) ** 2 / trusted
        P[PLACE_ERROR, PLACE_ERROR] = of_place
    else:
        wear_off(field, P, seen.share, of_place)
        if record.log.shape[0] > 0:
            # gains of the window's own measurements are those before
            rows = slice(record.marks[record.used[1] - 1], record.used[0])
            record.tape[rows, P.shape[0] + PLACE_ERROR] *= 1.0 - seen.share
    walk = math.radians(params.always_walk_deg) ** 2 * look_s / 3600.0
    P[FIELD_ERROR, FIELD_ERROR] += walk / trusted
    expect_same(seen, field[ALWAYS] + field[HERE], variance, H, values)
    h = H[0, : P.shape[0]]
    expected = float(h @ P @ h) + variance
    if values[0, 0] ** 2 <= params.most_sigmas**2 * expected * trusted:
        turn_heading(x, P, H, values, dx, turns, record.tape, record.used)
        field[ALWAYS] += dx[FIELD_ERROR]
        field[HERE] += dx[PLACE_ERROR]
    return seen.share


def place_variance(params: FieldParams, field: FloatArray) -> float:
    """Return the variance of what places turn heading by, rad²."""
    return float(field[STEEP] ** 2 * max(field[APART], params.least_apart**2))


def expect_same(
    look: Look, shown: float, variance: float, H: FloatArray, values: FloatArray
) -> None:
    """Write to the first row of a batch that the field points the same way at head and trunk.

    `shown` is by how much it is expected to show the head's heading too far. A true attitude
    exp(θ) R turns the field on by θ x m, so its horizontal direction φ by
    θz - mz (mx θx + my θy) / (mx² + my²).
    """
    directions = []
    for i, m in enumerate((look.head, look.trunk)):
        r, sign = i * N_ERROR + TH, 1.0 - 2.0 * i
        steep = m[2] / (m[0] * m[0] + m[1] * m[1])
        H[0, r], H[0, r + 1], H[0, r + 2] = -sign * steep * m[0], -sign * steep * m[1], sign
        directions.append(math.atan2(m[1], m[0]))
    H[0, FIELD_ERROR] = H[0, PLACE_ERROR] = -1.0
    values[0, 0] = wrapped(directions[1] - directions[0] + shown)
    values[0, 1] = variance
