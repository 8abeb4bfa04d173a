"""The stretch of angles around an episode, as a small drawing and in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from api.runtime import Runtime
from api.web import texts
from processing.types import Episode
from storage.catalog import Patient

AROUND_NS: Final = 15_000_000_000
WIDTH: Final = 220.0
HEIGHT: Final = 64.0
_AXES: Final = (
    ("rotation", "rotation_right"),
    ("lateral", "lateral_right"),
    ("flexion", "flexion"),
)


@dataclass(frozen=True, slots=True)
class Snippet:
    """Angles of each second around an episode: mean as a line, smallest to largest as a band."""

    lines: tuple[tuple[str, str], ...]
    """Axis and path of its mean."""
    bands: tuple[tuple[str, str], ...]
    from_x: float
    """The episode itself."""
    to_x: float
    zero_y: float
    words: str
    width: float = WIDTH
    height: float = HEIGHT


def snippet(runtime: Runtime, patient: Patient, episode: Episode) -> Snippet | None:
    """Return the angles from 15 s before an episode to 15 s after; None where none are stored."""
    t0, t1 = episode.start_ns - AROUND_NS, episode.end_ns + AROUND_NS
    angles = runtime.results.angles(patient.id, t0, t1, max_points=400)
    if not len(angles.t_ns):
        return None
    half_ns = angles.step_s * 500_000_000
    x = (angles.t_ns + half_ns - t0) / (t1 - t0) * WIDTH
    columns = {
        axis: [angles.column(f"{field}{part}_deg") for part in ("", "_min", "_max")]
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
        from_x=round(AROUND_NS * scale, 2),
        to_x=round((episode.end_ns - t0) * scale, 2),
        zero_y=round(high / (high - low) * HEIGHT, 2),
        words="; ".join(words),
    )


def _points(x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray) -> list[str]:
    return [f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True)]


def _path(x: np.ndarray, y: np.ndarray) -> str:
    return "M" + "L".join(_points(x, y))
