"""Results: what a store of them must do, and the shapes that go in and come out.

Two stores implement `ResultStore` in full: `storage.embedded` (SQLite in the data folder, no
server) and `storage.influx` (InfluxDB 2.x through an outbox). One contract suite pins both.

Times are int64 UTC nanoseconds, ranges half open. Missing is NaN in arrays and None in rows.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, get_type_hints

import numpy as np
from numpy.typing import NDArray

from processing.summary.types import Plane, PostureCell
from processing.types import Episode
from storage.result_book import ResultBook

if TYPE_CHECKING:
    from storage.full_rate import FullRateStore

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


@dataclass(frozen=True, slots=True)
class Delivery:
    """What has not reached the place it is read from."""

    backlog_points: int = 0
    backlog_bytes: int = 0
    oldest_ns: int | None = None
    """When the oldest undelivered entry was written, UTC nanoseconds."""
    dead_points: int = 0
    """Points that the server refused for good; see `necktrace outbox`."""
    delivered_until_ns: int | None = None
    """Results before this time are delivered; None: all are."""
    error: str = ""
    """Why delivery is not going on; empty while it is."""
    angles_expire_s: int | None = None
    """1 Hz angles older than this were deleted by the store's retention; None: kept for ever."""


class ResultStore(Protocol):
    """Stores and serves results. `algo` None means the patient's current version."""

    @property
    def book(self) -> ResultBook:
        """Versions, provenance and saved processing states: in SQLite for every store."""

    @property
    def full_rate(self) -> "FullRateStore":
        """Angles at the pipeline's rate: in the data folder for every store."""

    def put(self, batch: ResultBatch, *, replace_ns: tuple[int, int] | None = None) -> None:
        """Store a batch; the same batch again changes nothing.

        With `replace_ns` everything of (patient, algo) in that range is deleted first, in the
        same transaction: a recomputation.
        """

    def angles(
        self,
        patient: str,
        t0_ns: int,
        t1_ns: int,
        *,
        max_points: int | None = None,
        algo: str | None = None,
    ) -> AngleSeries:
        """Return the grid of [t0, t1), coarser than 1 s where it would exceed `max_points`."""

    def latest(self, patient: str, *, algo: str | None = None) -> AngleSeries:
        """Return the newest second (one row, or none)."""

    def episodes(
        self,
        patient: str,
        t0_ns: int,
        t1_ns: int,
        *,
        kind: str | None = None,
        algo: str | None = None,
    ) -> list[Episode]:
        """Return the episodes that start in [t0, t1), by start."""

    def minutes(
        self, patient: str, t0_ns: int, t1_ns: int, *, algo: str | None = None, texts: bool = True
    ) -> list[StoredSummary]:
        """Return the minutes of [t0, t1); `texts` False leaves the histograms out."""

    def days(
        self, patient: str, t0_ns: int, t1_ns: int, *, algo: str | None = None
    ) -> list[StoredSummary]:
        """Return the days whose midnight lies in [t0, t1)."""

    def cells(
        self,
        patient: str,
        ranges_ns: Sequence[tuple[int, int]],
        *,
        plane: Plane = "rl",
        algo: str | None = None,
    ) -> list[list[PostureCell]]:
        """Return the posture map of each range [t0, t1) summed: `t_ns` of its cells is its `t0`.

        A quarter hour belongs to the range in which it begins. Many ranges cost one query.
        """

    def delete(self, patient: str, t0_ns: int, t1_ns: int, *, algo: str | None = None) -> None:
        """Delete the results of [t0, t1) of one version (current where None)."""

    def delete_patient(self, patient: str) -> None:
        """Delete every version of everything."""

    def remove_algorithm(self, patient: str, algo: str) -> None:
        """Delete one version that is not current."""

    def drain(self, timeout_s: float | None = None) -> bool:
        """Wait until everything is delivered; False when time ran out."""

    def delivery(self) -> Delivery:
        """Return what is not delivered yet."""

    def close(self) -> None:
        """Release files and connections; what is not delivered stays in the folder."""


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
