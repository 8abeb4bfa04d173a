"""The report: pages, paper, and the page's numbers."""

import re
import zlib
from pathlib import Path

import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient

from api.clinic.patient_view import cycle_facts, patient_view
from api.clinic.report import plain, report_pdf
from api.clinic.words import shift_words, verdict_words
from api.commands.report import command
from api.runtime import Runtime
from api.web import texts


def written(pdf: bytes) -> str:
    """The texts of a PDF that fpdf2 wrote, in order, joined by spaces."""
    found = []
    for stream in re.findall(rb"stream\n(.*?)\nendstream", pdf, re.DOTALL):
        try:
            body = zlib.decompress(stream)
        except zlib.error:
            continue
        found += re.findall(rb"\(((?:[^()\\]|\\.)*)\) Tj", body)
    return re.sub(rb"\\(.)", rb"\1", b" ".join(found)).decode("latin-1")


def pages(pdf: bytes) -> int:
    return len(re.findall(rb"/Type /Page\n", pdf))


def squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", plain(text))


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
    assert squeezed(view.trust.words) in text
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


def test_a_name_that_the_fonts_lack_does_not_break_the_report(runtime: Runtime) -> None:
    import dataclasses

    patient = dataclasses.replace(runtime.catalog.patient("p3"), label="Łucja −1 岬")
    assert "(p3)" in written(report_pdf(patient_view(runtime, patient))).replace("\\", "")


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
