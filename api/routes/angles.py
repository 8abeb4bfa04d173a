"""GET angles: the head relative to the trunk over any range of time.

Slots of a second and longer come from the configured store of results, finer ones from the derived
files of the data folder.
"""

from functools import reduce
from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter, Query
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from api.http.problems import problem
from api.queries import Range, held_range
from api.routes.parameters import PatientDep, RangeDep, VersionDep
from api.runtime import Runtime, RuntimeDep
from api.web.texts import iso
from processing.grid import GridParams
from storage.angle_grid import joined
from storage.catalog import Patient
from storage.result_rows import ANGLE_FIELDS
from storage.slots import slots_of

router = APIRouter(tags=["results"])

Resolution = Literal[
    "10ms", "20ms", "50ms", "100ms", "200ms", "500ms", "1s", "10s", "1min", "10min", "1h"
]
_MS: dict[str, int] = {
    "10ms": 10, "20ms": 20, "50ms": 50, "100ms": 100, "200ms": 200, "500ms": 500,
    "1s": 1000, "10s": 10_000, "1min": 60_000, "10min": 600_000, "1h": 3_600_000,
}  # fmt: skip
_FINE_MS = sorted(ms for ms in _MS.values() if ms < 1000)
MAX_POINTS = 200_000
_RATE_HZ = GridParams().rate_hz

Grid = tuple[NDArray[np.int64], NDArray[np.float64], float]
"""Beginning of each slot, a column per `ANGLE_FIELDS`, and the length of a slot in seconds."""


class AngleSeriesOut(BaseModel):
    """Angles on a uniform grid, as columns of equal length.

    Only slots that hold something are listed. Each axis has the mean of the slot and its exact
    smallest and largest value, so that a jerk does not vanish. Null: not known.
    """

    patient_id: str
    algo: str | None = Field(
        description="Algorithm version and parameter hash that made the numbers.",
        examples=["1-4f2a9c1e"],
    )
    zone: str = Field(examples=["Europe/Berlin"])
    step_s: float = Field(description="Length of a slot, seconds.", examples=[1])
    from_utc: str | None = Field(description="First slot.", examples=["2026-11-23T08:00:00.000Z"])
    to_utc: str | None = Field(description="End of the last slot.")
    t_ms: list[int] = Field(
        description="Beginning of each slot, UTC milliseconds since 1970.",
        examples=[[1795680000000]],
    )
    columns: dict[str, list[float | None]] = Field(
        description="Name to values. `rotation_right_deg`, `lateral_right_deg`: degrees, positive "
        "to the patient's right; `flexion_deg`: degrees, positive chin to chest; `deviation_deg`: "
        "degrees from neutral; each also with `_min` and `_max`; `heading_sigma_deg`: standard "
        "deviation of the rotation; `valid`: share of the slot, 0..1.",
        examples=[{"rotation_right_deg": [24.8], "heading_sigma_deg": [2.1], "valid": [1.0]}],
    )


def nullable(values: NDArray[np.float64], digits: int = 3) -> list[float | None]:
    """Return a column for JSON: rounded, with None for what is not known."""
    rounded = np.round(values, digits).astype(object)
    rounded[~np.isfinite(values)] = None
    listed: list[float | None] = rounded.tolist()
    return listed


@router.get(
    "/patients/{patient_id}/angles",
    operation_id="getAngles",
    summary="Angles over a range of time",
)
def get_angles(
    runtime: RuntimeDep,
    patient: PatientDep,
    span: RangeDep,
    algo: VersionDep,
    max_points: Annotated[
        int | None,
        Query(
            ge=10,
            le=MAX_POINTS,
            description="Most slots to answer with; the grid gets as coarse as it needs.",
            examples=[1000],
        ),
    ] = None,
    resolution: Annotated[
        Resolution | None,
        Query(
            description="Finest slot wanted; together with `max_points` the coarser wins. Nothing "
            "finer than a second is given out unasked, nor of times whose full-rate angles are "
            "not held."
        ),
    ] = None,
    fields: Annotated[
        str | None,
        Query(
            description="Comma-separated columns; all where not given.",
            max_length=400,
            examples=["rotation_right_deg,heading_sigma_deg"],
        ),
    ] = None,
) -> AngleSeriesOut:
    """Return angles, coarser than one second where the range holds more than `max_points`."""
    names = list(ANGLE_FIELDS) if fields is None else [f for f in fields.split(",") if f]
    unknown = sorted(set(names) - set(ANGLE_FIELDS))
    if unknown:
        raise problem(
            "invalid-request",
            f"There is no column {unknown[0][:40]!r}; there are {', '.join(ANGLE_FIELDS)}.",
        )
    span = held_range(runtime, patient, span)
    limit = max_points or runtime.settings.max_points
    t_ns, values, step_s = _fine(runtime, patient, span, algo, resolution, limit) or _stored(
        runtime, patient, span, algo, resolution, limit
    )
    known = len(t_ns) > 0
    return AngleSeriesOut(
        patient_id=patient.id,
        algo=algo or runtime.results.book.current(patient.id),
        zone=patient.zone,
        step_s=step_s,
        from_utc=iso(int(t_ns[0])) if known else None,
        to_utc=iso(int(t_ns[-1]) + round(step_s * 1e9)) if known else None,
        t_ms=(t_ns // 1_000_000).tolist(),
        columns={name: nullable(values[:, ANGLE_FIELDS.index(name)]) for name in names},
    )


def _fine(
    runtime: Runtime,
    patient: Patient,
    span: Range,
    algo: str | None,
    resolution: Resolution | None,
    limit: int,
) -> Grid | None:
    """Return slots finer than a second; None where they are not wanted, too many, or not held."""
    wanted = _MS["1s" if resolution is None else resolution]
    length_ms = (span.t1_ns - span.t0_ns) / 1e6
    step_ms = next((ms for ms in _FINE_MS if ms >= wanted and length_ms / ms <= limit), None)
    if step_ms is None:
        return None
    parts = runtime.results.full_rate.read(patient.id, span.t0_ns, span.t1_ns, algo=algo)
    rows = reduce(joined, parts, None)
    if rows is None:
        return None
    t_ns, values = slots_of(rows, step_ms * 1_000_000, _RATE_HZ)
    return t_ns, values, step_ms / 1000.0


def _stored(
    runtime: Runtime,
    patient: Patient,
    span: Range,
    algo: str | None,
    resolution: Resolution | None,
    limit: int,
) -> Grid:
    if resolution is not None:
        seconds = max(1, (span.t1_ns - span.t0_ns) // 1_000_000_000)
        limit = min(limit, max(1, 1000 * seconds // max(_MS[resolution], 1000)))
    series = runtime.results.angles(patient.id, span.t0_ns, span.t1_ns, max_points=limit, algo=algo)
    return series.t_ns, series.values, series.step_s
