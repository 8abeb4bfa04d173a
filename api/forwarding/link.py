"""The sender's end of the connection to a clinic: requests, and what their failures mean."""

import ssl
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from api.errors import ForwardError
from api.settings import LOOPBACK_NAMES

TIMEOUT_S: Final = 30.0
"""Silence on the connection after which it counts as cut. Storing a segment takes less."""


Answer = TypeVar("Answer", bound=BaseModel)


class NotOursError(ForwardError):
    """The clinic does not take data of this patient with this token."""


class UnacceptableError(ForwardError):
    """The clinic cannot take this one thing, now or later."""


class OutOfStepError(ForwardError):
    """The clinic holds another part of the segment than was thought."""


class Link:
    """A connection to a clinic. Use it in a ``with``.

    Parameters
    ----------
    url : str
        Address of the clinic's necktrace; ``https``, or ``http`` on this computer.
    token : str
    ca_file : path, optional
        Certificates to trust instead of the system's.

    Raises
    ------
    ForwardError
        The address or the certificates cannot be used.
    """

    def __init__(self, url: str, token: str, ca_file: Path | None = None) -> None:
        self.url = url.rstrip("/")
        try:
            parts = httpx.URL(self.url)
        except httpx.InvalidURL as error:
            raise ForwardError(f"{url} is no address ({error})") from None
        local = parts.host in LOOPBACK_NAMES
        if not parts.host or not (parts.scheme == "https" or (parts.scheme == "http" and local)):
            raise ForwardError(f"{url} cannot be used: give an address that begins with https://")
        if not token or not token.isascii() or any(c.isspace() for c in token):
            raise ForwardError("the token file holds no token; copy it again from the clinic")
        try:
            trust: ssl.SSLContext | bool = (
                ssl.create_default_context(cafile=str(ca_file)) if ca_file is not None else True
            )
        except (OSError, ssl.SSLError) as error:
            raise ForwardError(f"{ca_file} holds no certificates ({error})") from None
        self._http = httpx.Client(
            base_url=f"{self.url}/api/v1/forward",
            headers={"Authorization": f"Bearer {token}"},
            timeout=TIMEOUT_S,
            verify=trust,
            trust_env=not local,
        )

    def __enter__(self) -> "Link":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str] | None = None,
        json: Any = None,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """Return the answer to one request where it is a success or 304.

        Raises
        ------
        NotOursError
            401, 403 or 404.
        OutOfStepError
            409.
        UnacceptableError
            413 or 422.
        ForwardError
            Everything else; `retry_after_s` where the clinic said so.
        """
        try:
            answer = self._http.request(
                method, path, params=params, json=json, content=content, headers=headers
            )
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise ForwardError(
                f"the clinic at {self.url} cannot be reached ({reason}); "
                "what was not sent stays here and is sent when it answers"
            ) from None
        if answer.is_success or answer.status_code == 304:
            return answer
        said = _detail(answer)
        if answer.status_code in {401, 403, 404}:
            raise NotOursError(f"the clinic refused: {said}")
        if answer.status_code == 409:
            raise OutOfStepError(f"the clinic answered: {said}")
        if answer.status_code in {413, 422}:
            raise UnacceptableError(f"the clinic answered: {said}")
        wait = answer.headers.get("retry-after", "")
        raise ForwardError(
            f"the clinic at {self.url} answered {answer.status_code}: {said}",
            float(wait) if wait.isdecimal() else None,
        )


def parsed(model: type[Answer], answer: httpx.Response) -> Answer:
    """Return the body of an answer as what it should be.

    Raises
    ------
    ForwardError
        It is something else.
    """
    try:
        return model.model_validate_json(answer.content)
    except ValidationError:
        raise ForwardError(
            f"what answers at {answer.url.host} is not a necktrace that understands this "
            "one: check the address, and the versions on both sides"
        ) from None


def _detail(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["detail"])[:300]
    except (ValueError, KeyError, TypeError):
        return answer.reason_phrase
