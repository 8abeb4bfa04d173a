"""One story through three doors: wear, press, exercise; injection, two weeks, print; the raw week.

The folder was empty when the demonstration started: its simulated person was calibrated and wears
real links, records and pages. Pairing in the browser is told by `test_pairing.py`, the guided
calibration by `integration/collector/test_guide.py`.
"""

import io
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Demo, Watched
from tests.support.necktrace import run

pytestmark = pytest.mark.browser

ZONE = "Europe/Berlin"
PATIENT = "api/v1/patients/demo"
WEEK = 7
DAYS_WAIT_S = 420
"""For a fortnight to be made beside everything else."""


def answer(address: str, token: str) -> bytes:
    """What a program gets that presents a token."""
    headers = {"Authorization": f"Bearer {token}"}
    with urllib.request.urlopen(urllib.request.Request(address, headers=headers)) as got:
        body: bytes = got.read()
        return body


def past_days(watched: Watched, demo: Demo) -> list[str]:
    """Days that are over and have a summary: two weeks of them."""
    now = datetime.now(ZoneInfo(ZONE)).date()
    today, since = now.isoformat(), (now - timedelta(days=3 * WEEK)).isoformat()
    for _ in range(DAYS_WAIT_S):
        items = demo.json(f"/{PATIENT}/days?from={since}")["items"]
        assert isinstance(items, list)
        days = [each["date"] for each in items if each["date"] < today]
        if len(days) >= 2 * WEEK:
            return days[-2 * WEEK :]
        watched.page.wait_for_timeout(1000)
    raise AssertionError("the history did not come")


def test_from_an_empty_folder_through_all_three_doors(
    watched: Watched,
    demo: Demo,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = watched.page
    days = past_days(watched, demo)

    # the patient presses the button, and exercises until it is enough for now
    page.goto(demo.url)
    page.get_by_role("button", name="Spasm now").press("Enter")
    expect(page.locator(".noted")).to_contain_text("spasm")
    page.goto(demo.url + "exercises")
    page.get_by_label("Turn left").check()
    page.get_by_role("button", name="Save my choice").press("Enter")
    page.get_by_role("button", name="Start: Turn left").press("Enter")
    page.get_by_role("button", name="Stop for now").press("Enter")
    page.goto(demo.url + "exercises")
    page.get_by_text("Each time").click()
    expect(page.locator(".notes li").filter(has_text="Turn left").first).to_contain_text(
        "stopped early"
    )

    # the clinician enters an injection, judges an episode, compares two weeks, prints
    home = "clinic/patients/demo"
    page.goto(demo.url + home)
    page.get_by_text("Enter an injection").click()
    page.get_by_label("Product").fill("toxin of the story")
    page.get_by_label("Units").fill("120")
    page.get_by_label("Muscles").fill("splenius capitis right")
    page.get_by_label("Product").press("Enter")
    expect(page.get_by_role("cell", name="toxin of the story")).to_be_visible()
    bounds = (days[0], days[WEEK - 1], days[WEEK], days[-1])
    for name, day in zip(("a_from", "a_to", "b_from", "b_to"), bounds, strict=True):
        page.locator(f"input[name={name}]").fill(day)
    page.get_by_role("button", name="Compare").press("Enter")
    compared = page.locator("section[aria-labelledby='compare']")
    expect(compared.get_by_text("7 of 7 days count")).to_have_count(2)
    # the person has one neutral: their days can be compared
    expect(compared.locator("tbody tr").first).to_contain_text("°")
    report = page.get_by_role("link", name="Report (A4)").get_attribute("href")
    assert report is not None
    printed = page.request.get(demo.url.rstrip("/") + report)
    assert printed.body().startswith(b"%PDF-")
    page.get_by_role("link", name="Judge episodes").first.press("Enter")
    first, second = (page.locator("[data-verdicts] > li").nth(i) for i in range(2))
    page.wait_for_load_state()
    page.keyboard.press("j")
    page.keyboard.press("c")
    expect(first).to_have_attribute("data-verdict", "confirm")
    page.keyboard.press("r")
    expect(second).to_have_attribute("data-verdict", "reject")
    page.goto(demo.url + home)
    expect(page.locator("section[aria-labelledby='judged']")).to_contain_text("1 confirmed")
    page.get_by_role("button", name=re.compile("Remove the injection")).first.click()
    expect(page.get_by_role("cell", name="toxin of the story")).to_have_count(0)

    # the researcher pulls the raw week with a token; another one gets nothing
    made = run(
        monkeypatch, capsys, "token", "add", "story", "--scope", "read:raw", "--scope",
        "read:summary", "--patient", "demo", "--pseudonymous", "--json",
        "--data-dir", str(demo.data_dir),
    )  # fmt: skip
    assert made.exit_code == 0, made.err
    token = str(json.loads(made.out)["token"])
    base = demo.url + "api/v1"
    (person,) = json.loads(answer(f"{base}/cohort", token))["items"]
    assert person["patient_id"] != "demo"
    begin = datetime.fromisoformat(person["first_utc"])
    week = {"from": begin.isoformat(), "to": (begin + timedelta(days=WEEK)).isoformat()}
    address = f"{base}/patients/{person['patient_id']}/raw/head?{urllib.parse.urlencode(week)}"
    raw = pq.read_table(io.BytesIO(answer(address, token)))
    # an hour a day
    assert raw.num_rows > WEEK * 3600 * 100
    assert {"t_ns", "acc_x_ms2", "gyr_z_rads"} <= set(raw.column_names)
    for wrong in (token[:-1] + ("a" if token[-1] != "a" else "b"), "ntk_nothing"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            answer(address, wrong)
        assert refused.value.code == 401
        assert b"acc_x_ms2" not in refused.value.read()
        refused.value.close()
    assert watched.errors == []
    assert watched.outside == []
