"""What the documents name exists: commands, make targets, files behind links."""

import re
from pathlib import Path

import pytest

from api.cli import COMMANDS

CHECKOUT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [
        *CHECKOUT.glob("*.md"),
        *(CHECKOUT / "docs").rglob("*.md"),
        *(CHECKOUT / "firmware_protocol").rglob("*.md"),
    ]
)


def name_of(path: Path) -> str:
    return str(path.relative_to(CHECKOUT))


def without_code(text: str) -> str:
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text(encoding="utf-8"))):
        if not re.match(r"[a-z]+:|#", target):
            path = target.split("#")[0]
            assert (page.parent / path).exists(), f"{name_of(page)} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^|`)(?:\.venv/bin/)?necktrace ([a-z]+)\b", text, re.MULTILINE))
    assert named - set(COMMANDS) == set(), f"{name_of(page)} names commands that do not exist"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE))
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE))
    assert named - targets == set(), f"{name_of(page)} names make targets that do not exist"


def test_every_page_is_in_the_index() -> None:
    """A page that nothing links to is a page that nobody finds."""
    linked = {
        (page.parent / target.split("#")[0]).resolve()
        for page in PAGES
        for target in re.findall(r"\]\(([^)\s]+\.md[^)\s]*)\)", page.read_text(encoding="utf-8"))
        if not re.match(r"[a-z]+:", target)
    }
    alone = {p for p in PAGES if p.resolve() not in linked} - {CHECKOUT / "README.md"}
    assert {name_of(path) for path in alone} == set()


def test_no_machine_path_or_host_is_named() -> None:
    """Documents speak of the checkout, never of the machine on which they were written."""
    for page in PAGES:
        assert f"{CHECKOUT}/" not in page.read_text(encoding="utf-8"), name_of(page)
