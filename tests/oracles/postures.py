"""Sustained postures point by point in plain Python, from the words of the specification."""

from dataclasses import dataclass

import numpy as np

from processing.types import BoolArray, FloatArray

PLACE_DEG = 10.0
HALF, GAP, CARRY, BREAK = 10, 20, 60, 10
"""At 10 points a second: reach of the low-pass, longest return, longest gate, longest unrest."""


@dataclass(frozen=True)
class Posture:
    """Numbers of points: where it lies, and how much of it counts."""

    first: int
    last: int
    peak: int
    counted: int
    held: int


def smooth(points: FloatArray, known: BoolArray) -> FloatArray:
    """Return the points low-passed at 0.5 Hz over those that are known."""
    sigma = np.sqrt(np.log(2.0)) / (2.0 * np.pi * 0.5)
    weights = np.exp(-0.5 * (np.arange(-HALF, HALF + 1) / 10.0 / sigma) ** 2)
    padded = np.concatenate((np.zeros((HALF, 8)), points, np.zeros((HALF, 8))))
    there = np.concatenate((np.zeros(HALF), known, np.zeros(HALF)))
    out = np.full_like(points, np.nan)
    for i in np.flatnonzero(known):
        w = weights * there[i : i + 2 * HALF + 1]
        out[i] = w @ padded[i : i + 2 * HALF + 1] / w.sum()
    return out


def postures(points: FloatArray, known: BoolArray, judged: BoolArray) -> list[Posture]:
    """Return what ends within the points (m, 8), whatever its length."""
    shown = smooth(points, known)
    deviation, rate = shown[:, 3], np.linalg.norm(shown[:, 5:], axis=1)
    reading = (shown[:, 0] > 0.0) & (np.hypot(shown[:, 1], shown[:, 2]) < 10.0)
    begins = known & (deviation >= np.where(reading, 25.0, 15.0))
    found = []
    k = 0
    while k < len(points):
        if not (begins[k] and judged[k]):
            k += 1
            continue
        away, counted, was_back = [k], [k], False
        j = k + 1
        while j < len(points):
            if known[j]:
                if begins[j] if was_back else deviation[j] >= 10.0:
                    was_back = False
                    away.append(j)
                    counted += [j] if judged[j] else []
                elif deviation[j] < 10.0:
                    was_back = True
            if j - away[-1] > GAP or j - counted[-1] > CARRY:
                at = counted[int(np.argmax(deviation[counted]))]
                away = [i for i in away if rate[i] < 10.0]
                held = hold(away, judged, begins, shown[:, :3])
                found.append(Posture(k, counted[-1], at, len(counted), held))
                break
            j += 1
        k = j + 1
    return found


def hold(still: list[int], judged: BoolArray, begins: BoolArray, where: FloatArray) -> int:
    """Return the most counting points of a hold.

    It begins beyond the threshold, stays within 10° of its mean so far, and is broken by more than
    a second without such a point. Points of a gate keep it alive and are none of it.
    """
    best = 0
    run: list[int] = []
    last = -BREAK
    for i in still:
        if i - last > BREAK:
            run = []
        elif run and np.linalg.norm(where[i] - where[run].mean(axis=0)) > PLACE_DEG:
            continue
        if not run and not (judged[i] and begins[i]):
            continue
        last = i
        run += [i] if judged[i] else []
        best = max(best, len(run))
    return best
