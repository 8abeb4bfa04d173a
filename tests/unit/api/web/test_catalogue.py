"""Every word that a page shows comes from the catalogue: seen by reading it in a made-up language.

Each text of the catalogue is put in brackets; a word that a page shows outside of them stands in a
template or in code, where no translator finds it.
"""

import re
import string
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.clinic.patient_view import patient_view
from api.clinic.report import report_pdf
from api.runtime import Runtime
from api.web import texts
from tests.unit.api.clinic.conftest import client, made, runtime
from tests.unit.api.clinic.test_report import written

__all__ = ["client", "made", "runtime"]

TEMPLATES = Path(texts.__file__).parent / "templates"
DATA = re.compile(
    # names of people, products, zones and the program are data in every language
    r"\b(Sam|Robin|Kim|p[123]|onabotulinumtoxinA|splenius left|necktrace|Europe/Berlin|A|B|N)\b"
)
STORED = ("insufficient data", "rotation and deviation are")
"""Why a day is insufficient is stored with the day's summary, in English."""
SILENT = {"script", "style", "code", "time", "symbol"}
SHOWN = {"aria-label", "title", "alt", "placeholder"}


class Words(HTMLParser):
    """Gathers what a person sees or hears."""

    def __init__(self) -> None:
        super().__init__()
        self.silent = 0
        self.paragraph = False
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # what the API says of an error is marked as English
        self.silent += tag in SILENT or (tag == "p" and ("lang", "en") in attrs)
        self.paragraph = tag == "p" and ("lang", "en") in attrs
        self.found += [value or "" for name, value in attrs if name in SHOWN]

    def handle_startendtag(
        self,
        tag: str,  # noqa: ARG002  signature of HTMLParser
        attrs: list[tuple[str, str | None]],
    ) -> None:
        self.found += [value or "" for name, value in attrs if name in SHOWN]

    def handle_endtag(self, tag: str) -> None:
        self.silent -= tag in SILENT or (tag == "p" and self.paragraph)
        self.paragraph = False

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.found.append(data)


def bare(shown: str) -> str:
    """What is left of a text without everything in brackets, and without data."""
    depth, kept = 0, []
    for letter in shown:
        depth += letter == "⟦"
        if depth == 0:
            kept.append(letter)
        depth -= letter == "⟧"
    return DATA.sub("", "".join(kept))


@pytest.fixture
def bracketed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    held = {key: f"⟦{text}⟧" for key, text in texts.catalogue().items()}
    monkeypatch.setattr(texts, "catalogue", lambda *_: held)
    yield


@pytest.mark.parametrize(
    "path",
    [
        "/", "/history", "/episodes", "/no-such-page", "/clinic", "/clinic/patients/p1",
        "/clinic/patients/p2?figure=jerk", "/clinic/patients/p3", "/clinic/patients/p1/episodes",
    ],
)  # fmt: skip
@pytest.mark.usefixtures("bracketed")
def test_no_word_stands_outside_the_catalogue(client: TestClient, path: str) -> None:
    words = Words()
    words.feed(client.get(path, headers={"accept": "text/html"}).text)
    assert any("⟦" in each for each in words.found)
    left = [
        each.strip()
        for each in words.found
        if re.search(r"[^\W\d_]{2,}", bare(each)) and not each.strip().startswith(STORED)
    ]
    assert left == []


@pytest.mark.usefixtures("bracketed")
def test_the_report_takes_its_words_from_the_catalogue(runtime: Runtime) -> None:
    view = patient_view(runtime, runtime.catalog.patient("p1"))
    text = bare(written(report_pdf(view)).replace("\n", " "))
    assert re.findall(r"[^\W\d_]{2,}", text) == []


def test_templates_ask_only_for_texts_that_exist() -> None:
    call = re.compile(r"""\bt\(\s*["']([a-z_0-9]+(?:\.[a-z_0-9]+)+)["']""")
    used = {
        key
        for path in TEMPLATES.glob("*.html")
        for key in call.findall(path.read_text(encoding="utf-8"))
    }
    assert len(used) > 150
    assert used - set(texts.catalogue()) == set()


def test_places_in_texts_have_names() -> None:
    for key, text in texts.catalogue().items():
        for _, name, _, _ in string.Formatter().parse(text):
            assert name != "", f"{key}: a place without a name cannot be moved in translation"
