"""Requests made from the description itself: no fault of the program, no undocumented answer."""

from collections import Counter
from typing import Any

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.core.result import Ok

from api.access.rights import ROLES
from api.http.app import describe_api
from api.runtime import Runtime
from storage.access import account_named
from tests.unit.api.access.conftest import ORIGIN, client_of, cookie_for, set_up

pytestmark = pytest.mark.slow

Operation = schemathesis.APIOperation[Any, Any, Any, Any]
SCHEMA = schemathesis.openapi.from_dict(describe_api())
OPERATIONS: list[Operation] = sorted(
    (found.ok() for found in SCHEMA.get_all_operations() if isinstance(found, Ok)),
    key=lambda operation: operation.method == "delete",
)
"""All of them: the live stream too, which ends at once (409) where nothing is recorded. What
deletes comes last, so that the patient is still there for the others."""
MOSTLY_REAL = 30
"""Answers of 200 that the carer, who may do least, surely gets (38); without the patient: 4."""


def test_every_operation_can_be_tried() -> None:
    described = sum(len(operations) for operations in describe_api()["paths"].values())
    assert len(OPERATIONS) == described


@pytest.mark.parametrize("role", ROLES)
def test_every_operation_as_each_role(
    home: Runtime, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(home.catalog)
    # A trial is a process that would outlive the test and its folder.
    monkeypatch.setattr("api.jobs.rerun.begin", lambda _command, _lock: None)
    client = client_of(home)
    client.headers.update(cookie_for(home.catalog, account_named(home.catalog, role)) | ORIGIN)
    patient_id = client.get("/api/v1/patients").json()["items"][0]["id"]
    seen: Counter[int] = Counter()
    for operation in OPERATIONS:
        run(client, operation, patient_id, seen)
    assert seen[200] >= MOSTLY_REAL, f"too few were answered with what they are for: {seen}"


def run(client: TestClient, operation: Operation, patient_id: str, seen: Counter[int]) -> None:
    """Try an operation a few times, with a patient who exists and with any."""

    @seed(7)
    @settings(
        max_examples=4,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), own=st.booleans())
    def once(case: schemathesis.Case[Operation], own: bool) -> None:
        if own and "patient_id" in case.path_parameters:
            case.path_parameters["patient_id"] = patient_id
        sent = case.as_transport_kwargs(base_url="http://127.0.0.1:8765")
        sent = {k: sent[k] for k in ("method", "url", "params", "json", "data") if sent.get(k)}
        headers = {k: v for k, v in case.headers.items() if k.lower() != "authorization"}
        answer = client.request(**sent, headers=headers)
        seen[answer.status_code] += 1
        where = f"{answer.status_code} {operation.method} {operation.path}: {answer.text[:300]}"
        assert answer.status_code < 500, where
        documented = operation.definition.raw["responses"]
        assert str(answer.status_code) in documented, where

    once()
