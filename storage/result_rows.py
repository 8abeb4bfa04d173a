"""Rows of results: the shapes that go into a store and come out of it.

Times are int64 UTC nanoseconds, ranges half open. Missing is NaN in arrays and None in rows.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, TypeVar, get_type_hints

import numpy as np
from numpy.typing import NDArray

from processing.summary.types import PostureCell
from processing.types import Episode

SECOND_NS: Final = 1_000_000_000
MINUTE_NS: Final = 60 * SECOND_NS

AXES: Final = ("flexion", "lateral_right", "rotation_right", "deviation")
ANGLE_FIELDS: Final = (
    *(f"{axis}{part}_deg" for axis in AXES for part in ("", "_min", "_max")),
    "heading_sigma_deg",
    "head_pitch_deg",
    "head_roll_deg",
    "valid",
)
"""Columns of the 1 Hz grid: mean, minimum and maximum of the second per axis, degrees; the mean
standard deviation of heading; the head's own inclination (a single head sensor); and the fraction
of the second that is valid."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AngleSeries:
    """Angles on a uniform grid; only slots that hold something are listed."""

    t_ns: NDArray[np.int64]
    """(n,) beginning of each slot, a multiple of `step_s` since 1970."""
    step_s: int
    """Length of a slot, seconds."""
    values: NDArray[np.float64]
    """(n, 16) one column per name in `ANGLE_FIELDS`; NaN where unknown. A slot coarser than a
    second holds the mean of its seconds' means, and their exact minimum and maximum."""

    def column(self, name: str) -> NDArray[np.float64]:
        """Return one column, (n,)."""
        return self.values[:, ANGLE_FIELDS.index(name)]

    @classmethod
    def empty(cls, step_s: int = 1) -> "AngleSeries":
        """Return a series without slots."""
        return cls(np.empty(0, np.int64), step_s, np.empty((0, len(ANGLE_FIELDS))))


@dataclass(frozen=True, slots=True)
class FullRate:
    """Angles at the pipeline's rate, as stored in derived Parquet."""

    t_ns: NDArray[np.int64]
    """(n,) UTC nanoseconds, increasing."""
    angles_deg: NDArray[np.float64]
    """(n, 4) flexion, lateral right, rotation right, deviation; NaN where unknown."""
    heading_sigma_deg: NDArray[np.float64]
    """(n,)."""
    q_rel: NDArray[np.float64]
    """(n, 4) `R_rel`, N not removed."""
    valid: NDArray[np.bool_]
    """(n,)."""
    head_deg: NDArray[np.float64] | None = None
    """(n, 2) pitch and roll of the head to gravity, for a single head sensor."""


@dataclass(frozen=True, slots=True)
class StoredSummary:
    """A minute or a day as stored: numbers (counts and truth values too) and texts."""

    t_ns: int
    values: Mapping[str, float | None]
    texts: Mapping[str, Any]
    """Fields that are no numbers: histograms, dates, reasons."""


@dataclass(frozen=True, slots=True)
class ResultBatch:
    """What one step of processing adds, stored in one transaction."""

    patient: str
    algo: str
    """Short id of algorithm version and parameters (`PipelineParams.algorithm_id`)."""
    angles: AngleSeries | None = None
    """At `step_s` 1."""
    minutes: Sequence[Any] = ()
    """`MinuteSummary`, or any dataclass with `t_ns` and fields of numbers, None and texts."""
    days: Sequence[Any] = ()
    """`DaySummary`, in the same way; `t_ns` is the UTC instant of local midnight."""
    episodes: Sequence[Episode] = ()
    cells: Sequence[PostureCell] = ()
    full_rate: FullRate | None = None
    """Rows at the pipeline's rate behind `angles`; kept as derived Parquet by every store."""
    cursor: tuple[str, bytes] | None = None
    """Key and saved state of the processing that made this: stored with it or not at all."""


def split_fields(row: Any) -> tuple[dict[str, float | None], dict[str, Any]]:
    """Return a summary dataclass as (numbers, texts), without ``t_ns``.

    NaN and infinities are None; counts and truth values are numbers.
    """
    numbers: dict[str, float | None] = {}
    texts: dict[str, Any] = {}
    for name, is_text in _columns(type(row)):
        value = getattr(row, name)
        if is_text or isinstance(value, str | tuple | list | dict):
            texts[name] = value
        elif value is None or not math.isfinite(value):
            numbers[name] = None
        else:
            numbers[name] = float(value)
    return numbers, texts


_COLUMNS: dict[type, tuple[tuple[str, bool], ...]] = {}


def _columns(cls: type) -> tuple[tuple[str, bool], ...]:
    """Return the fields of a summary but ``t_ns``, and whether each is a text."""
    if cls not in _COLUMNS:
        hints = _hints(cls)
        names = [item.name for item in fields(cls) if item.name != "t_ns"]
        _COLUMNS[cls] = tuple((name, _is_text(name, hints[name])) for name in names)
    return _COLUMNS[cls]


def restore(cls: type[T], row: StoredSummary) -> T:
    """Return the dataclass that a stored summary was made from."""
    made: dict[str, Any] = {"t_ns": row.t_ns}
    for name, hint in _hints(cls).items():
        if name == "t_ns":
            continue
        if name in row.texts:
            value = row.texts[name]
            made[name] = tuple(value) if isinstance(value, list) else value
        else:
            number = row.values.get(name)
            if number is None:
                made[name] = "" if hint is str else None
            elif bool in _members(hint):
                made[name] = bool(number)
            elif int in _members(hint) and float not in _members(hint):
                made[name] = round(number)
            else:
                made[name] = number
    return cls(**made)


_HINTS: dict[type, dict[str, Any]] = {}


def _hints(cls: type) -> dict[str, Any]:
    if cls not in _HINTS:
        _HINTS[cls] = get_type_hints(cls)
    return _HINTS[cls]


def _members(hint: Any) -> tuple[Any, ...]:
    return getattr(hint, "__args__", None) or (hint,)


def _is_text(name: str, hint: Any) -> bool:
    # Nanosecond times beside t_ns do not fit a float.
    return name.endswith("_ns") or not any(kind in (int, float, bool) for kind in _members(hint))
