from pathlib import Path

import httpx
import pytest

from api.errors import ForwardError
from api.forwarding.link import Link, NotOursError, OutOfStepError, parsed
from api.forwarding.wire import SegmentOut

TOKEN = "ntk_abc"


def answering(status: int, **what: object) -> Link:
    link = Link("https://clinic.example", TOKEN)
    link._http.close()

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        return httpx.Response(status, **what)  # type: ignore[arg-type]  # fields by name

    link._http = httpx.Client(
        transport=httpx.MockTransport(answer),
        base_url="https://clinic.example",
        headers={"Authorization": f"Bearer {TOKEN}"},
    )
    return link


@pytest.mark.parametrize(
    "url", ["http://clinic.example", "clinic.example", "ftp://127.0.0.1", "https://", "http://[::"]
)
def test_tokens_never_cross_a_network_in_the_clear(url: str) -> None:
    with pytest.raises(ForwardError):
        Link(url, TOKEN)


@pytest.mark.parametrize("url", ["https://clinic.example", "http://127.0.0.1:8765/"])
def test_https_or_this_computer(url: str) -> None:
    with Link(url, TOKEN) as link:
        assert link.url == url.rstrip("/")


@pytest.mark.parametrize("token", ["", "two words", "n\n", "ä"])
def test_what_is_no_token_is_said_before_anything_is_sent(token: str) -> None:
    with pytest.raises(ForwardError, match="token"):
        Link("https://clinic.example", token)


def test_what_is_no_certificate_is_said(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nonsense")
    with pytest.raises(ForwardError, match="certificates"):
        Link("https://clinic.example", TOKEN, tmp_path / "ca.pem")


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, NotOursError), (403, NotOursError), (404, NotOursError), (409, OutOfStepError)],
)
def test_refusals_are_told_apart(status: int, kind: type[ForwardError]) -> None:
    with answering(status, json={"detail": "because"}) as link, pytest.raises(kind) as raised:
        link.request("GET", "/x")
    assert "because" in str(raised.value)


def test_a_busy_clinic_says_how_long() -> None:
    with (
        answering(503, headers={"Retry-After": "7"}) as link,
        pytest.raises(ForwardError) as raised,
    ):
        link.request("GET", "/x")
    assert raised.value.retry_after_s == 7.0


def test_another_servers_page_is_not_taken_for_an_answer() -> None:
    with answering(200, text="<html>log in to the hotel's network</html>") as link:
        answer = link.request("GET", "/x")
        with pytest.raises(ForwardError, match="check the address"):
            parsed(SegmentOut, answer)


def test_a_redirect_does_not_take_the_token_along() -> None:
    moved = {"Location": "https://elsewhere.example"}
    with answering(302, headers=moved) as link, pytest.raises(ForwardError, match="302"):
        link.request("GET", "/x")
