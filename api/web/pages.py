"""Rendering of pages: the template environment, its filters, and what every page gets."""

from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from api.access.principals import visible_patients
from api.alerts.delivery import sentence
from api.guided.pairing import DEMO, is_simulated
from api.http.problems import problem
from api.runtime import Runtime
from api.web import texts
from processing.summary.types import DaySummary
from storage.catalog import Patient
from storage.notes import Annotation


def episode_count(day: DaySummary) -> int | None:
    """Return the candidate episodes of all kinds; None where none could be looked for."""
    counts = [n for n in (day.jerk_n, day.tremor_n, day.posture_n) if n is not None]
    return sum(counts) if counts else None


def episodes_per_h(day: DaySummary) -> float | None:
    """Return the candidate episodes of all kinds per hour in which they could be seen."""
    count = episode_count(day)
    return None if count is None or day.evaluable_s < 60.0 else count / (day.evaluable_s / 3600.0)


def first_patient(runtime: Runtime) -> Patient:
    """Return the patient that the pages of a home are about.

    Raises
    ------
    ProblemError
        `not-found`: nobody is set up here, or granted to whoever asks.
    """
    patients = visible_patients(runtime.catalog)
    if not patients:
        raise problem("not-found", "No patient is set up in this data folder, or granted to you.")
    return patients[0]


def sees_many(runtime: Runtime) -> bool:
    """Return whether whoever asks sees several patients, so that "my data" would name none."""
    return len(visible_patients(runtime.catalog)) > 1


def note_words(note: Annotation) -> str:
    """Return what was noted, in words."""
    return texts.text(f"note.kind.{note.kind}", level=note.body.get("level", ""))


def marked(text: str) -> Markup:
    """Return a text of the code with what stands between backticks set as code."""
    parts = [escape(part) for part in text.split("`")]
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if i % 2 else part for i, part in enumerate(parts)
    )


@cache
def _environment(zone: str) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    clock = texts.Clock(ZoneInfo(zone))
    environment.globals["t"] = texts.text
    environment.filters |= {
        "alert_words": sentence,
        "angle_words": texts.angle_words,
        "clock": clock.clock,
        "date_short": clock.date_short,
        "day_name": texts.day_name,
        "degrees": texts.degrees,
        "duration": texts.duration,
        "episode_count": episode_count,
        "episodes_per_h": episodes_per_h,
        "iso": texts.iso,
        "marked": marked,
        "minute": clock.minute,
        "number": texts.number,
        "note_words": note_words,
        "percent": texts.percent,
    }
    return environment


def render(
    runtime: Runtime, template: str, section: str, *, zone: str, status: int = 200, **values: Any
) -> HTMLResponse:
    """Return a page in the patient's zone and the catalogue's words."""
    body = (
        _environment(zone)
        .get_template(template)
        .render(
            lang=texts.LANGUAGE,
            zone=zone,
            version=version("necktrace"),
            section=section,
            status=status,
            demo=runtime.mode == "demo"
            or any(each.id == DEMO or is_simulated(each) for each in runtime.catalog.patients()),
            can_begin=runtime.mode == "up" and not runtime.catalog.patients(),
            catalogue_json=Markup(texts.catalogue_json()),  # noqa: S704  our file, "<" escaped
            **values,
        )
    )
    return HTMLResponse(body, status)
