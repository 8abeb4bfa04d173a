"""HTTP routes under /api/v1."""

from fastapi import APIRouter

from api.routes import angles, episodes, health, live, records, summaries

ROUTERS: tuple[APIRouter, ...] = (
    health.router,
    live.router,
    records.router,
    angles.router,
    episodes.router,
    summaries.router,
)

__all__ = ["ROUTERS"]
