"""The first run as pages: pair, place, calibrate; later put on again and hold a reference pose."""

import asyncio
import time
from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from api.access.principals import current
from api.guided.guide import Guide
from api.guided.pairing import PairingDesk
from api.guided.steps import CALIBRATION, Pose, Task
from api.http.problems import problem
from api.hub.pairing import first_patient as home_patient
from api.runtime import Runtime, RuntimeDep
from api.web import texts
from api.web.pages import first_patient, render
from ingest.discovery import FoundSensor
from ingest.errors import IngestError
from storage.access import add_grant

router = APIRouter(default_response_class=HTMLResponse)

_ENDING_S = 60.0
"""Longest that a recording takes to write everything and end."""
_NOT_HERE = "This process does not record; start `necktrace up`."


def _desk(runtime: Runtime) -> PairingDesk:
    if runtime.desk is None:
        raise problem("conflict", "The sensors are paired already, and recording has begun.")
    return runtime.desk


def _guide(runtime: Runtime) -> Guide:
    if runtime.guide is None:
        raise problem("not-live", _NOT_HERE)
    return runtime.guide


def _page(
    runtime: Runtime,
    *,
    found: list[FoundSensor] | None = None,
    trouble: str = "",
    status: int = 200,
) -> HTMLResponse:
    patient = first_patient(runtime)
    guide = runtime.guide
    return render(
        runtime,
        "setup.html",
        "today",
        zone=patient.zone,
        status=status,
        recording=guide is not None,
        desk=runtime.desk,
        paired=runtime.desk.paired() if runtime.desk else {},
        worn={
            device.role: device
            for device in sorted(
                runtime.catalog.devices(patient=patient.id), key=lambda each: each.role or ""
            )
            if device.role
        },
        nothing_recorded=not runtime.record.streams(patient=patient.id),
        found=found,
        trouble=trouble,
        guide=guide.view if guide else None,
        can_replace=runtime.pair_again is not None,
        calibrated=bool(runtime.catalog.alignments(patient.id)),
        steps=[step.kind for step in CALIBRATION],
    )


@router.get("/setup")
def setup(runtime: RuntimeDep) -> HTMLResponse:
    """Return the page that pairs, places and calibrates."""
    return _page(runtime)


@router.post("/setup/scan")
async def scan(runtime: RuntimeDep) -> HTMLResponse:
    """Listen for sensors and show what was heard."""
    try:
        return _page(runtime, found=await _desk(runtime).scan())
    except IngestError as error:
        return _page(runtime, trouble=f"{error} {error.remedy}".strip(), status=409)


@router.post("/setup/pair")
async def pair(
    runtime: RuntimeDep,
    address: Annotated[str, Form(min_length=1, max_length=100)],
    role: Annotated[Literal["head", "trunk"], Form()],
) -> HTMLResponse:
    """Pair one sensor."""
    try:
        await _desk(runtime).pair(address, role)
    except IngestError as error:
        return _page(runtime, trouble=f"{error} {error.remedy}".strip(), status=409)
    return _page(runtime)


@router.post("/setup/nod")
async def nod(
    runtime: RuntimeDep, address: Annotated[list[str] | None, Form(max_length=20)] = None
) -> Response:
    """Begin to find out by a nod which of two sensors is worn on the head."""
    desk = _desk(runtime)
    chosen = list(dict.fromkeys(each for each in address or () if 0 < len(each) <= 100))
    if len(chosen) != 2:
        return _page(runtime, trouble=texts.text("setup.nod.two"), status=409)
    if not desk.start_nod((chosen[0], chosen[1])):
        raise problem("conflict", texts.text("setup.nod.busy"))
    return RedirectResponse("/setup", 303)


@router.post("/setup/simulate")
def simulate(runtime: RuntimeDep) -> RedirectResponse:
    """Record a simulated person in this folder."""
    patient = first_patient(runtime)
    if runtime.record.streams(patient=patient.id):
        raise problem(
            "conflict",
            "This folder holds a real recording; give another with --data-dir, or run "
            "`necktrace demo`.",
        )
    _desk(runtime).simulate()
    return RedirectResponse("/setup", 303)


