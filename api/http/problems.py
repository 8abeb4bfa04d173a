"""Every answer other than success is `application/problem+json` (RFC 9457), in one shape."""

import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from api.errors import ProblemError
from api.http.headers import SECURITY_HEADERS

logger = logging.getLogger(__name__)

ErrorPage = Callable[[int, str, str], Response]

TYPE_PREFIX = "urn:necktrace:problem:"
MEDIA_TYPE = "application/problem+json"

PROBLEMS = {
    "invalid-request": (422, "A parameter or the body is not what the operation takes."),
    "invalid-cursor": (400, "The cursor was not given out by this operation."),
    "not-found": (404, "There is no such resource, or it is not yours to see."),
    "method-not-allowed": (405, "The resource exists but does not take this method."),
    "not-acceptable": (406, "None of the media types asked for can be produced."),
    "too-large": (413, "The body is larger than any that an operation takes."),
    "not-authenticated": (401, "A login or a valid token is needed."),
    "not-allowed": (403, "Whoever asks may not do this."),
    "not-local": (403, "The request did not come straight from a browser on this computer."),
    "not-live": (409, "This process does not record, so it has no live data."),
    "conflict": (409, "The state of the resource does not allow it."),
    "too-many": (429, "Too many tries; wait as long as Retry-After says."),
    "storage": (503, "The data folder cannot be read or written at the moment."),
    "internal": (500, "A fault of the program; it was logged."),
}
"""Every kind of problem: its status and what it means. The documentation lists them all."""


class FieldProblem(BaseModel):
    """One thing wrong with the request."""

    location: str = Field(examples=["query.max_points"])
    message: str = Field(examples=["Input should be greater than or equal to 10"])


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str = Field(examples=[f"{TYPE_PREFIX}not-found"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["There is no patient 'p9'."])
    instance: str = Field(description="Path that was asked for.", examples=["/api/v1/patients/p9"])
    errors: list[FieldProblem] | None = Field(
        default=None, description="For `invalid-request`: each parameter or field at fault."
    )


def problem(slug: str, detail: str) -> ProblemError:
    """Return an error of a known kind, ready to be raised."""
    return ProblemError(PROBLEMS[slug][0], slug, detail)


def problem_document(
    path: str, status: int, slug: str, detail: str, errors: list[FieldProblem] | None = None
) -> dict[str, Any]:
    """Return the body of a problem answer."""
    document = Problem(
        type=TYPE_PREFIX + slug,
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        instance=path,
        errors=errors,
    )
    return document.model_dump(exclude_none=True)


def problem_response(
    path: str,
    status: int,
    slug: str,
    detail: str,
    *,
    errors: list[FieldProblem] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """Return a problem answer."""
    body = problem_document(path, status, slug, detail, errors)
    return JSONResponse(body, status, media_type=MEDIA_TYPE, headers=headers)


def _slug_of(status: int) -> str:
    for slug, (known, _) in PROBLEMS.items():
        if known == status:
            return slug
    return "internal" if status >= 500 else "invalid-request"


def _answer(
    request: Request,
    status: int,
    slug: str,
    detail: str,
    *,
    errors: list[FieldProblem] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """Answer a person with a page and a program with a problem document."""
    path = request.url.path
    wants_page = "text/html" in request.headers.get("accept", "")
    if wants_page and not path.startswith("/api/"):
        page: ErrorPage = request.app.state.error_page
        return page(status, HTTPStatus(status).phrase, detail)
    return problem_response(path, status, slug, detail, errors=errors, headers=headers)


async def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else None
    return _answer(request, error.status, error.slug, error.detail, headers=headers)


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    slug = _slug_of(error.status_code)
    detail = PROBLEMS[slug][1]
    headers = dict(error.headers) if error.headers else None
    return _answer(request, error.status_code, slug, detail, headers=headers)


async def _on_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = [
        FieldProblem(location=".".join(str(part) for part in item["loc"]), message=str(item["msg"]))
        for item in error.errors()[:20]
    ]
    first = found[0] if found else FieldProblem(location="request", message="is malformed")
    detail = f"{first.location}: {first.message}."
    return _answer(request, 422, "invalid-request", detail, errors=found)


async def _on_storage(request: Request, error: Exception) -> Response:
    logger.warning("storage refused", extra={"path": request.url.path, "reason": str(error)})
    return _answer(request, 503, "storage", str(error))


async def _on_bug(request: Request, error: Exception) -> Response:
    logger.error("unhandled error", exc_info=error, extra={"path": request.url.path})
    detail = "A fault of the program. The log of necktrace says more; please report it."
    answer = _answer(request, 500, "internal", detail)
    # This answer is made outside the gate, which adds the headers to all others.
    answer.headers.update(SECURITY_HEADERS)
    return answer


def install_problems(app: FastAPI, error_page: ErrorPage) -> None:
    """Make every error of the application answer as a problem, or as a page to a person.

    Parameters
    ----------
    app : FastAPI
    error_page : callable
        Renders (status, title, detail).
    """
    from storage.errors import StorageError

    app.state.error_page = error_page
    app.add_exception_handler(ProblemError, _on_problem)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(StorageError, _on_storage)
    app.add_exception_handler(Exception, _on_bug)
