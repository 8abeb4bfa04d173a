"""HTTP routes under /api/v1."""

from fastapi import APIRouter

from api.routes import (
    access,
    alerts,
    angles,
    annotations,
    consent,
    episodes,
    exercises,
    exports,
    forward,
    health,
    live,
    records,
    summaries,
)

ROUTERS: tuple[APIRouter, ...] = (
    health.router,
    live.router,
    records.router,
    angles.router,
    episodes.router,
    summaries.router,
    annotations.router,
    consent.router,
    exercises.router,
    alerts.router,
    exports.router,
    forward.router,
    access.router,
)

__all__ = ["ROUTERS"]
