"""One rule for every route: what right it needs, and on whose data.

A path without a rule is closed to everybody but the owner at home, and a test fails for it: whoever
adds a route adds its line here.
"""

from dataclasses import dataclass
from functools import cache
from re import Pattern
from typing import Final, Literal

from starlette.routing import compile_path

from api.access.rights import Right

Need = Right | Literal["public", "signed-in", "account", "annotate", "clinical", "consent", "erase"]
"""`public`: anybody; `signed-in`: whoever has a login or a token; `account`: a login, no token;
`annotate`: the right to write annotations, or labels for research; `clinical`: who treats the
patient; `consent`: the patient, or who treats them; `erase`: the patient, or an administrator who
was granted them."""

Subject = Literal["none", "path", "shown", "recorded"]
"""Whose data: nobody's; the patient in the path; one that a page or list chooses among those the
principal may see; the one this process records."""

Blind = Literal["same", "masked", "disguised", "refused"]
"""What somebody without the right to identities and dates gets: the same, as there is nothing of a
person in it; pseudonyms and shifted dates, put in by the guard; the same, put in by the route as it
streams; nothing."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may use a route."""

    methods: tuple[str, ...]
    path: str
    """Template, as the route declares it."""
    need: Need
    subject: Subject = "none"
    blind: Blind = "same"


def _rule(
    methods: str, path: str, need: Need, subject: Subject = "none", blind: Blind = "same"
) -> Rule:
    return Rule(tuple(methods.split()), path, need, subject, blind)


_V1: Final = "/api/v1"
_P: Final = f"{_V1}/patients/{{patient_id}}"
_C: Final = "/clinic/patients/{patient_id}"

