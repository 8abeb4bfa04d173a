"""The administrator's page refuses with a reason and changes nothing; the log is read in words."""

import pytest

from api.runtime import Runtime
from api.web.looked_pages import area_of, in_words
from storage.access import accounts, find_account, grants_of, set_disabled
from storage.catalog import AuditEntry
from tests.unit.api.access.conftest import LogIn, client_of, clinic, home, log_in

__all__ = ["clinic", "home", "log_in"]

PASSWORD = "a few words in a row"


@pytest.mark.parametrize(
    ("path", "form", "status", "said"),
    [
        ("", {"name": "carer", "role": "carer", "password": PASSWORD}, 409, "already"),
        ("", {"name": "new", "role": "carer", "password": "short"}, 422, "at least 10"),
        ("", {"name": "New One", "role": "carer", "password": PASSWORD}, 422, ""),
        ("/carer/password", {"password": "short"}, 422, "at least 10"),
        ("/carer/grants", {"patient": "p1", "days": "soon"}, 422, "whole number"),
        ("/carer/grants", {"patient": "p1", "days": "0"}, 422, "whole number"),
        ("/carer/grants", {"patient": "p9"}, 404, ""),
        ("/nobody/grants", {"patient": "p1"}, 404, ""),
        ("/admin/state", {"closed": "true"}, 409, "lock yourself out"),
        ("/grants/none/withdraw", {}, 404, ""),
        ("/tokens/none/revoke", {}, 404, ""),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(
    clinic: Runtime, log_in: LogIn, path: str, form: dict[str, str], status: int, said: str
) -> None:
    before = accounts(clinic.catalog)
    carer = find_account(clinic.catalog, "carer")
    assert carer is not None
    granted = grants_of(clinic.catalog, carer.id)
    answer = log_in("admin").post(
        f"/account/people{path}", data=form, headers={"accept": "text/html"}
    )
    assert answer.status_code == status
    assert said in answer.text
    assert accounts(clinic.catalog) == before
    assert grants_of(clinic.catalog, carer.id) == granted


def test_the_first_person_is_an_administrator(home: Runtime) -> None:
    client = client_of(home)
    form = {"name": "sam", "role": "patient", "password": PASSWORD}
    refused = client.post("/account/people", data=form)
    assert refused.status_code == 422
    assert "has to be an administrator" in refused.text
    assert accounts(home.catalog) == []
    assert client.post("/account/people", data=form | {"role": "admin"}).status_code == 303
    assert client.get("/account/people").status_code == 401, "from now on everybody logs in"


def test_a_closed_account_can_be_opened_again(clinic: Runtime, log_in: LogIn) -> None:
    account = find_account(clinic.catalog, "carer-alone")
    assert account is not None
    set_disabled(clinic.catalog, account, 1, actor="test")
    made = log_in("admin").post("/account/people/carer-alone/state", data={"closed": "false"})
    assert made.status_code == 303
    opened = find_account(clinic.catalog, "carer-alone")
    assert opened is not None
    assert opened.disabled_ns is None


def test_every_entry_has_words(clinic: Runtime) -> None:
    def entry(actor: str, action: str, **detail: str) -> AuditEntry:
        return AuditEntry(1, 0, actor, action, "p1", detail)

    rows = in_words(
        [
            entry("dr-lee", "export", route="/api/v1/patients/{patient_id}/raw/{role}"),
            entry("token 3f2a of dr-lee", "read", route="/api/v1/patients/{patient_id}/angles"),
            entry("dr-lee", "grant.add", user="ray"),
            entry("somebody", "invented.action"),
        ],
        {"dr-lee": "clinician"},
    )
    assert [(each.role, each.what) for each in rows] == [
        ("clinician", "Took away raw samples"),
        ("clinician", "Looked at angles"),
        ("clinician", "Let ray see it"),
        ("", "Changed something (invented.action)"),
    ]
    assert area_of("/api/v1/patients/{patient_id}") == "page"
