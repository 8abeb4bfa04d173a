"""Every `curl` line of the reference page, run as it stands against a server on a socket."""

import asyncio
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.access.principals import LOGIN_LIFETIME_NS
from api.access.rules import find_rule
from api.http.app import describe_api
from api.http.server import bind, serving
from api.jobs import rerun
from api.runtime import Runtime
from ingest.live import LiveHub
from storage.access import account_named, add_grant
from storage.credentials import add_token, start_login
from storage.notes import (
    ExerciseSession,
    Treatment,
    add_annotation,
    save_exercise,
    save_treatment,
)
from tests.unit.api.access.conftest import runtime_on, set_up, until
from tests.unit.api.conftest import T0_NS, fill

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "http.md"
BASE = "http://127.0.0.1:8765"
OPERATION = re.compile(r"^### ([A-Z]+) (\S+)$\n(.*?)(?=^##)", re.M | re.S)
ID = "3f2a"
"""What the page calls anything that has a random id."""
WHO = {"admin": "admin", "account": "admin", "clinical": "clinician", "consent": "patient"}
LAST = ("DELETE /api/v1/patients/{patient_id}/grants", "DELETE /api/v1/patients/{patient_id}")


def lines() -> dict[str, str]:
    """Return operation to its line, in an order in which nothing is missed before it goes."""
    text = PAGE.read_text(encoding="utf-8")
    found = {}
    for method, path, body in OPERATION.findall(text):
        shown = re.findall(r"^```sh\n(.*?)\n```$", body, re.M | re.S)
        assert len(shown) == 1, f"{method} {path} has no line"
        found[f"{method} {path}"] = shown[0]
    first = {"POST /api/v1/users": found["POST /api/v1/users"]}
    last = {each: found[each] for each in LAST}
    return first | {k: v for k, v in found.items() if k not in {*first, *last}} | last


def test_every_operation_has_a_line() -> None:
    described = {
        f"{method.upper()} {path}"
        for path, methods in describe_api()["paths"].items()
        for method in methods
    }
    assert set(lines()) == described
    assert len(described) > 45


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    """A folder with something of everything, and somebody of every role."""
    fill(tmp_path / "record")
    for made in runtime_on(tmp_path / "record", port=0):
        catalog = made.catalog
        set_up(catalog)
        add_annotation(catalog, "p1", "note", T0_NS, T0_NS, body={}, author="x", annotation_id=ID)
        save_treatment(catalog, Treatment(ID, "p1", "injection", T0_NS, {"product": "x"}))
        save_exercise(catalog, ExerciseSession(ID, "p1", "turn_left", T0_NS, T0_NS + 1))
        carer = account_named(catalog, "carer")
        add_token(
            catalog, "x", scopes=["read:raw"], patients=(), expires_ns=until(),
            account=None, blind=False, actor="test",
        )  # fmt: skip
        catalog.change("UPDATE token SET id = :id", {"id": ID})
        add_grant(catalog, carer, "p1", identified=False, expires_ns=None, actor="test")
        made.results.book.register("p1", "2-9a1f.2")
        catalog.audit("patient", "version.trial", "p1", {"algo": "2-9a1f.2"})
        made.hub = LiveHub(1)
        # a trial for an hour is what the test of trials is for
        monkeypatch.setattr(rerun, "begin", lambda _command, _lock: None)
        yield made


async def test_every_line_works(runtime: Runtime, tmp_path: Path) -> None:
    curl = shutil.which("curl")
    assert curl, "curl is needed: apt-get install curl"
    catalog = runtime.catalog
    _, forward = add_token(
        catalog, "hub", scopes=["forward"], patients=["p1"], expires_ns=until(),
        account=None, blind=False, actor="test",
    )  # fmt: skip
    (tmp_path / "segment.part").write_bytes(bytes(262_144))
    failed: list[str] = []
    async with serving(runtime, bind(runtime.settings)):
        here = f"http://127.0.0.1:{runtime.port}"
        for operation, line in lines().items():
            method, path = operation.split(" ")
            if path.endswith("/grants/{grant_id}"):
                give_id_to_a_grant(runtime)
            rule = find_rule(method, path)
            assert rule is not None
            home = tmp_path / "home"
            home.mkdir(exist_ok=True)
            name = WHO.get(rule[0].need, "patient")
            login = start_login(catalog, account_named(catalog, name).id, LOGIN_LIFETIME_NS)
            cookie = "" if rule[0].need == "forward" else f"necktrace-{runtime.port}={login}"
            (home / ".curlrc").write_text(
                f'cookie = "{cookie}"\nheader = "Origin: {here}"\nmax-time = 2\n'
                f'output = "{tmp_path / "out"}"\nno-progress-meter\nwrite-out = "%{{http_code}}"\n'
            )
            process = await asyncio.create_subprocess_exec(
                "sh", "-c", line.replace(BASE, here), cwd=tmp_path,
                env={**os.environ, "CURL_HOME": str(home), "NECKTRACE_TOKEN": forward},
                stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            status, _ = await process.communicate()
            said = (tmp_path / "out").read_bytes()[:300]
            if status[:1] != b"2":
                failed.append(f"{line}\n{status.decode()} {said!r}")
    assert not failed, "\n".join(failed)


def give_id_to_a_grant(runtime: Runtime) -> None:
    """Call the carer's grant what the page calls it."""
    carer = account_named(runtime.catalog, "carer").id
    runtime.catalog.change(
        "UPDATE patient_grant SET id = :id WHERE account = :carer AND withdrawn_ns IS NULL",
        {"id": ID, "carer": carer},
    )
