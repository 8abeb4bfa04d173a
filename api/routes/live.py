"""GET /api/v1/live: what is measured now, as Server-Sent Events."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, TypeAdapter

from api.http.problems import problem
from api.reference.dictionary import schema_model
from api.runtime import Runtime, RuntimeDep
from ingest.live import LiveFrame, SensorLive, TodayCounters
from processing.types import Episode

router = APIRouter(tags=["live"])

KEEP_ALIVE_S = 5.0
"""A comment is sent after this much silence, so that a dead connection is noticed."""
PROGRESS_EVERY_S = 1.0

EpisodeSchema = schema_model(Episode, "ProvisionalEpisode")
LiveFrameSchema = schema_model(
    LiveFrame,
    "LiveFrame",
    examples={
        "rotation_right_deg": 25.3,
        "flexion_deg": -4.1,
        "lateral_right_deg": 10.2,
        "heading_sigma_deg": 2.4,
    },
    replace={
        "head": schema_model(SensorLive, "SensorLive"),
        "trunk": schema_model(SensorLive, "SensorLive"),
        "today": schema_model(TodayCounters, "TodayCounters") | None,
        "provisional": list[EpisodeSchema],  # type: ignore[valid-type]  # made at run time
    },
)
_FRAMES = TypeAdapter(LiveFrame)


def _event(name: str, data: bytes, event_id: int | None = None) -> bytes:
    head = f"event: {name}\n" + ("" if event_id is None else f"id: {event_id}\n")
    return head.encode() + b"data: " + data + b"\n\n"


def frame_event(frame: LiveFrame) -> bytes:
    """Return one frame as a Server-Sent Event; `stale` is added for readers without a clock."""
    body = _FRAMES.dump_json(frame)
    stale = b"true" if frame.stale else b"false"
    return _event("frame", body[:-1] + b',"stale":' + stale + b"}", frame.event_id)


def view_event(name: str, view: BaseModel) -> bytes:
    """Return what is under way beside recording as a Server-Sent Event."""
    return _event(name, view.model_dump_json().encode())


def _views(runtime: Runtime) -> dict[str, BaseModel]:
    """Return what else is under way, by the name of its event."""
    found: dict[str, BaseModel] = {}
    if runtime.history.state != "none":
        found["progress"] = runtime.history
    if runtime.guide is not None:
        found["guide"] = runtime.guide.view
    if runtime.player is not None:
        found["exercise"] = runtime.player.view
    return found


def parse_last_event_id(text: str | None) -> int | None:
    """Return the id that a reconnecting browser sends; None where it is absent or not ours."""
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 18:
        return None
    return int(text)


@router.get(
    "/live",
    operation_id="streamLive",
    summary="What is measured now",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Server-Sent Events. `frame`: one LiveFrame as JSON, about 10 a second; "
            "each is complete in itself. `progress`: HistoryProgress of a demonstration; `guide` "
            "and `exercise`: the guided task and the exercise under way. All say everything anew.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    },
)
async def stream_live(
    request: Request,
    runtime: RuntimeDep,
    last_event_id: Annotated[
        str | None,
        Header(description="The last event seen; a frame that is not newer is not sent again."),
    ] = None,
) -> StreamingResponse:
    """Stream frames until the reader leaves or the collector stops.

    A slow reader loses intermediate frames, never a fact.
    """
    hub = runtime.hub
    if hub is None:
        raise problem("not-live", "This process serves stored data only; start `necktrace up`.")
    after = parse_last_event_id(last_event_id)
    pause_s = 1.0 / runtime.settings.live_rate_hz

    async def events() -> AsyncIterator[bytes]:
        shown: dict[str, BaseModel] = {}
        yield b"retry: 1000\n\n"
        with hub.subscribe(after) as subscription:
            while not subscription.closed and not runtime.stopping.is_set():
                frame = await subscription.next(timeout_s=min(PROGRESS_EVERY_S, KEEP_ALIVE_S))
                if await request.is_disconnected():
                    return
                for name, view in _views(runtime).items():
                    if shown.get(name) != view:
                        shown[name] = view
                        yield view_event(name, view)
                if frame is None:
                    yield b": still here\n\n"
                    continue
                yield frame_event(frame)
                await asyncio.sleep(pause_s)

    return StreamingResponse(events(), media_type="text/event-stream")
