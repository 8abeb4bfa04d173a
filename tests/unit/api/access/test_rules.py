"""Every route has a rule, and every rule, role and patient gives what this page says."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.responses import JSONResponse
from starlette.routing import Mount

from api.access.guard import Guard
from api.access.rights import ROLES
from api.access.rules import RULES, find_rule
from api.http.app import create_app
from api.runtime import Runtime
from storage.access import account_named
from tests.unit.api.access.conftest import BASE, ORIGIN, cookie_for

pytestmark = pytest.mark.slow

PARTS = {
    "patient_id": "p1",
    "stream_id": "1",
    "table": "angles",
    "role": "head",
    "day": "2026-11-20",
    "annotation_id": "a1",
    "kind": "battery",
    "token_id": "t1",
    "path:path": "app.css",
}
"""Something for every part of a path; others are filled with `x`."""


def declared(routes: list[Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield (method, template) of every route of an application, however deeply included."""
    for route in routes:
        if isinstance(route, Mount):
            yield "GET", f"{prefix}{route.path}/{{path:path}}"
        elif hasattr(route, "original_router"):
            inner = prefix + route.include_context.prefix
            yield from declared(route.original_router.routes, inner)
        else:
            for method in sorted(set(route.methods) - {"HEAD"}):
                yield method, prefix + route.path


def concrete(template: str, patient: str = "p1") -> str:
    path = template
    for part in set(find_parts(template)):
        value = patient if part == "patient_id" else PARTS.get(part, "x")
        path = path.replace(f"{{{part}}}", value)
    return path


def find_parts(template: str) -> list[str]:
    return [piece.partition("}")[0] for piece in template.split("{")[1:]]


@pytest.fixture(scope="module")
def app(clinic: Runtime) -> FastAPI:
    return create_app(clinic)


def test_every_route_has_a_rule_and_only_its_own(app: FastAPI) -> None:
    found = list(declared(list(app.routes)))
    assert len(found) > 30
    for method, template in found:
        matched = find_rule(method, concrete(template))
        assert matched is not None, f"{method} {template} has no line in api/access/rules.py"
        assert matched[0].path == template, f"{method} {template} falls under {matched[0].path}"


def test_every_rule_has_a_route(app: FastAPI) -> None:
    found = set(declared(list(app.routes))) | {("GET", "/healthz")}
    for rule in RULES:
        for method in rule.methods:
            assert (method, rule.path) in found, f"{method} {rule.path} is declared but not there"


