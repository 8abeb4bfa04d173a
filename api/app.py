"""The web application: JSON routes, pages, errors and headers put together."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from api.access.arrival import trusted_proxy
from api.access.guard import Guard
from api.clinic import views as clinic
from api.conditional import Conditional
from api.gate import Gate
from api.problems import MEDIA_TYPE, PROBLEMS, Problem, install_problems
from api.routes import ROUTERS
from api.runtime import Runtime
from api.web import access_pages, exercise_pages, mine_pages, setup_pages, views

API_PREFIX = "/api/v1"
STATIC = Path(__file__).parent / "web" / "static"

DESCRIPTION = """
Head and neck posture from two wearable sensors.

* Angles are in degrees against the patient's neutral position. Positive is: rotation and lateral
  tilt to the patient's right, flexion chin to chest.
* Times are UTC: RFC 3339 in parameters and in fields that end in `_utc`, integer milliseconds or
  nanoseconds since 1970 where a name ends in `_ms` or `_ns`. A day is the patient's local day.
* A missing value is null, never zero. Candidate episodes are not confirmed spasms.
* Every error is a problem document (RFC 9457). Pages of long lists are reached by `next`.
"""


def _problem_answers() -> dict[int | str, dict[str, object]]:
    """Return the error answers that every operation may give, for OpenAPI."""
    texts: dict[int, list[str]] = {}
    for slug, (status, meaning) in PROBLEMS.items():
        texts.setdefault(status, []).append(f"`{slug}`: {meaning}")
    return {
        status: {
            "description": " ".join(texts[status]),
            "content": {MEDIA_TYPE: {"schema": Problem.model_json_schema()}},
        }
        for status in (400, 401, 403, 404, 413, 422, 500, 503)
    }


def _bare_app() -> FastAPI:
    return FastAPI(
        title="necktrace",
        version=version("necktrace"),
        description=DESCRIPTION,
        openapi_url=f"{API_PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        responses=_problem_answers(),
    )


def _include_routes(app: FastAPI) -> None:
    for router in ROUTERS:
        app.include_router(router, prefix=API_PREFIX)


def describe_api() -> dict[str, Any]:
    """Return the OpenAPI description, which needs no data folder."""
    app = _bare_app()
    _include_routes(app)
    return app.openapi()


def create_app(runtime: Runtime, lan_hosts: frozenset[str] = frozenset()) -> FastAPI:
    """Return the application for one process.

    Parameters
    ----------
    runtime : Runtime
        Settings and the parts that routes and pages draw on.
    lan_hosts : frozenset of str
        Where it is served over our own TLS: what Host may be.
    """
    app = _bare_app()
    app.state.runtime = runtime
    runtime.openapi = app.openapi
    install_problems(app, views.error_page(runtime))
    _include_routes(app)
    app.include_router(views.router, include_in_schema=False)
    app.include_router(clinic.router, include_in_schema=False)
    app.include_router(access_pages.router, include_in_schema=False)
    app.include_router(setup_pages.router, include_in_schema=False)
    app.include_router(mine_pages.router, include_in_schema=False)
    app.include_router(exercise_pages.router, include_in_schema=False)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_middleware(Guard, runtime=runtime)
    app.add_middleware(Conditional, prefix=API_PREFIX)
    app.add_middleware(Gate, proxy=trusted_proxy(runtime.settings), lan_hosts=lan_hosts)
    return app
