"""The report: pages, paper, and the page's numbers."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient
from PIL import Image

from api.clinic.cycle_view import cycle_facts
from api.clinic.patient_view import patient_view
from api.clinic.report import report_pdf
from api.clinic.report_fonts import FOLDER
from api.clinic.words import shift_words, verdict_words
from api.commands.report import command
from api.errors import ApiError
from api.runtime import Runtime
from api.web import texts

pytestmark = pytest.mark.slow


def written(pdf: bytes) -> str:
    """The words of a PDF as drawn, read by another program than the one that wrote them."""
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext (poppler-utils) is not installed")
    command = ["pdftotext", "-raw", "-", "-"]
    done = subprocess.run(command, input=pdf, capture_output=True, check=True)
    return str(done.stdout, "utf-8")


def pages(pdf: bytes) -> int:
    return len(re.findall(rb"/Type /Page\n", pdf))


def squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def test_the_report_has_the_pages_numbers(runtime: Runtime) -> None:
    view = patient_view(runtime, runtime.catalog.patient("p1"))
    text = squeezed(written(report_pdf(view)))
    assert view.cycle is not None
    for name, said in cycle_facts(view.figure, view.cycle):
        assert squeezed(f"{name} {said}") in text
    for row in view.comparison.rows:
        line = (
            row.figure.name, row.figure.write(row.before), row.figure.write(row.after),
            shift_words(row.figure, row.change), verdict_words(row.figure, row.change),
        )  # fmt: skip
        assert squeezed(" ".join(line)) in text
    for trust in (view.cycle_trust, view.trend_trust, view.comparison.before_trust):
        assert squeezed(trust.short) in text
    assert squeezed(view.trust.words) in text
    for reason in view.standing.reasons:
        assert squeezed(reason.words) in text
    assert squeezed(view.exercised.words) in text
    assert squeezed(texts.text("app.intended")) in text
    assert "Europe/Berlin" in text


@pytest.mark.parametrize("patient", ["p1", "p2", "p3"])
@pytest.mark.parametrize(("paper", "box"), [("a4", "595.28 841.89"), ("letter", "612.00 792.00")])
def test_one_or_two_pages_of_either_paper(
    client: TestClient, patient: str, paper: str, box: str
) -> None:
    answer = client.get(f"/clinic/patients/{patient}/report.pdf?paper={paper}")
    assert answer.headers["content-type"] == "application/pdf"
    assert 1 <= pages(answer.content) <= 2
    assert f"/MediaBox [0 0 {box}]".encode() in answer.content
    assert f"Page 1 of {pages(answer.content)}" in squeezed(written(answer.content))


def test_the_pages_are_pictures_worth_looking_at(
    runtime: Runtime, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Leaves the pages as PNG in the test's folder, and finds ink in every part that has some."""
    if shutil.which("pdftoppm") is None:
        pytest.skip("pdftoppm (poppler-utils) is not installed")
    folder = tmp_path_factory.mktemp("report")
    (folder / "report.pdf").write_bytes(
        report_pdf(patient_view(runtime, runtime.catalog.patient("p1")))
    )
    subprocess.run(["pdftoppm", "-r", "60", "-png", "report.pdf", "page"], cwd=folder, check=True)
    pictures = sorted(folder.glob("page-*.png"))
    assert len(pictures) == 2
    for picture in pictures:
        with Image.open(picture) as opened:
            grey = np.asarray(opened.convert("L"), np.float64)
        high, wide = grey.shape
        margin = int(0.035 * high)
        assert grey[:margin].min() > 250, "nothing runs into the margin"
        assert grey[:, : int(0.05 * wide)].min() > 250
        assert grey[:, -int(0.05 * wide) :].min() > 250
        # black bars, as from a fill that was left on, would be far darker than text
        assert grey.mean() > 215
        for part in np.array_split(grey[margin : int(0.62 * high)], 8):
            assert part.min() < 200, "an eighth of the page is empty"


def test_names_of_all_scripts_are_written(runtime: Runtime) -> None:
    import dataclasses

    name = "Łucja Jäger-Öztürk Ωμέγα Жанна"
    patient = dataclasses.replace(runtime.catalog.patient("p3"), label=name)
    assert f"{name} (p3)" in written(report_pdf(patient_view(runtime, patient)))
    lacking = dataclasses.replace(patient, label="岬 Kim")
    text = written(report_pdf(patient_view(runtime, lacking)))
    assert "\N{REPLACEMENT CHARACTER} Kim (p3)" in text
    own = FOLDER / "DejaVuSansCondensed-Bold.ttf"
    assert b"%PDF" in report_pdf(patient_view(runtime, patient), own_font=own)


def test_a_font_that_cannot_be_used_is_named(runtime: Runtime, tmp_path: Path) -> None:
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"no font")
    view = patient_view(runtime, runtime.catalog.patient("p3"))
    with pytest.raises(ApiError, match=r"broken\.ttf.*report_font"):
        report_pdf(view, own_font=broken)


def test_the_command_writes_the_same_report(runtime: Runtime, tmp_path: Path) -> None:
    out = tmp_path / "r.pdf"
    where = ["--data-dir", str(runtime.settings.data_dir), "--out", str(out)]
    done = CliRunner().invoke(command, ["--patient", "p1", *where])
    assert done.exit_code == 0, done.output
    view = patient_view(runtime, runtime.catalog.patient("p1"))
    assert written(out.read_bytes()) == written(report_pdf(view))
    refused = CliRunner().invoke(command, where)
    assert "name a patient" in str(refused.exception)
    assert not list(tmp_path.glob("*.part"))
