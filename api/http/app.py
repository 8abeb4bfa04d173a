"""The web application: JSON routes, pages, errors and headers put together."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from api.access.arrival import trusted_proxy
from api.access.guard import Guard
from api.clinic import views as clinic
from api.http.conditional import NOT_MODIFIED, Conditional
from api.http.gate import Gate
from api.http.problems import MEDIA_TYPE, PROBLEMS, Problem, install_problems
from api.routes import ROUTERS
from api.runtime import Runtime
from api.web import (
    access_pages,
    data_pages,
    exercise_pages,
    looked_pages,
    mine_pages,
    people_pages,
    setup_pages,
    sharing_pages,
    views,
)

API_PREFIX = "/api/v1"
STATIC = Path(__file__).parents[1] / "web" / "static"

DESCRIPTION = """
Head and neck posture from two wearable sensors.

* Angles are in degrees against the patient's neutral position. Positive is: rotation and lateral
  tilt to the patient's right, flexion chin to chest.
* Times are UTC: RFC 3339 in parameters and in fields that end in `_utc`, integer milliseconds or
  nanoseconds since 1970 where a name ends in `_ms` or `_ns`. A day is the patient's local day.
* A missing value is null, never zero. Candidate episodes are not confirmed spasms.
* Every error is a problem document (RFC 9457). Pages of long lists are reached by `next`.
"""


EVERYWHERE = (400, 401, 403, 404, 413, 422, 500, 503)
"""Error answers that any operation may give."""
CONFLICT = 409
"""The one more of what changes something, and of the live stream, which needs a recording."""


def _problem_answer(status: int) -> dict[str, Any]:
    """Return one error answer for OpenAPI."""
    texts = [
        f"`{slug}`: {meaning}" for slug, (known, meaning) in PROBLEMS.items() if known == status
    ]
    return {
        "description": " ".join(texts),
        "content": {MEDIA_TYPE: {"schema": Problem.model_json_schema()}},
    }


class _Described(FastAPI):
    """FastAPI whose description also has the answers that depend on the kind of operation."""

    def openapi(self) -> dict[str, Any]:
        """Return the description: what changes may conflict, JSON that is read may be known."""
        description = super().openapi()
        for operations in description["paths"].values():
            for method, operation in operations.items():
                answers = operation["responses"]
                content = answers.get("200", {}).get("content", {})
                if method != "get" or "text/event-stream" in content:
                    answers.setdefault(str(CONFLICT), _problem_answer(CONFLICT))
                elif any(media.endswith("json") for media in content):
                    for status, answer in NOT_MODIFIED.items():
                        answers.setdefault(str(status), answer)
        return description


def _bare_app() -> FastAPI:
    return _Described(
        title="necktrace",
        version=version("necktrace"),
        description=DESCRIPTION,
        openapi_url=f"{API_PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        responses={status: _problem_answer(status) for status in EVERYWHERE},
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
    app.include_router(data_pages.router, include_in_schema=False)
    app.include_router(clinic.router, include_in_schema=False)
    app.include_router(access_pages.router, include_in_schema=False)
    app.include_router(people_pages.router, include_in_schema=False)
    app.include_router(looked_pages.router, include_in_schema=False)
    app.include_router(setup_pages.router, include_in_schema=False)
    app.include_router(mine_pages.router, include_in_schema=False)
    app.include_router(sharing_pages.router, include_in_schema=False)
    app.include_router(exercise_pages.router, include_in_schema=False)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_middleware(Guard, runtime=runtime)
    app.add_middleware(Conditional, prefix=API_PREFIX)
    app.add_middleware(Gate, proxy=trusted_proxy(runtime.settings), lan_hosts=lan_hosts)
    return app
