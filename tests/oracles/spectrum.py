"""Welch's density by scipy, and tremor figures from it by the specification's words."""

import numpy as np
from scipy import signal

from processing.types import FloatArray


def density(w_dps: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return (frequencies, density summed over axes) of one 4 s window at 100 Hz, 1..12 Hz."""
    f, psd = signal.welch(
        w_dps,
        fs=100.0,
        window="hann",
        nperseg=300,
        noverlap=240,
        nfft=400,
        detrend="linear",
        axis=0,
    )
    keep = (f >= 1.0) & (f <= 12.0)
    return f[keep], psd[keep].sum(axis=1)


def peak(w_dps: FloatArray, low_hz: float, high_hz: float) -> tuple[float, float, float]:
    """Return (frequency, power ratio, p-p deg) of the highest bin between two frequencies."""
    f, psd = density(w_dps)
    inside = np.flatnonzero((f >= low_hz) & (f <= high_hz))
    best = inside[np.argmax(psd[inside])]
    band = np.abs(f - f[best]) <= 0.75 + 1e-9
    ratio = psd[band].sum() / psd.sum()
    rms = np.sqrt(np.sum(psd[band] / (2 * np.pi * f[band]) ** 2) * 0.25)
    return float(f[best]), float(ratio), float(2 * np.sqrt(2) * rms)
