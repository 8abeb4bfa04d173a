"""HTTP routes under /api/v1."""

from fastapi import APIRouter

from api.routes import health, live

ROUTERS: tuple[APIRouter, ...] = (health.router, live.router)

__all__ = ["ROUTERS"]
