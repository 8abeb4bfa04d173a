"""Conditional requests: a reader that has it already gets 304 and no body."""

import hashlib
from http import HTTPStatus
from typing import Any, Final

from starlette.requests import Request

from api.access.web import AsgiApp, Message, Receive, Scope, Send, header

NOT_MODIFIED: Final[dict[int | str, dict[str, Any]]] = {
    304: {"description": "Nothing changed since the ETag that was named."}
}
_DIGITS: Final = 32


def is_known(request: Request, etag: str) -> bool:
    """Return whether the request names this ETag as the one it has."""
    return _names(request.headers.getlist("if-none-match"), etag)


def _names(values: list[str], etag: str) -> bool:
    named = [part.strip().removeprefix("W/") for value in values for part in value.split(",")]
    return etag in named or "*" in named


class Conditional:
    """ASGI middleware: JSON answers of the API get the hash of their bytes as ETag.

    What streams makes an ETag of its own where it can, without being made for it.
    """

    def __init__(self, app: AsgiApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, with 304 where its answer is known."""
        asked = scope["type"] == "http" and scope["method"] in {"GET", "HEAD"}
        if not asked or not str(scope["path"]).startswith(self._prefix):
            await self._app(scope, receive, send)
            return
        start: Message = {}

        async def conditional(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_json(message):
                start = message
                return
            if start and message["type"] == "http.response.body":
                begun, start = start, {}
                if not message.get("more_body"):
                    etag = f'"{hashlib.sha256(message["body"]).hexdigest()[:_DIGITS]}"'
                    if _names(header(scope, b"if-none-match"), etag):
                        known = {"status": HTTPStatus.NOT_MODIFIED, "headers": [_pair(etag)]}
                        await send({**begun, **known})
                        await send({"type": "http.response.body", "body": b""})
                        return
                    begun = {**begun, "headers": [*begun["headers"], _pair(etag)]}
                await send(begun)
            await send(message)

        await self._app(scope, receive, conditional)


def _pair(etag: str) -> tuple[bytes, bytes]:
    return b"etag", etag.encode("ascii")


def _is_json(message: Message) -> bool:
    headers = dict(message.get("headers", []))
    kind = headers.get(b"content-type", b"")
    return (
        message["status"] == HTTPStatus.OK
        and kind.startswith(b"application/json")
        and b"etag" not in headers
    )
