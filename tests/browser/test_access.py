"""Logging in, making a token and logging out in a real browser, by keyboard alone."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from api.access.passwords import hash_password
from storage.access import add_account, add_grant
from storage.catalog import Catalog, Patient
from tests.browser.conftest import AXE, ROOT, Watched
from tests.browser.test_pages import axe_violations

pytestmark = pytest.mark.browser

PASSWORD = "correct horse battery"


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A server with one patient and one clinician."""
    folder = tmp_path / "record"
    with Catalog(folder) as catalog:
        catalog.save_patient(Patient("p1", "Sam", "Europe/Berlin"))
        ada = add_account(catalog, "ada", "clinician", hash_password(PASSWORD), actor="test")
        add_grant(catalog, ada, "p1", identified=False, expires_ns=None, actor="test")
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
