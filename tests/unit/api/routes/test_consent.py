"""Consent over HTTP, and that a withdrawal stops what it is about."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

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
from tests.unit.api.conftest import fill

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


async def test_a_recording_ends_and_none_begins(tmp_path: Path) -> None:
    # Else the compiler outlives the test in its thread, where it changes warnings for all.
    compile_chain(PipelineParams(), Setup(mounted_as(PICTURED, PICTURED, "rough")))
    body = VirtualBody(BodySpec(seed=5))
    with Catalog(tmp_path) as catalog:
        catalog.save_patient(Patient("p1", "Sam", "UTC"))
        for role in ("head", "trunk"):
            device = f"v1-{body.worn[role].sensor.model.device_id.hex()}"
            catalog.save_device(Device(device, "p1", role))
        settings = load_settings(data_dir=tmp_path, port=0)
        said: list[str] = []

        def up() -> "asyncio.Task[None]":
            transport = SimulatedTransport(body)
            return asyncio.create_task(
                run_up(settings, transport, said.append, calibrate=False, browser=False)
            )

        task = up()
        await until_said(said, "Recording.", task)
        record_consent(catalog, "p1", "processing", given=False, version="1", author="owner")
        await until_said(said, "withdrawn", task)
        assert not task.done(), "the pages stay open"
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(task, 30)
        with pytest.raises(ApiError, match="withdrew"):
            await up()
