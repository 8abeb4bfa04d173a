"""HTML pages, on the same queries as the JSON routes."""

from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from api.runtime import Runtime, RuntimeDep
from api.web import texts
from processing.summary.types import DaySummary

router = APIRouter(default_response_class=HTMLResponse)

NEUTRAL_DEG = 10.0
_REACH_DEG = {"rotation": 80.0, "lateral": 45.0, "flexion": 60.0}
NEUTRAL_ZONE = {
    axis: (50 - 48 * NEUTRAL_DEG / reach, 50 + 48 * NEUTRAL_DEG / reach)
    for axis, reach in _REACH_DEG.items()
}
"""Where the ±10° around neutral lie on each dial, percent of its width."""


def episode_count(day: DaySummary) -> int | None:
    """Return the candidate episodes of all kinds; None where none could be looked for."""
    counts = [n for n in (day.jerk_n, day.tremor_n, day.posture_n) if n is not None]
    return sum(counts) if counts else None


def episodes_per_h(day: DaySummary) -> float | None:
    """Return the candidate episodes of all kinds per hour in which they could be seen."""
    count = episode_count(day)
    return None if count is None or day.evaluable_s < 60.0 else count / (day.evaluable_s / 3600.0)


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["t"] = texts.text
    environment.filters |= {
        "number": texts.number,
        "percent": texts.percent,
        "degrees": texts.degrees,
        "duration": texts.duration,
        "day_name": texts.day_name,
        "iso": texts.iso,
        "episode_count": episode_count,
        "episodes_per_h": episodes_per_h,
    }
    return environment


_ENVIRONMENT = _environment()


def render(
    runtime: Runtime, template: str, section: str, *, status: int = 200, **values: Any
) -> HTMLResponse:
    """Return a page in the patient's zone and the catalogue's words."""
    zone = runtime.settings.zone_name
    clock = texts.Clock(ZoneInfo(zone))
    page = _ENVIRONMENT.overlay()
    page.filters = _ENVIRONMENT.filters | {
        "clock": clock.clock,
        "minute": clock.minute,
        "date_short": clock.date_short,
    }
    body = page.get_template(template).render(
        lang=texts.LANGUAGE,
        zone=zone,
        version=version("necktrace"),
        section=section,
        demo=runtime.mode == "demo",
        catalogue_json=Markup(texts.catalogue_json()),  # noqa: S704  our own file, "<" escaped
        **values,
    )
    return HTMLResponse(body, status)


@router.get("/")
def today(runtime: RuntimeDep, request: Request) -> HTMLResponse:
    """Return the Today page."""
    now = datetime.now(ZoneInfo(runtime.settings.zone_name))
    return render(
        runtime,
        "today.html",
        "today",
        live=runtime.hub is not None,
        neutral_zone=NEUTRAL_ZONE,
        today_date=now.date().isoformat(),
        day=None,
        days=[],
        charts=[],
        episodes=[],
    )
