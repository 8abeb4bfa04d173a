"""One recording of up to two sensors, read as a stream of blocks whatever file it lies in."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from processing.orientation import SensorParams
from processing.types import MOST_FORCE_MS2, MOST_RATE_RADS, FloatArray, ImuBlock, Span
from storage.importers.beyond_range import beyond_range
from storage.importers.errors import ImportFormatError

POINTS = ("head", "trunk")
"""The tracked points that necktrace knows."""


@dataclass(frozen=True, slots=True)
class SensorChannels:
    """Where one sensor's channels stand in a table, and their factors to SI."""

    acc: tuple[str, str, str]
    gyr: tuple[str, str, str]
    acc_scale: tuple[float, float, float]
    gyr_scale: tuple[float, float, float]
    mag: tuple[str, str, str] | None = None
    valid: str | None = None
    """Column that says which rows hold a sample."""


@dataclass(frozen=True, slots=True)
class ImportedRecording:
    """A foreign recording, opened but not read."""

    name: str
    points: tuple[str, ...]
    """Tracked points present, out of `head` and `trunk`."""
    rate_hz: dict[str, float]
    """Nominal rate of each tracked point."""
    read: Callable[[], Iterator[dict[str, ImuBlock]]]
    """Begin a fresh pass over the recording: blocks by tracked point, in time order."""
    units: Mapping[str, SensorParams] = field(default_factory=dict)
    """What is known of the unit at each tracked point, where anything is."""
    spans: tuple[Span, ...] = ()
    """Events that the recording declares (neutral_pose, nod, shake, trunk_bow, ...)."""
    began_ns: int | None = None
    """UTC that times counted from the beginning count from; None where nothing says it."""
    warnings: list[str] = field(default_factory=list)
    """What was mended while reading; grows during a pass."""


class SampleTimes:
    """Turn a table's time column, or its row numbers, into increasing nanoseconds.

    A repeated timestamp keeps its first row and counts the others; time that goes back is refused,
    since nobody can tell which of the two orders is true.
    """

    def __init__(self, *, rate_hz: float, origin_ns: int = 0) -> None:
        self._rate_hz = rate_hz
        self._origin_ns = origin_ns
        self._row = 0
        self._last_ns: int | None = None
        self.repeated = 0

    def from_rows(self, n: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return times (n,) ns by nominal rate, and the rows to keep (all)."""
        rows = np.arange(self._row, self._row + n, dtype=np.int64)
        self._row += n
        t_ns = self._origin_ns + np.round(rows * (1e9 / self._rate_hz)).astype(np.int64)
        return t_ns, np.ones(n, dtype=np.bool_)

    def from_seconds(
        self, t_s: FloatArray, *, where: str
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return times (n,) ns of a column in seconds, and which rows to keep.

        Raises
        ------
        ImportFormatError
            A time is missing or goes back; the row is named.
        """
        first_row = self._row
        self._row += t_s.shape[0]
        if not np.isfinite(t_s).all():
            row = first_row + int(np.argmin(np.isfinite(t_s))) + 1
            raise ImportFormatError(f"{where}: row {row} has no time; remove it or fill it in")
        t_ns = self._origin_ns + np.round(t_s * 1e9).astype(np.int64)
        before = t_ns[0] - 1 if self._last_ns is None else self._last_ns
        steps = np.diff(t_ns, prepend=before)
        if (steps < 0).any():
            at = int(np.argmax(steps < 0))
            raise ImportFormatError(
                f"{where}: time goes back at row {first_row + at + 1} "
                f"(to {t_s[at]:.6f} s); split the recording there or mend its clock"
            )
        keep = steps > 0
        self.repeated += int((~keep).sum())
        self._last_ns = int(t_ns[-1])
        return t_ns, keep


def sensor_block(
    columns: dict[str, FloatArray],
    channels: SensorChannels,
    t_ns: NDArray[np.int64],
    keep: NDArray[np.bool_],
    *,
    rate_hz: float,
) -> ImuBlock:
    """Return one sensor's samples in SI units; rows with missing numbers are marked invalid."""
    acc = np.column_stack([columns[c] for c in channels.acc]) * channels.acc_scale
    gyr = np.column_stack([columns[c] for c in channels.gyr]) * channels.gyr_scale
    mag = None if channels.mag is None else np.column_stack([columns[c] for c in channels.mag])
    if channels.valid is not None:
        acc[columns[channels.valid] != 1.0] = np.nan
    return ImuBlock.checked(
        t_ns[keep], acc[keep], gyr[keep], rate_hz=rate_hz, mag=None if mag is None else mag[keep]
    )


def require_plausible(name: str, block: ImuBlock) -> None:
    """Refuse a first block whose numbers contradict their declared units.

    Raises
    ------
    ImportFormatError
        The median specific force is far from 1 g, or the rates are beyond any neck.
    """
    beyond = beyond_range(block)
    if beyond.sum() > 0.5 * beyond.shape[0]:
        raise ImportFormatError(
            f"{name}: most samples are beyond any sensor's range ({MOST_RATE_RADS:.0f} rad/s, "
            f"{MOST_FORCE_MS2:.0f} m/s²) by the declared units; correct the units of the ACCEL and "
            "GYRO channels"
        )
    good = block.valid
    if good.sum() < 10:
        return
    force_ms2 = float(np.median(np.linalg.norm(block.acc[good], axis=1)))
    if not 6.0 <= force_ms2 <= 14.0:
        raise ImportFormatError(
            f"{name}: the accelerometer's median magnitude is {force_ms2:.3g} m/s² by the declared "
            "unit, but a worn sensor reads about 9.8 m/s² (1 g); correct the unit of the ACCEL "
            "channels"
        )
    rate_rads = float(np.median(np.linalg.norm(block.gyr[good], axis=1)))
    if rate_rads > 12.0:
        raise ImportFormatError(
            f"{name}: the gyroscope's median magnitude is {rate_rads:.3g} rad/s "
            f"({np.degrees(rate_rads):.0f} °/s) by the declared unit, more than a neck can do; "
            "correct the unit of the GYRO channels (deg/s, perhaps)"
        )
