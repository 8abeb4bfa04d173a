"""What a store of results must do.

Two stores implement `ResultStore` in full: `storage.embedded` (SQLite in the data folder, no
server) and `storage.influx` (InfluxDB 2.x through an outbox). One contract suite pins both.

Times are int64 UTC nanoseconds, ranges half open.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from processing.summary.types import Plane, PostureCell
from processing.types import Episode
from storage.full_rate import FullRateStore
from storage.result_book import ResultBook
from storage.result_rows import AngleSeries, ResultBatch, StoredSummary


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
    def full_rate(self) -> FullRateStore:
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
