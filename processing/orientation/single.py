"""One sensor: the batch estimator that BROAD measures, half of the pair filter."""

from typing import Literal

import numpy as np

from processing import quaternion
from processing.errors import InputError
from processing.orientation.layout import FLOOR, N_ERROR, N_STATE, POWER
from processing.orientation.params import (
    DEFAULT_GYRO_NOISE_DPS,
    FilterParams,
    SensorParams,
    constants,
    initial_variances,
)
from processing.orientation.window import run
from processing.types import FloatArray


def estimate(
    gyr: FloatArray,
    acc: FloatArray,
    mag: FloatArray | None = None,
    *,
    rate_hz: float,
    mode: Literal["online", "offline"] = "online",
    gyro_noise_dps: float | None = None,
) -> FloatArray:
    """Return the orientation of one sensor, sensor to earth (east-north-up).

    Parameters
    ----------
    gyr : (n, 3) float64, rad/s
    acc : (n, 3) float64, m/s²
        Specific force, +g up at rest.
    mag : (n, 3) float64 or None
        Magnetic field in any unit; without it heading starts anywhere.
    rate_hz : float
    mode : {"online", "offline"}
        Causal, or smoothed over the whole recording.
    gyro_noise_dps : float or None
        Standard deviation of the gyroscope at rest at this rate, °/s; learnt where None.

    Returns
    -------
    (n, 4) float64
        Unit quaternions (w, x, y, z).

    Raises
    ------
    InputError
        For wrong shapes, NaN or infinity, or a rate that is not positive.
    """
    gyr = checked(gyr, "gyr")
    acc = checked(acc, "acc")
    if acc.shape != gyr.shape:
        raise InputError(f"acc has shape {acc.shape}, gyr {gyr.shape}; both must be (n, 3)")
    if mag is not None:
        mag = checked(mag, "mag")
        if mag.shape != gyr.shape:
            raise InputError(f"mag has shape {mag.shape}, gyr {gyr.shape}; both must be (n, 3)")
    if not (np.isfinite(rate_hz) and rate_hz > 0.0):
        raise InputError(f"rate_hz is {rate_hz}; give the sample rate in hertz")
    if mode not in ("online", "offline"):
        raise InputError(f"mode is {mode!r}; choose 'online' or 'offline'")
    shared = FilterParams()
    sensor = SensorParams(gyro_noise_dps=gyro_noise_dps)
    n = gyr.shape[0]
    x = np.zeros((1, N_STATE))
    x[0, POWER] = 1.0
    x[0, FLOOR] = np.radians(DEFAULT_GYRO_NOISE_DPS if gyro_noise_dps is None else gyro_noise_dps)
    P = np.diag(initial_variances(sensor, shared))
    window = max(1, round(shared.window_s * rate_hz))
    out = np.empty((1, n, 4))
    run(
        gyr[None],
        acc[None],
        np.ones((1, n), dtype=np.bool_),
        0,
        n,
        0,
        x,
        P,
        constants(sensor, shared)[None],
        1.0 / rate_hz,
        window,
        np.empty((6, N_ERROR)),
        out,
        np.empty(0),
    )
    return quaternion.normalize(out[0])


def checked(a: FloatArray, name: str) -> FloatArray:
    """Return `a` as contiguous (n, 3) float64 or raise `InputError` saying where it is wrong."""
    b = np.ascontiguousarray(a, dtype=np.float64)
    if b.ndim != 2 or b.shape[1] != 3:
        raise InputError(f"{name} has shape {b.shape}, expected (n, 3)")
    bad = ~np.isfinite(b).all(axis=1)
    if bad.any():
        raise InputError(
            f"{name} is not finite at sample {int(np.argmax(bad))}; fill or cut gaps first"
        )
    return b
