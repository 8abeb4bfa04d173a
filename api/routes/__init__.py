"""HTTP routes under /api/v1."""

from fastapi import APIRouter

from api.routes import (
    access,
    alerts,
    angles,
    annotations,
    audit,
    clinical,
    cohort,
    consent,
    episodes,
    events,
    exercises,
    exports,
    fhir,
    forward,
    health,
    live,
    records,
    sharing,
    summaries,
    versions,
)

ROUTERS: tuple[APIRouter, ...] = (
    health.router,
    live.router,
    records.router,
    angles.router,
    episodes.router,
    summaries.router,
    events.router,
    annotations.router,
    clinical.router,
    consent.router,
    sharing.router,
    cohort.router,
    versions.router,
    exercises.router,
    alerts.router,
    exports.router,
    fhir.router,
    forward.router,
    access.router,
    audit.router,
)

__all__ = ["ROUTERS"]
