"""Verdicts on episodes: annotations over their time, joined by overlap.

Reprocessing makes new episodes with other borders; a verdict belongs to whichever episode of its
kind it overlaps most, so it outlives the episode it was given to.
"""

from collections.abc import Sequence
from typing import Literal

from processing.types import Episode
from storage.catalog import Catalog
from storage.notes import Annotation, add_annotation, annotations, edit_annotation

KIND = "verdict"
Wanted = Literal["confirm", "reject", "clear"]


def _overlap_ns(verdict: Annotation, episode: Episode) -> int:
    return min(verdict.end_ns, episode.end_ns) - max(verdict.start_ns, episode.start_ns)


def verdict_of(episode: Episode, verdicts: Sequence[Annotation]) -> Annotation | None:
    """Return the verdict that overlaps an episode most; the newest of equals."""
    fitting = [
        each
        for each in verdicts
        if each.kind == KIND
        and each.body.get("episode", episode.kind) == episode.kind
        and _overlap_ns(each, episode) >= 0
    ]
    return max(fitting, key=lambda v: (_overlap_ns(v, episode), v.updated_ns), default=None)


def verdicts_between(catalog: Catalog, patient: str, t0_ns: int, t1_ns: int) -> list[Annotation]:
    """Return the verdicts that touch [t0, t1)."""
    return annotations(catalog, patient, t0_ns, t1_ns, kind=KIND)


def give_verdict(
    catalog: Catalog, patient: str, episode: Episode, wanted: Wanted, actor: str
) -> None:
    """Confirm or reject an episode, or take the verdict back; its history stays."""
    held = verdicts_between(catalog, patient, episode.start_ns, episode.end_ns + 1)
    old = verdict_of(episode, held)
    accepted = wanted == "confirm"
    if old is not None and wanted == "clear":
        edit_annotation(catalog, old.id, author=actor, delete=True)
    elif old is not None:
        body = {**old.body, "accepted": accepted, "episode": episode.kind}
        edit_annotation(
            catalog, old.id, author=actor, start_ns=episode.start_ns, end_ns=episode.end_ns,
            body=body,
        )  # fmt: skip
    elif wanted != "clear":
        add_annotation(
            catalog, patient, KIND, episode.start_ns, episode.end_ns,
            body={"accepted": accepted, "episode": episode.kind}, author=actor,
        )  # fmt: skip
    catalog.audit(actor, f"verdict.{wanted}", patient, {"start_ns": episode.start_ns})