RULES: Final[tuple[Rule, ...]] = (
    _rule("GET", "/healthz", "public"),
    _rule("GET", "/static/{path:path}", "public"),
    _rule("GET", "/favicon.ico", "public"),
    _rule("GET POST", "/login", "public"),
    _rule("POST", "/logout", "signed-in"),
    _rule("GET", "/account", "account"),
    _rule("GET", "/account/phone", "account"),
    _rule("GET", "/account/phone/authority.crt", "account"),
    _rule("GET POST", "/account/people", "admin"),
    _rule("POST", "/account/people/grants/{grant_id}/withdraw", "admin"),
    _rule("POST", "/account/people/tokens/{token_id}/revoke", "admin"),
    _rule("POST", "/account/people/{name}/grants", "admin"),
    _rule("POST", "/account/people/{name}/password", "admin"),
    _rule("POST", "/account/people/{name}/state", "admin"),
    _rule("GET", "/account/log", "admin"),
    _rule("POST", "/account/password", "account"),
    _rule("POST", "/account/tokens", "account"),
    _rule("POST", "/account/tokens/{token_id}/revoke", "account"),
    _rule("GET POST", f"{_V1}/users", "admin"),
    _rule("PATCH", f"{_V1}/users/{{name}}", "admin"),
    _rule("GET POST", f"{_V1}/grants", "admin"),
    _rule("DELETE", f"{_V1}/grants/{{grant_id}}", "admin"),
    _rule("GET", f"{_V1}/tokens", "admin"),
    _rule("POST", f"{_V1}/tokens", "account"),
    _rule("DELETE", f"{_V1}/tokens/{{token_id}}", "admin"),
    _rule("GET", f"{_V1}/audit", "admin"),
    _rule("GET", f"{_V1}/openapi.json", "signed-in"),
    _rule("GET", f"{_V1}/health", "signed-in"),
    _rule("GET", f"{_V1}/live", "read:summary", "recorded", "refused"),
    _rule("GET", f"{_V1}/patients", "signed-in", "shown", "masked"),
    _rule("GET", f"{_V1}/cohort", "read:summary", "shown", "masked"),
    _rule("GET", _P, "read:summary", "path", "masked"),
    _rule("DELETE", _P, "erase", "path", "refused"),
    _rule("GET", f"{_P}/audit", "consent", "path", "refused"),
    _rule("GET POST DELETE", f"{_P}/grants", "consent", "path", "refused"),
    _rule("DELETE", f"{_P}/grants/{{grant_id}}", "consent", "path", "refused"),
    _rule("GET", f"{_P}/calibrations", "read:summary", "path", "masked"),
    _rule("GET", f"{_P}/cycles", "read:summary", "path", "masked"),
    _rule("POST", f"{_P}/cycles", "clinical", "path", "refused"),
    _rule("DELETE", f"{_P}/cycles/{{injection_id}}", "clinical", "path", "refused"),
    _rule("GET", f"{_P}/versions", "read:summary", "path", "masked"),
    _rule("POST", f"{_P}/versions", "read:raw", "path", "masked"),
    _rule("DELETE", f"{_P}/versions/{{algo}}", "read:raw", "path", "masked"),
    _rule("GET", f"{_P}/streams", "read:raw", "path", "masked"),
    _rule("GET", f"{_P}/streams/{{stream_id}}/samples", "read:raw", "path", "masked"),
    _rule("GET", f"{_P}/streams/{{stream_id}}/export", "read:raw", "path", "disguised"),
    _rule("GET", f"{_P}/devices", "read:summary", "path", "masked"),
    _rule("GET", f"{_P}/sessions", "read:summary", "path", "masked"),
    _rule("GET", f"{_P}/angles", "read:summary", "path", "masked"),
    _rule("GET", f"{_P}/episodes", "read:summary", "path", "masked"),
    _rule("GET", f"{_P}/days", "read:summary", "path", "masked"),
    _rule("GET", f"{_P}/minutes", "read:summary", "path", "masked"),
    _rule("GET", f"{_P}/events", "read:summary", "path", "masked"),
    _rule("GET", f"{_P}/annotations", "read:summary", "path", "masked"),
    _rule("POST", f"{_P}/annotations", "annotate", "path", "disguised"),
    _rule("DELETE", f"{_P}/annotations/{{annotation_id}}", "annotate", "path", "masked"),
    _rule("GET", f"{_P}/exercises/plan", "read:summary", "path", "masked"),
    _rule("PUT", f"{_P}/exercises/plan", "write:annotations", "path", "refused"),
    _rule("GET", f"{_P}/exercises/sessions", "read:summary", "path", "masked"),
    _rule("POST", f"{_P}/exercises/sessions", "write:annotations", "path", "refused"),
    _rule(
        "DELETE", f"{_P}/exercises/sessions/{{session_id}}", "write:annotations", "path", "refused"
    ),
    _rule("GET", f"{_P}/exercises/adherence", "read:summary", "path", "masked"),
    _rule("GET", f"{_P}/consent", "read:summary", "path", "masked"),
    _rule("POST", f"{_P}/consent", "consent", "path", "refused"),
    _rule("GET", f"{_P}/exports", "read:raw", "path", "masked"),
    _rule("GET", f"{_P}/exports/{{table}}", "read:raw", "path", "disguised"),
    _rule("GET", f"{_P}/raw/{{role}}", "read:raw", "path", "disguised"),
    _rule("GET", f"{_P}/fhir", "read:summary", "path", "disguised"),
    _rule("GET", f"{_P}/bids", "read:raw", "path", "disguised"),
    _rule("GET", f"{_P}/alerts", "read:summary", "path", "refused"),
    _rule("PUT", f"{_P}/alerts/{{kind}}/snooze", "write:annotations", "path", "refused"),
    _rule("GET", f"{_P}/everything", "read:raw", "path", "refused"),
    # whose data: named in the request, and judged by the route itself
    _rule("GET PUT", f"{_V1}/forward/segments/{{sha256}}", "forward"),
    _rule("PUT", f"{_V1}/forward/catalogue/{{kind}}", "forward"),
    _rule("GET", f"{_V1}/forward/patients/{{patient_id}}", "forward", "path"),
    _rule("GET", "/", "read:summary", "shown", "refused"),
    _rule("GET", "/history", "read:summary", "shown", "refused"),
    _rule("GET", "/history/{day}", "read:summary", "shown", "refused"),
    _rule("GET", "/episodes", "read:summary", "shown", "refused"),
    _rule("POST", "/notes", "write:annotations", "shown", "refused"),
    _rule("POST", "/notes/{annotation_id}/undo", "write:annotations", "shown", "refused"),
    _rule("POST", "/alerts/{kind}/snooze", "write:annotations", "shown", "refused"),
    _rule("GET", "/setup", "read:summary", "recorded", "refused"),
    _rule("POST", "/setup/scan", "write:annotations", "recorded", "refused"),
    _rule("POST", "/setup/pair", "write:annotations", "recorded", "refused"),
    _rule("POST", "/setup/nod", "write:annotations", "recorded", "refused"),
    _rule("POST", "/setup/simulate", "write:annotations", "recorded", "refused"),
    _rule("POST", "/setup/begin", "write:annotations", "recorded", "refused"),
    _rule("POST", "/setup/replace", "write:annotations", "recorded", "refused"),
    _rule("POST", "/setup/guide", "write:annotations", "recorded", "refused"),
    _rule("POST", "/setup/redo", "write:annotations", "recorded", "refused"),
    _rule("POST", "/setup/answer", "write:annotations", "recorded", "refused"),
    _rule("POST", "/setup/cancel", "write:annotations", "recorded", "refused"),
    _rule("POST", "/setup/snooze", "write:annotations", "recorded", "refused"),
    # nobody is recorded then; the route judges who may begin
    _rule("POST", "/setup/anew", "account"),
    _rule("GET", "/week", "read:summary", "shown", "refused"),
    _rule("GET", "/mine", "consent", "shown", "refused"),
    _rule("GET", "/mine/looked", "consent", "shown", "refused"),
    _rule("POST", "/mine/stop-sharing", "consent", "shown", "refused"),
    _rule("POST", "/mine/consent", "consent", "shown", "refused"),
    _rule("POST", "/mine/delete", "erase", "shown", "refused"),
    _rule("GET", "/exercises", "read:summary", "shown", "refused"),
    _rule("POST", "/exercises/plan", "write:annotations", "shown", "refused"),
    _rule("POST", "/exercises/start", "write:annotations", "recorded", "refused"),
    _rule("GET", "/exercises/play", "read:summary", "recorded", "refused"),
    _rule("POST", "/exercises/stop", "write:annotations", "recorded", "refused"),
    _rule("POST", "/exercises/sessions/{session_id}/undo", "write:annotations", "shown", "refused"),
    _rule("GET", "/clinic", "read:summary", "shown", "refused"),
    _rule("GET", _C, "read:summary", "path", "refused"),
    _rule("GET", f"{_C}/episodes", "read:summary", "path", "refused"),
    _rule("GET", f"{_C}/report.pdf", "read:summary", "path", "refused"),
    _rule("POST", f"{_C}/injections", "clinical", "path", "refused"),
    _rule("POST", f"{_C}/injections/{{injection_id}}/remove", "clinical", "path", "refused"),
    _rule("POST", f"{_C}/verdicts", "clinical", "path", "refused"),
    _rule("POST", f"{_C}/thresholds", "clinical", "path", "refused"),
    _rule("POST", f"{_C}/plan", "clinical", "path", "refused"),
    _rule("GET", f"{_C}/sharing", "consent", "path", "refused"),
    _rule("GET", f"{_C}/sharing/looked", "consent", "path", "refused"),
    _rule("POST", f"{_C}/sharing/stop-sharing", "consent", "path", "refused"),
    _rule("POST", f"{_C}/sharing/consent", "consent", "path", "refused"),
    _rule("GET", "/data", "read:raw", "shown", "refused"),
    _rule("POST", "/data/versions/{algo}/remove", "clinical", "shown", "refused"),
    _rule("GET", "/about", "signed-in"),
    _rule("GET", "/docs", "signed-in"),
    _rule("GET", "/docs/columns", "signed-in"),
)


@cache
def _compiled() -> tuple[tuple[Pattern[str], Rule], ...]:
    return tuple((compile_path(rule.path)[0], rule) for rule in RULES)


def find_rule(method: str, path: str) -> tuple[Rule, dict[str, str]] | None:
    """Return the rule of a request and the parts of its path, or None where nothing is declared.

    Parameters
    ----------
    method : str
        HEAD counts as GET.
    path : str
        As asked for, decoded.
    """
    wanted = "GET" if method == "HEAD" else method
    for pattern, rule in _compiled():
        if wanted in rule.methods:
            found = pattern.match(path)
            if found:
                return rule, found.groupdict()
    return None


def methods_of(path: str) -> tuple[str, ...]:
    """Return the methods declared for a path, in order."""
    found = (rule.methods for pattern, rule in _compiled() if pattern.match(path))
    return tuple(sorted({method for methods in found for method in methods}))
