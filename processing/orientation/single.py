"""One sensor: the batch estimator that BROAD measures, half of the pair filter."""

from numbers import Real
from typing import Final, Literal

import numpy as np

from processing import quaternion
from processing.errors import InputError
from processing.orientation.layout import (
    FLOOR_A,
    FLOOR_KNOWN,
    FLOOR_W,
    GAIN,
    MG,
    N_ERROR,
    STARTED,
    Q,
)
from processing.orientation.params import (
    FilterParams,
    SensorParams,
    constants,
    initial_state,
    initial_variances,
)
from processing.orientation.recording import Recording, smooth_rows, swept
from processing.orientation.truncation import first_known, restored
from processing.orientation.window import run
from processing.types import MOST_FORCE_MS2, MOST_RATE_RADS, FloatArray

Mode = Literal["online", "offline"]

MOST_FIELD: Final = 1e9
"""Above the counts and nanotesla of any magnetometer; what is more has lost its meaning."""
CALIBRATED_OFFSET_MS2: Final = 0.02
"""Accelerometer offset that a calibrated sensor has left, standard deviation, m/s²."""
SETTLED_GAIN_SIGMA: Final = 1e-4
"""What the second pass leaves of `gain_sigma`."""
HAND_WINDOW_S: Final = 0.25
"""Window for motion as quick as that of a hand, s."""
HAND_COHERENCE_S: Final = 0.5
"""A hand turns there and back in less than this, s; see `FilterParams.coherence_s`."""
HAND_BIAS_WALK_DPS: Final = 0.001
"""Random walk of the bias where warming up is no state of its own, °/s/√s."""
HAND_GYRO_DENSITY_DPS: Final = 0.0099
"""Gyroscope white noise of a sensor moved by hand, °/s/√Hz: √2 of `FilterParams.gyro_density_dps`.
0.007 moves BROAD's figures by 0.003° at most, the means of inclination and 9D up by 0.001°."""
HAND_FLOOR_MOST_DPS: Final = 0.03
"""Highest gyroscope noise that is learnt, °/s/√Hz: twice that of the noisiest data sheets."""
GYRO_DELAY_S: Final = 0.00125
"""How much more a gyroscope's low-pass delays than the accelerometer's, s: consumer sensors with
bandwidths of 100 to 250 Hz lie between 0.5 and 2 ms. Where the filter starts: it is a state."""


def estimate(
    gyr: FloatArray,
    acc: FloatArray,
    mag: FloatArray | None = None,
    *,
    rate_hz: float,
    mode: Mode = "online",
    gyro_noise_dps: float | None = None,
) -> FloatArray:
    """Return the orientation of one sensor, sensor to earth (east-north-up).

    Parameters
    ----------
    gyr : (n, 3) float64, rad/s
        As the sensor gave it: counts that were cut off towards zero are found and restored
        (`truncation`).
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
        For wrong shapes or types, NaN, infinity, a sample beyond any sensor's range, or a rate
        that is not positive.
    """
    gyr = checked(gyr, "gyr", MOST_RATE_RADS, "rad/s")
    acc = checked(acc, "acc", MOST_FORCE_MS2, "m/s²")
    if acc.shape != gyr.shape:
        raise InputError(f"acc has shape {acc.shape}, gyr {gyr.shape}; both must be (n, 3)")
    if mag is not None:
        mag = checked(mag, "mag", MOST_FIELD, "of any unit")
        if mag.shape != gyr.shape:
            raise InputError(f"mag has shape {mag.shape}, gyr {gyr.shape}; both must be (n, 3)")
    if not positive(rate_hz):
        raise InputError(f"rate_hz is {rate_hz!r}; give the sample rate in hertz")
    if gyro_noise_dps is not None and not positive(gyro_noise_dps):
        raise InputError(f"gyro_noise_dps is {gyro_noise_dps!r}; give a positive number or None")
    if mode not in ("online", "offline"):
        raise InputError(f"mode is {mode!r}; choose 'online' or 'offline'")
    sensor = SensorParams(
        gyro_noise_dps=gyro_noise_dps,
        offset_sigma_ms2=CALIBRATED_OFFSET_MS2,
        acc_lead_s=GYRO_DELAY_S,
    )
    shared = FilterParams(
        window_s=HAND_WINDOW_S,
        coherence_s=HAND_COHERENCE_S,
        bias_walk_dps=HAND_BIAS_WALK_DPS,
        gyro_density_dps=HAND_GYRO_DENSITY_DPS,
        floor_most_dps=HAND_FLOOR_MOST_DPS,
    )
    known, count = first_known(gyr, rate_hz)
    if count == 0.0:
        return filtered(gyr, acc, mag, sensor, shared, rate_hz=rate_hz, mode=mode)
    whole = restored(gyr, count)
    q = filtered(whole, acc, mag, sensor, shared, rate_hz=rate_hz, mode=mode)
    if mode == "online":
        # what was shown before it was known stays
        early = None if mag is None else mag[:known]
        q[:known] = filtered(
            gyr[:known], acc[:known], early, sensor, shared, rate_hz=rate_hz, mode=mode
        )
    return q