@router.post("/setup/begin")
def begin(runtime: RuntimeDep) -> RedirectResponse:
    """Begin to record with the sensors that are paired."""
    if not _desk(runtime).begin():
        raise problem("conflict", "Pair a head sensor first.")
    return RedirectResponse("/setup", 303)


@router.post("/setup/replace")
async def replace(runtime: RuntimeDep) -> RedirectResponse:
    """End the recording so that another sensor can be paired in the place of one."""
    if runtime.pair_again is None:
        raise problem("not-live", _NOT_HERE)
    runtime.pair_again.set()
    await _until(lambda: runtime.desk is not None)
    return RedirectResponse("/setup", 303)


@router.post("/setup/anew")
async def anew(runtime: RuntimeDep) -> RedirectResponse:
    """Record another person where the one before was deleted; who logs in may see them."""
    asking = current()
    if runtime.mode != "up":
        raise problem("not-live", _NOT_HERE)
    if asking.account is not None and asking.account.role != "patient":
        raise problem("not-allowed", texts.text("setup.anew.who"))
    await _until(lambda: runtime.anew is not None or bool(runtime.catalog.patients()))
    if runtime.catalog.patients():
        raise problem("conflict", texts.text("setup.anew.somebody"))
    if runtime.anew is None:
        raise problem("not-live", _NOT_HERE)
    patient = home_patient(runtime.catalog, runtime.settings.zone_name)
    if asking.account is not None:
        add_grant(
            runtime.catalog, asking.account, patient.id, identified=True, expires_ns=None,
            actor=asking.name,
        )  # fmt: skip
    runtime.anew.set()
    await _until(lambda: runtime.desk is not None)
    return RedirectResponse("/setup", 303)


async def _until(wanted: Callable[[], bool]) -> None:
    """Give the recording time to take in what happened."""
    until_s = time.monotonic() + _ENDING_S
    while not wanted() and time.monotonic() < until_s:  # noqa: ASYNC110  once in a year
        await asyncio.sleep(0.05)


def _told(reason: str) -> RedirectResponse:
    """Return to the page, or say why something cannot be done now."""
    if reason:
        raise problem("conflict", texts.text(f"guide.cannot.{reason}"))
    return RedirectResponse("/setup#guide", 303)


@router.post("/setup/guide")
async def start_guide(
    runtime: RuntimeDep,
    task: Annotated[Task, Form()],
    pose: Annotated[Pose, Form()] = "neutral_pose",
    assisted: Annotated[Literal["yes", "no"], Form()] = "no",
) -> RedirectResponse:
    """Begin a calibration, a re-don or a reference pose."""
    return _told(_guide(runtime).start(task, pose=pose, assisted=assisted == "yes"))


@router.post("/setup/redo")
async def redo(
    runtime: RuntimeDep, kind: Annotated[str, Form(min_length=1, max_length=40)]
) -> RedirectResponse:
    """Repeat one step without the rest."""
    return _told(_guide(runtime).redo(kind))


@router.post("/setup/answer")
async def answer(
    runtime: RuntimeDep, again: Annotated[Literal["yes", "no"], Form()]
) -> RedirectResponse:
    """Repeat a step that did not work, or go on without."""
    _guide(runtime).answer(again=again == "yes")
    return _told("")


@router.post("/setup/cancel")
async def cancel(runtime: RuntimeDep) -> RedirectResponse:
    """End the guided task; what held before still holds."""
    _guide(runtime).cancel()
    return _told("")


@router.post("/setup/snooze")
async def snooze(runtime: RuntimeDep) -> RedirectResponse:
    """Do not ask for a reference pose for a while."""
    _guide(runtime).snooze()
    return RedirectResponse("/", 303)