# Who gets in, spelt out by hand: P patient, C carer, D clinician, R researcher (blind), A admin,
# each with a grant for p1; `*` everybody, also who is not logged in; `+` everybody logged in.
P = "/api/v1/patients/{patient_id}"
C = "/clinic/patients/{patient_id}"
WHO = {
    "GET /login": "*",
    "POST /login": "*",
    "GET /favicon.ico": "*",
    "GET /healthz": "*",
    "GET /static/{path:path}": "*",
    "POST /logout": "+",
    "GET /account": "+",
    "GET /account/phone": "+",
    "GET /account/phone/authority.crt": "+",
    "POST /account/password": "+",
    "GET /account/people": "A",
    "POST /account/people": "A",
    "POST /account/people/grants/{grant_id}/withdraw": "A",
    "POST /account/people/tokens/{token_id}/revoke": "A",
    "POST /account/people/{name}/grants": "A",
    "POST /account/people/{name}/password": "A",
    "POST /account/people/{name}/state": "A",
    "GET /account/log": "A",
    "POST /account/tokens": "+",
    "POST /account/tokens/{token_id}/revoke": "+",
    "GET /api/v1/openapi.json": "+",
    "GET /api/v1/health": "+",
    "GET /about": "+",
    "GET /docs": "+",
    "GET /docs/columns": "+",
    "GET /api/v1/patients": "+",
    "GET /api/v1/users": "A",
    "POST /api/v1/users": "A",
    "PATCH /api/v1/users/{name}": "A",
    "POST /api/v1/grants": "A",
    "DELETE /api/v1/grants/{grant_id}": "A",
    "POST /api/v1/tokens": "+",
    "GET /api/v1/cohort": "PCDRA",
    f"DELETE {P}": "PA",
    f"GET {P}/audit": "PD",
    f"GET {P}/grants": "PD",
    f"POST {P}/grants": "PD",
    f"DELETE {P}/grants": "PD",
    f"DELETE {P}/grants/{{grant_id}}": "PD",
    f"GET {P}/calibrations": "PCDRA",
    f"GET {P}/cycles": "PCDRA",
    f"POST {P}/cycles": "DA",
    f"DELETE {P}/cycles/{{injection_id}}": "DA",
    f"GET {P}/versions": "PCDRA",
    f"POST {P}/versions": "PDRA",
    f"DELETE {P}/versions/{{algo}}": "PDRA",
    "GET /api/v1/grants": "A",
    "GET /api/v1/tokens": "A",
    "DELETE /api/v1/tokens/{token_id}": "A",
    "GET /api/v1/audit": "A",
    "GET /api/v1/live": "PCDA",
    f"GET {P}": "PCDRA",
    f"GET {P}/devices": "PCDRA",
    f"GET {P}/sessions": "PCDRA",
    f"GET {P}/angles": "PCDRA",
    f"GET {P}/episodes": "PCDRA",
    f"GET {P}/days": "PCDRA",
    f"GET {P}/minutes": "PCDRA",
    f"GET {P}/events": "PCDRA",
    f"GET {P}/annotations": "PCDRA",
    f"GET {P}/streams": "PDRA",
    f"GET {P}/streams/{{stream_id}}/samples": "PDRA",
    f"GET {P}/streams/{{stream_id}}/export": "PDRA",
    f"GET {P}/consent": "PCDRA",
    f"POST {P}/consent": "PD",
    f"GET {P}/exports": "PDRA",
    f"GET {P}/exports/{{table}}": "PDRA",
    f"GET {P}/raw/{{role}}": "PDRA",
    f"GET {P}/bids": "PDRA",
    f"GET {P}/fhir": "PCDRA",
    f"GET {P}/everything": "PDA",
    f"POST {P}/annotations": "PCDRA",
    f"DELETE {P}/annotations/{{annotation_id}}": "PCDRA",
    f"GET {P}/alerts": "PCDA",
    f"PUT {P}/alerts/{{kind}}/snooze": "PCDA",
    f"GET {P}/exercises/plan": "PCDRA",
    f"PUT {P}/exercises/plan": "PCDA",
    f"GET {P}/exercises/sessions": "PCDRA",
    f"POST {P}/exercises/sessions": "PCDA",
    f"DELETE {P}/exercises/sessions/{{session_id}}": "PCDA",
    f"GET {P}/exercises/adherence": "PCDRA",
    "GET /api/v1/forward/segments/{sha256}": "P",
    "PUT /api/v1/forward/segments/{sha256}": "P",
    "PUT /api/v1/forward/catalogue/{kind}": "P",
    "GET /api/v1/forward/patients/{patient_id}": "P",
    "GET /": "PCDA",
    "GET /history": "PCDA",
    "GET /history/{day}": "PCDA",
    "GET /episodes": "PCDA",
    "POST /notes": "PCDA",
    "POST /alerts/{kind}/snooze": "PCDA",
    "POST /notes/{annotation_id}/undo": "PCDA",
    "GET /data": "PDA",
    "POST /data/versions/{algo}/remove": "DA",
    "GET /setup": "PCDA",
    "POST /setup/scan": "PCDA",
    "POST /setup/pair": "PCDA",
    "POST /setup/nod": "PCDA",
    "POST /setup/simulate": "PCDA",
    "POST /setup/begin": "PCDA",
    "POST /setup/replace": "PCDA",
    "POST /setup/anew": "+",
    "POST /setup/guide": "PCDA",
    "POST /setup/redo": "PCDA",
    "POST /setup/answer": "PCDA",
    "POST /setup/cancel": "PCDA",
    "POST /setup/snooze": "PCDA",
    "GET /week": "PCDA",
    "GET /mine": "PD",
    "GET /mine/looked": "PD",
    "POST /mine/stop-sharing": "PD",
    "POST /mine/consent": "PD",
    "POST /mine/delete": "PA",
    "GET /exercises": "PCDA",
    "POST /exercises/plan": "PCDA",
    "POST /exercises/start": "PCDA",
    "GET /exercises/play": "PCDA",
    "POST /exercises/stop": "PCDA",
    "POST /exercises/sessions/{session_id}/undo": "PCDA",
    "GET /clinic": "PCDA",
    f"GET {C}/sharing": "PD",
    f"GET {C}/sharing/looked": "PD",
    f"POST {C}/sharing/stop-sharing": "PD",
    f"POST {C}/sharing/consent": "PD",
    f"GET {C}": "PCDA",
    f"GET {C}/episodes": "PCDA",
    f"GET {C}/report.pdf": "PCDA",
    f"POST {C}/injections": "DA",
    f"POST {C}/injections/{{injection_id}}/remove": "DA",
    f"POST {C}/verdicts": "DA",
    f"POST {C}/thresholds": "DA",
    f"POST {C}/plan": "DA",
}
LETTERS = {"patient": "P", "carer": "C", "clinician": "D", "researcher": "R", "admin": "A"}