def filtered(
    gyr: FloatArray,
    acc: FloatArray,
    mag: FloatArray | None,
    sensor: SensorParams,
    shared: FilterParams,
    *,
    rate_hz: float,
    mode: Mode,
) -> FloatArray:
    """Return what `estimate` returns, for checked arrays and any parameters.

    Offline the filter runs twice: the second time it knows the noise floors from the quietest two
    seconds of the whole recording, and its strapdown uses the smoothed gyroscope matrix from the
    first sample on, held fixed, instead of one that is still being learnt.
    """
    n = gyr.shape[0]
    x0 = initial_state(sensor, rate_hz)
    if mag is not None and n > 0:
        x0[Q : Q + 4] = attitude_from(acc[0], mag[0])
        x0[STARTED] = 1.0
    variances = initial_variances(sensor, shared)
    tuned = constants(sensor, shared)[None]
    window = max(1, round(shared.window_s * rate_hz))
    windows = n // window if mode == "offline" else 0
    q = np.empty((1, n, 4))
    for last in (False, True) if windows else (True,):
        record = Recording.of(windows, 1)
        x, P = x0[None].copy(), np.diag(variances)
        run(
            (gyr,),
            (acc,),
            (np.empty((0, 3)) if mag is None else mag,),
            (np.ones(n, dtype=np.bool_),),
            0,
            n,
            0,
            x,
            P,
            np.empty(0),
            tuned,
            1.0 / rate_hz,
            window,
            q,
            np.empty(0),
            *record.arrays,
        )
        if windows:
            adjoint = np.zeros((1, N_ERROR))
            error, _ = swept(record, adjoint, np.empty((0, N_ERROR)))
            if last:
                smooth_rows(q[0], 0, window, record.passages[:, 0], error[:, 0])
            else:
                known = [FLOOR_W, FLOOR_A, FLOOR_KNOWN]
                x0[known] = x[0, known]
                x0[GAIN : GAIN + 9] -= variances[MG : MG + 9] * adjoint[0, MG : MG + 9]
                variances[MG : MG + 9] = SETTLED_GAIN_SIGMA**2
    oriented: FloatArray = q[0]
    return oriented


def attitude_from(acc: FloatArray, mag: FloatArray) -> FloatArray:
    """Return the attitude (4,) with specific force up and horizontal field north (TRIAD).

    Black 1964; where the two are parallel or zero, heading is arbitrary.
    """
    up = acc / max(float(np.linalg.norm(acc)), 1e-9)
    east = np.cross(mag, up)
    if np.linalg.norm(east) < 1e-6 * max(float(np.linalg.norm(mag)), 1e-9):
        east = np.cross(np.eye(3)[int(np.argmin(np.abs(up)))], up)
    east = east / np.linalg.norm(east)
    q: FloatArray = quaternion.from_matrix(np.stack((east, np.cross(up, east), up)))
    return q


def positive(value: object) -> bool:
    """Return whether `value` is a real, finite number above zero."""
    return isinstance(value, Real) and bool(0.0 < float(value) < np.inf)


def checked(a: FloatArray, name: str, most: float, unit: str) -> FloatArray:
    """Return `a` as contiguous (n, 3) float64 or raise `InputError` saying where it is wrong."""
    try:
        given = np.asarray(a)
    except ValueError as error:
        raise InputError(f"{name} is no array of shape (n, 3): {error}") from error
    if given.dtype.kind not in "fiu":
        raise InputError(f"{name} is of type {given.dtype}; give real numbers")
    b = np.ascontiguousarray(given, dtype=np.float64)
    if b.ndim != 2 or b.shape[1] != 3:
        raise InputError(f"{name} has shape {b.shape}, expected (n, 3)")
    if not np.isfinite(b.sum()) and not np.isfinite(b).all():
        bad = ~np.isfinite(b).all(axis=1)
        raise InputError(
            f"{name} is not finite at sample {int(np.argmax(bad))}; fill or cut gaps first"
        )
    if b.size and max(float(b.max()), -float(b.min())) > most:
        largest = np.abs(b).max(axis=1)
        at = int(np.argmax(largest > most))
        raise InputError(
            f"{name} is {largest[at]:.4g} at sample {at}, beyond any sensor's {most:.4g} {unit}; "
            "check the unit, or cut or replace the sample"
        )
    return b
