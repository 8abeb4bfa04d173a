"""What the pages and routes draw on, put together once per process."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import Depends, Request
from pydantic import BaseModel, Field

from api.hub.lan import Lan
from api.settings import Settings
from ingest.live import LiveHub
from storage.catalog import Catalog
from storage.record.reader import RecordReader
from storage.results import ResultStore

if TYPE_CHECKING:  # the guide draws the collector in, which a process that only serves does without
    from api.exercises.player import Player
    from api.guided.guide import Guide
    from api.guided.pairing import PairingDesk

Mode = Literal["demo", "up", "serve"]


class HistoryProgress(BaseModel):
    """How far the demonstration's history is."""

    state: Literal["none", "compiling", "running", "done", "failed"] = Field(
        default="none",
        description="`compiling`: the numeric kernels, on the first start of a version only.",
    )
    days_done: int = Field(default=0, description="Days ready to be looked at.")
    days: int = Field(default=0, description="Days there will be.")
    fraction: float = Field(default=0.0, description="0..1, of compiling or of the making.")
    elapsed_s: float = Field(default=0.0, description="Seconds since the making began.")
    reason: str | None = Field(default=None, description="Why it failed, in a sentence.")


@dataclass(slots=True)
class Runtime:
    """One process's parts; those it does not have are None."""

    settings: Settings
    mode: Mode
    record: RecordReader
    results: ResultStore
    catalog: Catalog
    hub: LiveHub | None = None
    """Where live frames come from; None where nothing is recorded here."""
    guide: "Guide | None" = None
    """Guides through calibration and poses; None where nothing is recorded here."""
    player: "Player | None" = None
    """Plays exercises; None where nothing is recorded here."""
    desk: "PairingDesk | None" = None
    """Pairs sensors before recording begins; None where they are paired."""
    pair_again: asyncio.Event | None = None
    """Set to end recording so that other sensors can be paired; None where nothing is recorded."""
    anew: asyncio.Event | None = None
    """Set to record another person in the place of one who was deleted; None where nobody was."""
    history: HistoryProgress = field(default_factory=HistoryProgress)
    port: int = 0
    """Port that is served on, as bound."""
    lan: Lan | None = None
    """How other devices in the house come in; None where they do not."""
    openapi: Callable[[], dict[str, Any]] = dict
    """Returns the API's own description; set by the application."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the server goes down, so that endless answers end."""


def _runtime(request: Request) -> Runtime:
    runtime = request.app.state.runtime
    assert isinstance(runtime, Runtime)
    return runtime


RuntimeDep = Annotated[Runtime, Depends(_runtime)]
