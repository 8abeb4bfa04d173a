"""Who looked at what: the audit log in words, for the patient and for an administrator."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.access.principals import current
from api.runtime import Runtime, RuntimeDep
from api.web import texts
from api.web.pages import first_patient, render, sees_many
from storage.access import accounts
from storage.catalog import AuditEntry

router = APIRouter(default_response_class=HTMLResponse)

PER_PAGE: Final = 100
AREAS: Final[tuple[tuple[str, str], ...]] = (
    ("/everything", "everything"),
    ("/report.pdf", "report"),
    ("/exports", "files"),
    ("/export", "raw"),
    ("/raw/", "raw"),
    ("/bids", "raw"),
    ("/streams", "raw"),
    ("/fhir", "days"),
    ("/audit", "log"),
    ("/mine/looked", "log"),
    ("/grants", "sharing"),
    ("/consent", "sharing"),
    ("/mine", "sharing"),
    ("/exercises", "exercises"),
    ("/annotations", "notes"),
    ("/notes", "notes"),
    ("/episodes", "episodes"),
    ("/angles", "angles"),
    ("/live", "live"),
    ("/setup", "live"),
    ("/alerts", "alerts"),
    ("/cycles", "treatment"),
    ("/calibrations", "sensors"),
    ("/devices", "sensors"),
    ("/sessions", "sensors"),
    ("/versions", "versions"),
    ("/minutes", "days"),
    ("/days", "days"),
    ("/history", "days"),
    ("/week", "days"),
    ("/cohort", "days"),
    ("/data", "data"),
    ("/clinic", "clinic"),
    ("/account", "access"),
    ("/users", "access"),
    ("/tokens", "access"),
)
"""Part of a route to what it shows; the first that fits."""


@dataclass(frozen=True, slots=True)
class Looked:
    """One entry as a person reads it."""

    at_ns: int
    who: str
    role: str
    """Key of the catalogue, empty where the name says enough."""
    what: str
    subject: str
    is_you: bool


def area_of(route: str) -> str:
    """Return what a route shows, as the catalogue names it."""
    return next((area for part, area in AREAS if part in route), "page")


def in_words(entries: Sequence[AuditEntry], roles: dict[str, str]) -> list[Looked]:
    """Return entries of the audit log in words.

    Parameters
    ----------
    entries : sequence of AuditEntry
    roles : dict
        Name of a person to their role.
    """
    you = current().name
    found = []
    for entry in entries:
        person = entry.actor.rpartition(" of ")[2]
        key = f"looked.did.{entry.action.replace(' ', '_')}"
        area = texts.text(f"looked.area.{area_of(str(entry.detail.get('route', '')))}")
        user = str(entry.detail.get("user") or texts.text("looked.somebody"))
        what = (
            texts.text(key, what=area, user=user)
            if key in texts.catalogue()
            else texts.text("looked.did.other", action=entry.action)
        )
        role = roles.get(person, "")
        found.append(
            Looked(entry.at_ns, entry.actor, role, what, entry.subject, entry.actor == you)
        )
    return found


def looked_page(
    runtime: Runtime,
    zone: str,
    section: str,
    before: int | None,
    subject: str | None,
    *,
    back: str = "/mine",
    name: str = "",
) -> HTMLResponse:
    """Return a part of the log, about one patient (`subject`) or everybody.

    Parameters
    ----------
    back : str
        Where the page leads back to.
    name : str
        Whose data it is, where it is not the reader's own.
    """
    held = runtime.catalog.audit_entries(
        before=2**62 if before is None else before, limit=PER_PAGE + 1, subject=subject
    )
    shown = held[:PER_PAGE]
    older = shown[-1].id if len(held) > PER_PAGE else None
    if subject is not None:
        # who else looked is not to be found among one's own visits
        you = current().name
        shown = [each for each in shown if (each.actor, each.action) != (you, "read")]
    return render(
        runtime,
        "looked.html",
        section,
        zone=zone,
        entries=in_words(shown, {each.name: each.role for each in accounts(runtime.catalog)}),
        own=subject is not None,
        back=back,
        name=name,
        older=older,
        first=before is None,
    )


Before = Annotated[int | None, Query(ge=0, le=2**62)]


@router.get("/mine/looked")
def looked(runtime: RuntimeDep, before: Before = None) -> Response:
    """Return who looked at the patient's data, took it away or changed it, newest first."""
    if sees_many(runtime):
        return RedirectResponse("/clinic", 303)
    patient = first_patient(runtime)
    return looked_page(runtime, patient.zone, "today", before, patient.id)


@router.get("/account/log")
def log(runtime: RuntimeDep, before: Before = None) -> HTMLResponse:
    """Return the whole audit log, newest first."""
    return looked_page(runtime, runtime.settings.zone_name, "about", before, None)
