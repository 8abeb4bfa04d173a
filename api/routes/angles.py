"""GET angles: the head relative to the trunk over any range of time."""

from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter, Query
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from api.problems import problem
from api.queries import held_range
from api.routes.parameters import PatientDep, RangeDep
from api.runtime import RuntimeDep
from api.web.texts import iso
from storage.results import ANGLE_FIELDS

router = APIRouter(tags=["results"])

Resolution = Literal["1s", "10s", "1min", "10min", "1h"]
_SECONDS: dict[str, int] = {"1s": 1, "10s": 10, "1min": 60, "10min": 600, "1h": 3600}
MAX_POINTS = 200_000


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
    step_s: int = Field(description="Length of a slot, seconds.", examples=[1])
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
        Query(description="Finest slot wanted; together with `max_points` the coarser wins."),
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
    if resolution is not None:
        seconds = max(1, (span.t1_ns - span.t0_ns) // 1_000_000_000)
        limit = min(limit, max(1, seconds // _SECONDS[resolution]))
    series = runtime.results.angles(patient.id, span.t0_ns, span.t1_ns, max_points=limit)
    known = len(series.t_ns) > 0
    return AngleSeriesOut(
        patient_id=patient.id,
        algo=runtime.results.book.current(patient.id),
        zone=patient.zone,
        step_s=series.step_s,
        from_utc=iso(int(series.t_ns[0])) if known else None,
        to_utc=iso(int(series.t_ns[-1]) + series.step_s * 1_000_000_000) if known else None,
        t_ms=(series.t_ns // 1_000_000).tolist(),
        columns={name: nullable(series.column(name)) for name in names},
    )