def test_the_table_above_is_complete() -> None:
    rules = {f"{method} {rule.path}" for rule in RULES for method in rule.methods}
    assert set(WHO) == rules


@pytest.fixture(scope="module")
def guarded(clinic: Runtime) -> TestClient:
    """The guard around an application that lets everything happen."""

    async def through(scope: Any, receive: Any, send: Any) -> None:
        await JSONResponse({"patient_id": "p1", "through": True})(scope, receive, send)

    return TestClient(Guard(through, clinic), base_url=BASE, follow_redirects=False)


def expected(route: str, role: str, kind: str) -> set[int]:
    """Return the statuses that may come."""
    who = WHO[route]
    if who in {"*", "+"}:
        return {200}
    if LETTERS[role] not in who:
        return {403, 404}
    about_nobody = who == "A" or (who == "P" and "{patient_id}" not in route)
    return {200} if kind == "own" or about_nobody else {404}


@pytest.mark.parametrize("route", WHO)
@pytest.mark.parametrize("role", ROLES)
def test_matrix(guarded: TestClient, clinic: Runtime, route: str, role: str) -> None:
    """Route x role x own, other and no patient."""
    method, template = route.split(" ")
    has_patient = "{patient_id}" in template
    person = account_named(clinic.catalog, role)
    if role == "researcher" and has_patient:
        headers = cookie_for(clinic.catalog, person) | ORIGIN
        listed = guarded.get("/api/v1/patients", headers=headers).json()
        own = str(listed["patient_id"])
        assert own not in {"p1", "Sam"}
        assert guarded.request(method, concrete(template), headers=headers).status_code == 404
    else:
        own = "p1"
    for name, patient, kind in (
        (role, own, "own"),
        (role, "p2", "other"),
        (role, "p9", "unknown"),
        (f"{role}-alone", "p1", "none"),
    ):
        if not has_patient and kind in {"other", "unknown"}:
            continue
        headers = cookie_for(clinic.catalog, account_named(clinic.catalog, name)) | ORIGIN
        answer = guarded.request(method, concrete(template, patient), headers=headers)
        wanted = expected(route, role, kind)
        assert answer.status_code in wanted, f"{name} on {patient}: {answer.text}"


@pytest.mark.parametrize("route", WHO)
def test_nobody_gets_in_without_a_login(guarded: TestClient, route: str) -> None:
    method, template = route.split(" ")
    answer = guarded.request(method, concrete(template))
    assert answer.status_code == (200 if WHO[route] == "*" else 401)
    if answer.status_code == 401:
        assert answer.headers["www-authenticate"] == "Bearer"


def test_a_path_without_a_rule_is_closed(guarded: TestClient, clinic: Runtime) -> None:
    headers = cookie_for(clinic.catalog, account_named(clinic.catalog, "admin")) | ORIGIN
    assert guarded.get("/api/v1/invented", headers=headers).status_code == 404
    assert guarded.put("/api/v1/health", headers=headers).status_code == 405
    assert guarded.get("/api/v1/invented").status_code == 401
