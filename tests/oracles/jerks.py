"""Jerks by scipy's peak finder and plain numpy, from the words of the specification."""

import numpy as np
from scipy.signal import find_peaks

from processing.types import FloatArray


def jerks(w_dps: FloatArray) -> list[tuple[int, int, int]]:
    """Return (peak, onset, offset) rows of pulses that meet all thresholds, 100 Hz."""
    speed = np.linalg.norm(w_dps, axis=1)
    change = np.linalg.norm(np.diff(w_dps, axis=0), axis=1) * 100.0
    peaks, _ = find_peaks(speed, height=30.0, distance=8)
    everything, _ = find_peaks(speed)
    found = []
    for peak in peaks:
        before = np.flatnonzero(speed[:peak] <= 0.25 * speed[peak])
        after = np.flatnonzero(speed[peak:] <= 0.25 * speed[peak])
        if not before.size or not after.size:
            continue
        onset, offset = int(before[-1]), int(peak + after[0])
        half = 0.5 * speed[peak]
        left = np.flatnonzero(speed[:peak] <= half)[-1]
        right = peak + np.flatnonzero(speed[peak:] <= half)[0]
        begin = left + (half - speed[left]) / (speed[left + 1] - speed[left])
        end = right - (half - speed[right]) / (speed[right - 1] - speed[right])
        amplitude = np.linalg.norm(w_dps[onset : offset + 1].sum(axis=0)) / 100.0
        near = everything[(abs(everything - peak) < 49) & (everything != peak)]
        if (
            (end - begin) / 100.0 <= 0.16
            and change[onset:offset].max() >= 500.0
            and 3.0 <= amplitude <= 40.0
            and np.sum(speed[near] >= 0.6 * speed[peak]) <= 1
            and peak - onset <= 50
            and offset - peak < 50
        ):
            found.append((int(peak), onset, offset))
    return found
