"""`make screenshots`: a picture of every page, found by following links as a person would.

    python -m tests.browser.screenshots [--out build/screenshots] [--docs docs/screenshots]

A demonstration with live simulated sensors gives the patient's pages, a made-up caseload the
clinician's, and its report. Every page that a link leads to is pictured once per route, light and
dark, from a small phone to a wide screen, so new pages need no line here. `--docs` writes the few
that the documentation shows, small.
"""

import argparse
import re
import subprocess
import tempfile
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from api.access.rules import find_rule
from tests.browser.conftest import FLAGS, ROOT, Demo, chromium, start_demo
from tests.support.clinic_server import clinic_server, fill_clinic

SIZES: dict[str, tuple[int, int]] = {
    "small": (320, 640),
    "phone": (390, 844),
    "desk": (1280, 900),
    "wide": (2560, 1300),
}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SETTLE_MS = 1200
"""Live values and charts arrive after the page."""
READY_S = 900.0
IN_DOCS = {
    "home-today-phone-light": (390, 844),
    "clinic-caseload-desk-light": (1280, 720),
    "clinic-patient-desk-light": (1280, 1150),
    "report-1": (744, 1052),
}
"""Pictures that the documentation shows: name to the part from the top that is kept."""
DOCS_WIDTH = 760
LINKS = "all => all.map(a => new URL(a.getAttribute('href'), location.href).pathname)"
NAMES = {
    "/": "today",
    "/clinic": "caseload",
    "/clinic/patients/{patient_id}": "patient",
    "/clinic/patients/{patient_id}/episodes": "judging",
}


def name_of(template: str) -> str:
    """Return a file name for a route."""
    plain = re.sub(r"[{}]", "", template).strip("/").replace("/", "-")
    return NAMES.get(template) or plain


def pages(page: Page, base: str, first: str) -> Iterator[tuple[str, str]]:
    """Follow links breadth first; give one address per route that answers with a page."""
    waiting, seen = [first], set[str]()
    while waiting:
        path = waiting.pop(0)
        rule = find_rule("GET", urllib.parse.urlsplit(path).path)
        if rule is None or rule[0].path in seen:
            continue
        seen.add(rule[0].path)
        kind = page.request.get(base + path).headers.get("content-type", "")
        if not kind.startswith("text/html"):
            continue
        page.goto(base + path)
        yield rule[0].path, path
        # what is a file is not looked into: a day of raw samples takes its time
        links = page.eval_on_selector_all("a[href^='/']:not([download])", LINKS)
        waiting += [link for link in links if link not in waiting and "/api/" not in link]


def picture_all(
    browser: Browser, base: str, first: str, prefix: str, out: Path, only: str = ""
) -> int:
    """Picture every page of a server; return how many routes there were.

    Parameters
    ----------
    only : str
        Beginning of the routes to picture.
    """
    context = browser.new_context()
    found = [each for each in pages(context.new_page(), base, first) if each[0].startswith(only)]
    context.close()
    for size, (width, height) in SIZES.items():
        for scheme in SCHEMES:
            context = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme=scheme,
                reduced_motion="reduce",
            )
            page = context.new_page()
            for template, path in found:
                page.goto(base + path)
                page.wait_for_timeout(SETTLE_MS)
                file = out / f"{prefix}-{name_of(template)}-{size}-{scheme}.png"
                page.screenshot(path=file, full_page=True)
            context.close()
    return len(found)


def picture_report(base: str, out: Path) -> None:
    """Picture the pages of the report."""
    import urllib.request

    address = f"{base}/clinic/patients/p1/report.pdf?paper=a4"
    with urllib.request.urlopen(address, timeout=60) as answer:
        body = answer.read()
    command = ["pdftoppm", "-r", "90", "-png", "-", str(out / "report")]
    subprocess.run(command, input=body, check=True)


def wait_until_settled(demo: Demo) -> None:
    """Wait for the fortnight to be made and the person of today to be calibrated."""
    until = time.monotonic() + READY_S
    while time.monotonic() < until:
        health = demo.json("/api/v1/health")
        history = health["history"]
        assert isinstance(history, dict)
        if history["state"] == "done" and not health["warnings"]:
            return
        time.sleep(2.0)
    raise SystemExit("The demonstration's history was not made in time.")


def shrink(out: Path, docs: Path) -> None:
    """Write the pictures of the documentation: cut from the top, narrower, few colours."""
    docs.mkdir(parents=True, exist_ok=True)
    for name, (width, height) in IN_DOCS.items():
        if not (out / f"{name}.png").is_file():
            continue
        with Image.open(out / f"{name}.png") as opened:
            part = opened.convert("RGB").crop((0, 0, width, min(height, opened.height)))
        if part.width > DOCS_WIDTH:
            size = (DOCS_WIDTH, round(part.height * DOCS_WIDTH / part.width))
            part = part.resize(size, Image.Resampling.LANCZOS)
        part.quantize(160).save(docs / f"{name}.png", optimize=True)


def main() -> None:
    """Make all pictures."""
    parser = argparse.ArgumentParser(description="Picture every page for the documentation.")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "screenshots")
    parser.add_argument("--docs", type=Path, default=None, help="write the documentation's, too")
    parser.add_argument("--part", choices=["clinic", "home"], help="only these pages")
    wanted = parser.parse_args()
    path = chromium()
    if path is None:
        raise SystemExit("No Chromium is installed; set NECKTRACE_TEST_CHROMIUM to one.")
    wanted.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="necktrace-screenshots-") as name:
        folder = Path(name)
        fill_clinic(folder / "clinic")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
            count = 0
            if wanted.part != "home":
                with clinic_server(folder / "clinic") as base:
                    first = "/clinic/patients/p1"
                    count += picture_all(browser, base, first, "clinic", wanted.out, "/clinic")
                    picture_report(base, wanted.out)
            if wanted.part != "clinic":
                demo = start_demo(folder / "demo", wait_s=600.0)
                try:
                    wait_until_settled(demo)
                    count += picture_all(browser, demo.url.rstrip("/"), "/", "home", wanted.out)
                finally:
                    demo.stop()
            browser.close()
    if wanted.docs is not None:
        shrink(wanted.out, wanted.docs)
    print(f"{wanted.out}: {count} pages, light and dark, 320 to 2560 px wide, and the report.")


if __name__ == "__main__":
    main()
