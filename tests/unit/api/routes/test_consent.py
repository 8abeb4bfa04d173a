"""Consent over HTTP, and that a withdrawal stops what it is about."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from api.access.principals import of_account, of_token
from api.alignments import PICTURED, mounted_as
from api.errors import ApiError
from api.hub.up import run_up
from api.jobs.reprocess import Wish, run_reprocess
from api.runtime import Runtime
from api.settings import load_settings
from ingest.sources.simulated import SimulatedTransport
from ingest.sources.virtual_body import BodySpec, VirtualBody
from ingest.warm_up import compile_chain
from processing.pipeline import PipelineParams, Setup
from storage.access import add_account, add_grant
from storage.catalog import Catalog, Device, Patient
from storage.consent import record_consent
from storage.credentials import add_token
from storage.erasure import tombstone_of
from tests.unit.api.conftest import fill

pytestmark = pytest.mark.slow

URL = "/api/v1/patients/p1/consent"


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog(tmp_path / "people") as made:
        made.save_patient(Patient("p1", "Sam", "UTC"))
        yield made


def test_said_and_shown(client: TestClient, runtime: Runtime) -> None:
    before = client.get(URL).json()
    assert {each["given"] for each in before["purposes"]} == {None}
    said = {"purpose": "research", "given": False, "version": before["wording"]}
    answer = client.post(URL, json=said)
    assert answer.status_code == 201
    after = client.get(URL).json()
    assert after == answer.json()
    (entry,) = after["history"]
    assert (entry["purpose"], entry["given"], entry["author"]) == ("research", False, "owner")
    research = next(each for each in after["purposes"] if each["purpose"] == "research")
    assert (research["given"], research["since_utc"]) == (False, entry["at_utc"])
    assert client.post(URL, json={**said, "purpose": "sale"}).status_code == 422
    assert client.get("/api/v1/patients/p9/consent").status_code == 404


def test_researchers_lose_sight_at_once(catalog: Catalog) -> None:
    person = add_account(catalog, "r", "researcher", "", actor="test")
    doctor = add_account(catalog, "d", "clinician", "", actor="test")
    for account in (person, doctor):
        add_grant(catalog, account, "p1", identified=True, expires_ns=None, actor="test")
    blind, _ = add_token(
        catalog, "t", scopes=["read:raw"], patients=["p1"], expires_ns=2**62, account=None,
        blind=True, actor="test",
    )  # fmt: skip
    for given in (True, False, True):
        record_consent(catalog, "p1", "research", given=given, version="1", author="owner")
        assert of_account(catalog, person).knows("p1") is given
        assert of_token(catalog, blind).knows("p1") is given
        assert of_account(catalog, doctor).knows("p1")


def test_nothing_is_worked_out(tmp_path: Path) -> None:
    fill(tmp_path)
    with Catalog(tmp_path) as catalog:
        record_consent(catalog, "p1", "processing", given=False, version="1", author="owner")
    settings = load_settings(data_dir=tmp_path)
    for wish in (Wish(), Wish("p1")):
        with pytest.raises(ApiError, match="withdrew"):
            run_reprocess(settings, wish, lambda *_: None)


async def until_said(said: list[str], word: str, task: "asyncio.Task[None]") -> None:
    while not any(word in line for line in said):
        assert not task.done(), said
        await asyncio.sleep(0.05)


def compiled_pair(catalog: Catalog) -> VirtualBody:
    """A person with both sensors paired."""
    # Else the compiler outlives the test in its thread, where it changes warnings for all.
    compile_chain(PipelineParams(), Setup(mounted_as(PICTURED, PICTURED, "rough")))
    body = VirtualBody(BodySpec(seed=5))
    catalog.save_patient(Patient("p1", "Sam", "UTC"))
    for role in ("head", "trunk"):
        device = f"v1-{body.worn[role].sensor.model.device_id.hex()}"
        catalog.save_device(Device(device, "p1", role))
    return body


@asynccontextmanager
async def recording(
    folder: Path, body: VirtualBody
) -> AsyncIterator[tuple[list[str], "asyncio.Task[None]"]]:
    """`necktrace up` until Ctrl-C, and what it says."""
    said: list[str] = []
    settings = load_settings(data_dir=folder, port=0)
    up = run_up(settings, SimulatedTransport(body), said.append, calibrate=False, browser=False)
    task = asyncio.create_task(up)
    try:
        await until_said(said, "Recording.", task)
        yield said, task
    finally:
        if not task.done():
            os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(task, 30)


async def test_a_recording_ends_goes_on_and_none_begins(tmp_path: Path) -> None:
    with Catalog(tmp_path) as catalog:
        body = compiled_pair(catalog)
        async with recording(tmp_path, body) as (said, task):
            record_consent(catalog, "p1", "processing", given=False, version="1", author="owner")
            await until_said(said, "withdrawn", task)
            assert not task.done(), "the pages stay open"
            said.clear()
            record_consent(catalog, "p1", "processing", given=True, version="1", author="owner")
            await until_said(said, "Recording.", task)
            said.clear()
            record_consent(catalog, "p1", "processing", given=False, version="1", author="owner")
            await until_said(said, "withdrawn", task)
        with pytest.raises(ApiError, match="withdrew"):
            async with recording(tmp_path, body):
                pass


def parquet_files(folder: Path) -> list[Path]:
    return list(folder.rglob("*.parquet"))


async def test_after_a_deletion_another_person_begins_without_a_restart(tmp_path: Path) -> None:
    with Catalog(tmp_path) as catalog:
        body = compiled_pair(catalog)
        async with recording(tmp_path, body) as (said, task):
            page = next(line for line in said if "http://" in line).split()[-1]
            async with httpx.AsyncClient(base_url=page, timeout=30) as client:
                assert (await client.post("/setup/anew")).status_code == 409
                gone = await client.delete("/api/v1/patients/p1", params={"confirm": "p1"})
                assert gone.json()["tombstone"] == tombstone_of("p1")
                await until_said(said, "To begin anew", task)
                assert catalog.patients() == []
                assert (await client.get("/api/v1/live")).status_code == 409
                shown = await client.get("/", headers={"accept": "text/html"})
                assert "/setup/anew" in shown.text
                begun = await client.post("/setup/anew")
                assert begun.headers["location"] == "/setup"
                setup = await client.get("/setup", headers={"accept": "text/html"})
                assert "/setup/scan" in setup.text, "nothing is known of the sensors"
                assert [each.label for each in catalog.patients()] == [""]
        assert parquet_files(tmp_path) == []
