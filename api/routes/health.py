"""GET /api/v1/health: whether this process does its work."""

import time
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.runtime import HistoryProgress, Mode, RuntimeDep
from storage.results import Delivery

router = APIRouter(tags=["health"])


class LinkHealth(BaseModel):
    """One sensor's link."""

    role: Literal["head", "trunk"]
    link_state: str = Field(examples=["streaming"])
    stale: bool = Field(description="No sample for 2 s, or none yet.")
    age_s: float | None = Field(description="Age of the newest sample, seconds.", examples=[0.05])
    samples: int = Field(description="Samples received since the collector started.")
    missing: int = Field(description="Samples known to exist and not received so far.")


class DeliveryHealth(BaseModel):
    """Results on their way to the place they are read from (InfluxDB); nothing waits without it."""

    backlog_points: int = Field(description="Points not delivered so far.")
    oldest: datetime | None = Field(description="When the oldest waiting point was written.")
    refused_points: int = Field(description="Refused by the server for good; kept, and listed.")
    error: str = Field(description="Why delivery is not going on; empty while it is.")


class Health(BaseModel):
    """State of the process."""

    status: Literal["ok", "stale", "degraded"] = Field(
        description="`stale` where this process records and a sensor has gone silent; `degraded` "
        "where something else needs a person, such as a full disk: see `warnings` and `delivery`."
    )
    version: str = Field(examples=["0.1.0"])
    mode: Mode
    zone: str = Field(description="IANA time zone of days and pages.", examples=["Europe/Berlin"])
    recording: bool
    links: list[LinkHealth]
    history: HistoryProgress
    live_age_s: float | None = Field(
        description="Seconds since the last live frame was published; null without one."
    )
    delivery: DeliveryHealth
    warnings: list[str] = Field(description="Sentences for a person.")


@router.get("/health", operation_id="getHealth", summary="Whether this process does its work")
def get_health(runtime: RuntimeDep) -> Health:
    """Return the state of recording, links and the demonstration's history."""
    frame = runtime.hub.latest if runtime.hub else None
    links = [
        LinkHealth(
            role=sensor.role,
            link_state=sensor.link_state,
            stale=sensor.stale,
            age_s=sensor.age_s,
            samples=sensor.samples,
            missing=sensor.missing,
        )
        for sensor in ((frame.head, frame.trunk) if frame else ())
    ]
    stale = runtime.hub is not None and (frame is None or frame.stale)
    delivery = runtime.results.delivery()
    degraded = bool(frame and frame.warnings) or bool(delivery.error)
    return Health(
        status="stale" if stale else "degraded" if degraded else "ok",
        version=version("necktrace"),
        mode=runtime.mode,
        zone=runtime.settings.zone_name,
        recording=runtime.hub is not None,
        links=links,
        history=runtime.history,
        live_age_s=None if frame is None else time.time() - frame.published_utc_ns / 1e9,
        delivery=_delivery(delivery),
        warnings=list(frame.warnings) if frame else [],
    )


def _delivery(waiting: Delivery) -> DeliveryHealth:
    oldest = waiting.oldest_ns
    return DeliveryHealth(
        backlog_points=waiting.backlog_points,
        oldest=None if oldest is None else datetime.fromtimestamp(oldest / 1e9, UTC),
        refused_points=waiting.dead_points,
        error=waiting.error,
    )
