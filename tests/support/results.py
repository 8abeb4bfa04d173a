"""Results with known numbers for the stores of results."""

import numpy as np
from numpy.typing import NDArray

from processing.types import Episode
from storage.result_rows import ANGLE_FIELDS, AXES, SECOND_NS, AngleSeries

T0_NS = 1_700_000_040 // 60 * 60 * SECOND_NS
ALGO = "1-0123abcd"


def seconds(start: int, n: int, *, offset_deg: float = 0.0, valid: float = 1.0) -> AngleSeries:
    """Return `n` seconds from T0 + `start`; flexion is the number of the second modulo 50."""
    k = np.arange(start, start + n)
    values = np.empty((n, len(ANGLE_FIELDS)))
    for axis in range(len(AXES)):
        mean = (k * (axis + 1)) % 50 + offset_deg + 0.25
        values[:, 3 * axis] = mean
        values[:, 3 * axis + 1] = mean - 1.5 - k % 3
        values[:, 3 * axis + 2] = mean + 1.5 + k % 5
    values[:, 12] = 2.0 + (k % 4) / 8
    values[:, 13:15] = np.nan
    values[:, 15] = valid
    return AngleSeries(T0_NS + k * SECOND_NS, 1, values)


def coarse_oracle(series: AngleSeries, step_s: int) -> dict[int, list[float]]:
    """Return slots the slow way: mean of means, minimum of minima, maximum of maxima."""
    slots: dict[int, list[NDArray[np.float64]]] = {}
    for t, row in zip(series.t_ns.tolist(), series.values, strict=True):
        slots.setdefault(t // (step_s * SECOND_NS) * step_s * SECOND_NS, []).append(row)
    found = {}
    for t, rows in slots.items():
        out = []
        for name, column in zip(ANGLE_FIELDS, np.array(rows).T, strict=True):
            known = column[np.isfinite(column)]
            if name == "valid":
                out.append(float(column.sum()) / step_s)
            elif not len(known):
                out.append(float("nan"))
            elif name.endswith("_min_deg"):
                out.append(float(known.min()))
            elif name.endswith("_max_deg"):
                out.append(float(known.max()))
            else:
                out.append(float(known.mean()))
        found[t] = out
    return found


def episode(start_s: float, kind: str = "jerk", duration_s: float = 2.0) -> Episode:
    """Return a candidate episode that starts `start_s` after T0."""
    start = T0_NS + round(start_s * 1e9)
    end = start + round(duration_s * 1e9)
    return Episode(
        kind=kind,  # type: ignore[arg-type]  # one of the three in every test
        label="jerk_burst",
        start_ns=start,
        end_ns=end,
        peak_ns=start + round(duration_s * 5e8),
        amplitude_deg=12.5,
        confidence=0.75,
        detector="jerk-1",
        features={"peak_rate_dps": 321.125, "n_jerks": 3.0},
    )
