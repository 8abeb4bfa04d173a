"""The stretch of angles around an episode, as a small drawing and in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Final

import numpy as np

from api.runtime import Runtime
from api.web import texts
from processing.types import Episode, FloatArray, IntArray
from storage.angle_grid import joined
from storage.catalog import Patient
from storage.result_rows import ANGLE_FIELDS
from storage.slots import slots_of

AROUND_NS: Final = 15_000_000_000
CLOSE_NS: Final = 4_000_000_000
"""Around jerks and tremor whose full-rate angles are held: a jerk lasts tenths of a second."""
CLOSE_MAX_NS: Final = 60_000_000_000
"""Longer episodes are drawn from seconds."""
SLOTS: Final = 200
_RATE_HZ: Final = 100.0
WIDTH: Final = 220.0
HEIGHT: Final = 64.0
_AXES: Final = (
    ("rotation", "rotation_right"),
    ("lateral", "lateral_right"),
    ("flexion", "flexion"),
)


@dataclass(frozen=True, slots=True)
class Snippet:
    """Angles around an episode: the mean of a slot as a line, smallest to largest as a band."""

    lines: tuple[tuple[str, str], ...]
    """Axis and path of its mean."""
    bands: tuple[tuple[str, str], ...]
    from_x: float
    """The episode itself."""
    to_x: float
    zero_y: float
    words: str
    seconds: float
    """From one end to the other."""
    width: float = WIDTH
    height: float = HEIGHT


def snippet(runtime: Runtime, patient: Patient, episode: Episode) -> Snippet | None:
    """Return the angles around an episode; None where none are stored.

    Jerks and tremor from 4 s before to 4 s after at the full rate where that is held, else seconds
    from 15 s before to 15 s after.
    """
    return _close(runtime, patient, episode) or _seconds(runtime, patient, episode)


def _close(runtime: Runtime, patient: Patient, episode: Episode) -> Snippet | None:
    t0, t1 = episode.start_ns - CLOSE_NS, episode.end_ns + CLOSE_NS
    if episode.kind == "posture" or t1 - t0 > CLOSE_MAX_NS:
        return None
    rows = reduce(joined, runtime.results.full_rate.read(patient.id, t0, t1), None)
    if rows is None:
        return None
    slot_ns = max(1, round((t1 - t0) / SLOTS / 10_000_000)) * 10_000_000
    t_ns, values = slots_of(rows, slot_ns, _RATE_HZ)
    return _drawn(t_ns, values, slot_ns, episode, (t0, t1))


def _seconds(runtime: Runtime, patient: Patient, episode: Episode) -> Snippet | None:
    t0, t1 = episode.start_ns - AROUND_NS, episode.end_ns + AROUND_NS
    held = runtime.results.angles(patient.id, t0, t1, max_points=400)
    return _drawn(held.t_ns, held.values, held.step_s * 1_000_000_000, episode, (t0, t1))


def _drawn(
    t_ns: IntArray, values: FloatArray, slot_ns: int, episode: Episode, span_ns: tuple[int, int]
) -> Snippet | None:
    if not len(t_ns):
        return None
    t0, t1 = span_ns
    x = (t_ns + slot_ns // 2 - t0) / (t1 - t0) * WIDTH
    columns = {
        axis: [values[:, ANGLE_FIELDS.index(f"{field}{part}_deg")] for part in ("", "_min", "_max")]
        for axis, field in _AXES
    }
    everything = np.concatenate([part for parts in columns.values() for part in parts])
    if not np.isfinite(everything).any():
        return None
    low = min(0.0, float(np.nanmin(everything))) - 2.0
    high = max(0.0, float(np.nanmax(everything))) + 2.0

    def y(values: np.ndarray) -> np.ndarray:
        return (high - values) / (high - low) * HEIGHT

    lines, bands, words = [], [], []
    for axis, (mean, least, most) in columns.items():
        known = np.isfinite(mean)
        if not known.any():
            continue
        lines.append((axis, _path(x[known], y(mean[known]))))
        ends = np.isfinite(least) & np.isfinite(most)
        top, bottom = _points(x[ends], y(most[ends])), _points(x[ends], y(least[ends]))
        if len(top) > 1:
            bands.append((axis, "M" + "L".join([*top, *reversed(bottom)]) + "Z"))
        first = texts.angle_words(axis, float(np.nanmin(least)))
        last = texts.angle_words(axis, float(np.nanmax(most)))
        words.append(f"{first} … {last}")
    scale = WIDTH / (t1 - t0)
    return Snippet(
        lines=tuple(lines),
        bands=tuple(bands),
        from_x=round((episode.start_ns - t0) * scale, 2),
        to_x=round((episode.end_ns - t0) * scale, 2),
        zero_y=round(high / (high - low) * HEIGHT, 2),
        words="; ".join(words),
        seconds=(t1 - t0) / 1e9,
    )


def _points(x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray) -> list[str]:
    return [f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True)]


def _path(x: np.ndarray, y: np.ndarray) -> str:
    return "M" + "L".join(_points(x, y))
