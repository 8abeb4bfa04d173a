"""Logging in, making a token and logging out in a real browser, by keyboard alone."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from api.access.passwords import hash_password
from storage.access import add_account, add_grant
from storage.catalog import Catalog
from storage.erasure import tombstone_of
from tests.browser.conftest import AXE, ROOT, Watched
from tests.browser.test_pages import axe_violations
from tests.unit.api.conftest import fill

pytestmark = pytest.mark.browser

PASSWORD = "correct horse battery"


@pytest.fixture
def people() -> tuple[str, ...]:
    """Who can log in: the clinician."""
    return ("ada",)


@pytest.fixture
def folder(tmp_path: Path, people: tuple[str, ...]) -> Path:
    """A record of one patient, whom everybody set up sees."""
    path = tmp_path / "record"
    fill(path)
    with Catalog(path) as catalog:
        for name in people:
            role = {"ada": "clinician", "sam": "patient"}[name]
            person = add_account(catalog, name, role, hash_password(PASSWORD), actor="test")
            add_grant(catalog, person, "p1", identified=False, expires_ns=None, actor="test")
    return path


@pytest.fixture
def address(folder: Path) -> Iterator[str]:
    """A server on it."""
    serve = "from api.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", serve, "serve", "--data-dir", str(folder), "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    found = re.search(r"http://\S+/", process.stdout.readline())
    assert found is not None
    yield found[0]
    process.terminate()
    process.wait(20)
    process.stdout.close()


def test_log_in_make_a_token_and_log_out(watched: Watched, address: str) -> None:
    page = watched.page
    page.goto(address + "history")
    expect(page).to_have_url(re.compile("/login"))
    if AXE.is_file():
        assert axe_violations(page) == []
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("wrong")
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/history$"))

    page.goto(address + "account")
    page.get_by_label("What it is for").fill("notebook")
    page.get_by_label("read:summary").check()
    page.get_by_role("button", name="Make the token").press("Enter")
    expect(page.get_by_text("ntk_").first).to_be_visible()
    if AXE.is_file():
        assert axe_violations(page) == []
    for width in (320, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name="Revoke notebook").press("Enter")
    expect(page.get_by_role("cell", name="ended")).to_be_visible()

    assert page.evaluate("document.cookie") == ""
    page.get_by_role("button", name="Log out").press("Enter")
    expect(page).to_have_url(re.compile("/login$"))
    page.goto(address)
    expect(page).to_have_url(re.compile("/login"))
    assert watched.outside == []
    # the refused password is a 401, which the console reports
    assert [error for error in watched.errors if "401" not in error] == []


def new_person(page: Page, name: str, role: str) -> None:
    page.get_by_label("Name to log in with").fill(name)
    page.get_by_label("Role").select_option(role)
    made = page.locator("section[aria-labelledby='new']")
    made.get_by_label("New password").fill(PASSWORD)
    made.get_by_role("button", name="Set up").press("Enter")


def log_in(page: Page, address: str, name: str, wanted: str) -> None:
    page.goto(f"{address}login?next=/{wanted}")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/{wanted}$"))


@pytest.mark.parametrize("people", [()])
def test_an_administrator_sets_up_grants_and_takes_back(
    watched: Watched, browser: Browser, address: str
) -> None:
    """From a computer without users to a carer who sees one patient, and no longer does."""
    page = watched.page
    page.goto(address + "account")
    page.get_by_role("link", name="People, grants").press("Enter")
    expect(page.get_by_text("No users are set up")).to_be_visible()
    new_person(page, "ada", "admin")
    expect(page).to_have_url(re.compile("/login"))
    log_in(page, address, "ada", "account/people")
    new_person(page, "carl", "carer")
    carl = page.locator("section[aria-labelledby='of-carl']")
    expect(carl).to_contain_text("No patient is granted")
    carl.get_by_text("Let carl see a patient").press("Enter")
    carl.get_by_label("For how many days").fill("30")
    carl.get_by_role("button", name="Grant").press("Enter")
    expect(carl).to_contain_text("until")

    theirs = browser.new_context()
    phone = theirs.new_page()
    log_in(phone, address, "carl", "week")
    carl.get_by_role("button", name="Withdraw p1 from carl").press("Enter")
    expect(carl).to_contain_text("No patient is granted")
    phone.reload()
    expect(phone.get_by_role("heading", level=1)).not_to_contain_text("How it is going")
    carl.get_by_text("Change the account of carl").press("Enter")
    carl.get_by_role("button", name="Close the account").press("Enter")
    expect(carl).to_contain_text("account closed")
    phone.goto(address + "week")
    expect(phone).to_have_url(re.compile("/login"))
    theirs.close()

    if AXE.is_file():
        assert axe_violations(page) == []
    page.get_by_role("link", name="Audit log").press("Enter")
    expect(page.locator(".log li").filter(has_text="Closed an account")).to_contain_text("you")
    assert watched.outside == []
    assert watched.errors == []


@pytest.mark.parametrize("people", [("ada", "sam")])
def test_the_patient_sees_who_looked_and_deletes_everything(
    watched: Watched, browser: Browser, address: str, folder: Path
) -> None:
    clinic = browser.new_context()
    visit = clinic.new_page()
    log_in(visit, address, "ada", "history")
    visit.goto(address + "mine")
    expect(visit.get_by_role("button", name="Delete everything")).to_have_count(0)
    clinic.close()

    page = watched.page
    log_in(page, address, "sam", "mine")
    page.get_by_role("link", name="See who looked").press("Enter")
    expect(page.locator(".log li").filter(has_text="ada").first).to_contain_text("clinician")
    if AXE.is_file():
        assert axe_violations(page) == []
    page.get_by_role("link", name="Sharing and my data").press("Enter")
    page.get_by_label("Type DELETE to confirm").fill("delete")
    page.get_by_role("button", name="Delete everything").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Nothing was deleted")
    page.get_by_label("Type DELETE to confirm").fill("DELETE")
    page.get_by_role("button", name="Delete everything").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Everything was deleted")
    with Catalog(folder) as catalog:
        assert catalog.patients() == []
        entries = catalog.audit_entries()
        assert [each.subject for each in entries if each.action == "erase"] == [tombstone_of("p1")]
        assert all(each.subject != "p1" for each in entries)
    assert not list(folder.rglob("*.parquet"))
    # the refused word is a 422, which the console reports
    assert [error for error in watched.errors if "422" not in error] == []
