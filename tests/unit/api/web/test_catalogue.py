"""Every word that a page shows comes from the catalogue: seen by reading it in a made-up language.

Each text of the catalogue is put in brackets; a word that a page shows outside of them stands in a
template or in code, where no translator finds it.
"""

import re
import string
from collections.abc import Iterator
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from starlette.routing import compile_path

from api.access.rules import RULES
from api.clinic.patient_view import patient_view
from api.clinic.report import report_pdf
from api.runtime import Runtime
from api.web import texts
from tests.unit.api.access.conftest import LogIn, MakeToken, clinic, log_in, token
from tests.unit.api.clinic.conftest import client, made, runtime
from tests.unit.api.clinic.test_report import written

pytestmark = pytest.mark.slow

__all__ = ["client", "clinic", "log_in", "made", "runtime", "token"]

TEMPLATES = Path(texts.__file__).parent / "templates"
DATA = re.compile(
    # names of people, products, zones and the program are data in every language
    r"\b(Sam|Robin|Kim|p[123]|onabotulinumtoxinA|splenius left|necktrace|Europe/Berlin|A|B|N|"
    r"parquet|arrow|csv|zip|NT-1|imu|head|trunk|UTC)\b"
)
NAMES = re.compile(r"\b((patient|carer|clinician|researcher|admin)(-alone)?|test|read:\w+)\b")
"""What people and tokens of the folder in which everybody logs in are called."""
STORED = ("insufficient data", "rotation and deviation are")
"""Why a day is insufficient is stored with the day's summary, in English."""
SILENT = {"script", "style", "code", "pre", "time", "symbol"}
VOID = {"input", "br", "img", "meta", "link", "hr", "wbr", "col", "source"}
SHOWN = {"aria-label", "title", "alt", "placeholder"}


class Words(HTMLParser):
    """Gathers what a person sees or hears.

    What is marked as English (`lang="en"`) inside of the page is said by the API and made from the
    code: names of fields, units, why something was refused.
    """

    def __init__(self) -> None:
        super().__init__()
        self.open: list[bool] = []
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag in SILENT or (tag != "html" and ("lang", "en") in attrs))

    def handle_startendtag(
        self,
        tag: str,  # noqa: ARG002  signature of HTMLParser
        attrs: list[tuple[str, str | None]],
    ) -> None:
        if not any(self.open):
            self.found += [value or "" for name, value in attrs if name in SHOWN]

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if not any(self.open):
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


def outside(client: TestClient, path: str) -> list[str]:
    """Return what a page shows outside of the catalogue."""
    words = Words()
    words.feed(client.get(path, headers={"accept": "text/html"}).text)
    assert not words.open, "every element is closed"
    assert any("⟦" in each for each in words.found)
    return [
        each.strip()
        for each in words.found
        if re.search(r"[^\W\d_]{2,}", bare(each)) and not each.strip().startswith(STORED)
    ]


PAGES = [
    "/", "/history", "/history/{day}", "/episodes", "/no-such-page", "/clinic",
    "/clinic/patients/p1", "/clinic/patients/p2?figure=jerk", "/clinic/patients/p3",
    "/clinic/patients/p1/episodes", "/clinic/patients/p1/sharing",
    "/clinic/patients/p2/sharing/looked",
    "/data", "/about", "/docs", "/docs/columns", "/week", "/mine", "/mine/looked", "/exercises",
    "/exercises/play", "/setup", "/account", "/account/phone", "/account/people", "/account/log",
    "/login",
]  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.usefixtures("bracketed")
def test_no_word_stands_outside_the_catalogue(
    client: TestClient, made: tuple[Path, date], path: str
) -> None:
    assert outside(client, path.replace("{day}", made[1].isoformat())) == []


@pytest.mark.parametrize(
    ("who", "path"),
    [
        ("admin", "/account/people"), ("admin", "/account/log"), ("admin", "/account"),
        ("patient", "/mine"), ("patient", "/mine/looked"), ("clinician", "/mine"),
        ("carer", "/"), ("carer", "/data"), ("researcher", "/docs/columns"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("bracketed")
def test_no_word_stands_outside_the_catalogue_where_people_log_in(
    log_in: LogIn, token: MakeToken, who: str, path: str
) -> None:
    token("read:raw", user=who)
    token("read:raw")
    found = [NAMES.sub("", each) for each in outside(log_in(who), path)]
    assert [each for each in found if re.search(r"[^\W\d_]{2,}", bare(each))] == []


def test_every_page_is_read_in_the_made_up_language() -> None:
    """A page that is added is added above, or is no page."""
    no_pages = {"/static/{path:path}", "/favicon.ico", "/healthz", "/account/phone/authority.crt"}
    shown = {path.partition("?")[0] for path in PAGES}
    for rule in RULES:
        if "GET" not in rule.methods or rule.path.startswith("/api/") or rule.path in no_pages:
            continue
        pattern = compile_path(rule.path)[0]
        file = rule.path.endswith(".pdf")
        assert file or any(pattern.match(path) for path in shown), rule.path


@pytest.mark.parametrize("patient", ["p1", "p2"])
@pytest.mark.usefixtures("bracketed")
def test_the_report_takes_its_words_from_the_catalogue(runtime: Runtime, patient: str) -> None:
    view = patient_view(runtime, runtime.catalog.patient(patient))
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
