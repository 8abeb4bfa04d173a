"""GET episodes: candidate episodes, newest first."""

import math
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.http.cursors import decode_cursor, encode_cursor
from api.queries import Range, episodes_newest_first
from api.routes.parameters import Cursor, PatientDep, RangeDep, VersionDep
from api.runtime import RuntimeDep
from api.web.texts import iso
from processing.types import Episode

router = APIRouter(tags=["results"])


class EpisodeOut(BaseModel):
    """A candidate episode; not a confirmed spasm."""

    kind: Literal["jerk", "posture", "tremor"]
    label: str = Field(examples=["dystonic"])
    start_utc: str = Field(examples=["2026-11-23T08:15:02.410Z"])
    end_utc: str
    peak_utc: str
    duration_s: float = Field(examples=[21.4])
    amplitude_deg: float = Field(description="Size, degrees.", examples=[31.0])
    confidence: float = Field(description="0..1.", examples=[0.8])
    detector: str = Field(description="Detector and its version.")
    features: dict[str, float | None] = Field(description="Names carry their units.")


class EpisodePageOut(BaseModel):
    """A page of candidate episodes, newest first."""

    patient_id: str
    algo: str | None
    zone: str
    items: list[EpisodeOut]
    next: str | None = Field(description="Cursor of the next page; null at the end.")


def episode_out(episode: Episode) -> EpisodeOut:
    """Return an episode as the API gives it out."""
    return EpisodeOut(
        kind=episode.kind,
        label=episode.label,
        start_utc=iso(episode.start_ns),
        end_utc=iso(episode.end_ns),
        peak_utc=iso(episode.peak_ns),
        duration_s=(episode.end_ns - episode.start_ns) / 1e9,
        amplitude_deg=episode.amplitude_deg,
        confidence=episode.confidence,
        detector=episode.detector,
        features={name: _finite(value) for name, value in episode.features.items()},
    )


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


@router.get(
    "/patients/{patient_id}/episodes",
    operation_id="listEpisodes",
    summary="Candidate episodes, newest first",
)
def list_episodes(
    runtime: RuntimeDep,
    patient: PatientDep,
    span: RangeDep,
    algo: VersionDep,
    kind: Annotated[
        Literal["jerk", "posture", "tremor"] | None, Query(description="Only this kind.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="Most episodes per page.")] = 100,
    cursor: Cursor = None,
) -> EpisodePageOut:
    """Return the candidate episodes that start in the range."""
    scope = f"episodes {patient.id} {span.t0_ns} {span.t1_ns} {kind} {algo}"
    if cursor is not None:
        before = decode_cursor(scope, cursor)
        span = Range(span.t0_ns, max(span.t0_ns, min(span.t1_ns, before)))
    page = episodes_newest_first(runtime, patient, span, kind=kind, limit=limit, algo=algo)
    following = page.next_position
    return EpisodePageOut(
        patient_id=patient.id,
        algo=algo or runtime.results.book.current(patient.id),
        zone=patient.zone,
        items=[episode_out(episode) for episode in page.episodes],
        next=None if following is None else encode_cursor(scope, following),
    )
