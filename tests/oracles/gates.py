"""The gate by whole-array numpy and plain loops."""

import numpy as np

from processing.types import BoolArray, FloatArray


def gate(
    gyr: FloatArray,
    acc: FloatArray,
    valid: BoolArray,
    *,
    rate_limit_dps: float,
    acc_limit_ms2: float,
    half: int = 50,
    pad: int = 100,
) -> tuple[BoolArray, FloatArray]:
    """Return (gated, RMS of the rate in deg/s) of whole recordings."""
    n = gyr.shape[0]
    size = np.linalg.norm(acc, axis=1)
    turn = np.degrees(np.linalg.norm(gyr, axis=1))
    dynamic = np.zeros(n)
    for i in range(n):
        near = slice(max(0, i - half), i + half + 1)
        if valid[i]:
            dynamic[i] = size[i] - size[near][valid[near]].mean()
    exceeds = np.zeros(n, dtype=np.bool_)
    rms = np.full(n, np.nan)
    for i in range(n):
        near = slice(max(0, i - half), i + half + 1)
        known = valid[near]
        if known.any():
            rms[i] = np.sqrt(np.mean(turn[near][known] ** 2))
            shake = np.sqrt(np.mean(dynamic[near][known] ** 2))
            exceeds[i] = rms[i] > rate_limit_dps or shake > acc_limit_ms2
    gated = np.array([exceeds[max(0, i - pad) : i + pad + 1].any() for i in range(n)])
    return gated, rms
