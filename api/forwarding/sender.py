"""One exchange of a home with its clinic: entries, segments, then what the clinic wrote.

Everything acknowledged is remembered after the answer, never before: a link that is cut or a
process that is killed means that something is sent again, and the clinic takes a repeat for one.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args
from urllib.parse import quote

from api.errors import ForwardError
from api.forwarding.link import Link, NotOursError, OutOfStepError, UnacceptableError, parsed
from api.forwarding.wire import CHUNK_BYTES, CatalogueOut, FromClinic, KindName, SegmentOut
from api.thresholds import ask_for, detectors_differ, thresholds_of
from storage.catalog import Catalog
from storage.consent import is_withdrawn
from storage.exchange import entries, key_of, scope_of, take_from_clinic
from storage.forwarding import Parcel, mark_sent, unsent

Progress = Callable[[int, int], None]
"""Told (segments sent, segments known to wait)."""

_BATCH: Final = 100
_OUT_OF_STEP_TRIES: Final = 5
"""How often a segment is taken up anew where the clinic holds another part than was thought."""


@dataclass(slots=True)
class Exchange:
    """What one exchange did."""

    patient: str
    segments: int = 0
    bytes: int = 0
    samples_new: int = 0
    """Samples that the clinic did not have."""
    entries: int = 0
    """Entries that were new to the clinic."""
    fetched: int = 0
    """Entries of the clinic that were new here."""
    skipped: tuple[str, ...] = ()
    """Segments that could not be sent, with the reason."""
    refused: str = ""
    """Why the clinic takes nothing of this patient."""


def exchange(
    link: Link,
    catalog: Catalog,
    patient: str,
    *,
    clinic_id: str | None = None,
    chunk_bytes: int = CHUNK_BYTES,
    on_progress: Progress | None = None,
) -> Exchange:
    """Send what the clinic does not have of a patient, and fetch what it wrote.

    Parameters
    ----------
    link : Link
    catalog : Catalog
        Of the folder to send from; a collector may record into it meanwhile.
    patient : str
    clinic_id : str, optional
        What the patient is called in the clinic, where that differs.
    chunk_bytes : int
        Most of a segment per request. Small: less is sent again on a bad link; large: fewer
        requests.
    on_progress : callable, optional

    Raises
    ------
    ForwardError
        The clinic cannot be reached or cannot take it now. What was acknowledged stays so.
    """
    done = Exchange(patient)
    whose = _Whose(patient, clinic_id or patient)
    withdrawn = is_withdrawn(catalog, patient, "sharing", "processing")
    try:
        if withdrawn:
            # The clinic learns that it ended, and nothing more.
            done.entries += _send_entries(link, catalog, whose, "consent")
            done.refused = "sharing was withdrawn; the clinic was told, and nothing else was sent"
            return done
        for kind in get_args(KindName):
            done.entries += _send_entries(link, catalog, whose, kind)
        _send_segments(link, catalog.folder, whose, done, chunk_bytes, on_progress)
        done.fetched = _fetch(link, catalog, whose)
    except NotOursError as refused:
        done.refused = str(refused)
    except OutOfStepError as error:
        raise ForwardError(str(error)) from None
    return done


@dataclass(frozen=True, slots=True)
class _Whose:
    here: str
    there: str

    def memory(self, link: Link, kind: str) -> str:
        """Return the key under which is remembered what this clinic has acknowledged."""
        clinic = hashlib.sha256(f"{link.url} {self.there}".encode()).hexdigest()[:12]
        return f"forwarded/{clinic}/{kind}"


def _send_entries(link: Link, catalog: Catalog, whose: _Whose, kind: str) -> int:
    patient, memory = whose.here, whose.memory(link, kind)
    known: dict[str, str] = catalog.setting(scope_of(patient), memory) or {}
    here = {json.dumps(key_of(kind, entry)): entry for entry in entries(catalog, patient, kind)}
    digests = {key: _digest(entry) for key, entry in here.items()}
    fresh = {key: here[key] for key, digest in digests.items() if known.get(key) != digest}
    gone = [key for key in known if key not in here]
    changed = 0
    for items, removed in _batches(fresh, gone):
        body = {
            "patient_id": whose.there,
            "items": [fresh[key] for key in items],
            "removed": [json.loads(key) for key in removed],
        }
        answer = link.request("PUT", f"/catalogue/{kind}", json=body)
        changed += parsed(CatalogueOut, answer).changed
        known |= {key: digests[key] for key in items}
        known = {key: digest for key, digest in known.items() if key not in removed}
        catalog.set_setting(scope_of(patient), memory, known)
    return changed


def _digest(entry: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()[:16]


def _batches(
    fresh: Mapping[str, Mapping[str, Any]], gone: list[str]
) -> Iterator[tuple[list[str], list[str]]]:
    """Yield keys of entries that fit one request; those taken back go first."""
    for start in range(0, len(gone), 1000):
        yield [], gone[start : start + 1000]
    batch: list[str] = []
    size = 0
    for key, entry in fresh.items():
        cost = len(json.dumps(entry)) + 2
        if batch and (size + cost > CHUNK_BYTES or len(batch) == 1000):
            yield batch, []
            batch, size = [], 0
        batch.append(key)
        size += cost
    if batch:
        yield batch, []


def _send_segments(
    link: Link,
    folder: Path,
    whose: _Whose,
    done: Exchange,
    chunk_bytes: int,
    on_progress: Progress | None,
) -> None:
    skipped: dict[str, str] = {}
    while True:
        found = unsent(folder, limit=_BATCH + len(skipped), patient=whose.here)
        waiting = [parcel for parcel in found if parcel.sha256 not in skipped]
        if not waiting:
            break
        for parcel in waiting:
            body = _read(parcel)
            if isinstance(body, str):
                skipped[parcel.sha256] = f"{parcel.path.name}: {body}"
                continue
            try:
                answer = _send_segment(link, parcel, body, whose, chunk_bytes)
            except UnacceptableError as error:
                skipped[parcel.sha256] = f"{parcel.path.name}: {error}"
                continue
            mark_sent(folder, [parcel.sha256])
            done.segments += 1
            done.bytes += len(body)
            done.samples_new += answer.samples_new
            if on_progress is not None:
                on_progress(done.segments, done.segments + len(waiting))
    done.skipped = tuple(skipped.values())


def _read(parcel: Parcel) -> bytes | str:
    """Return a segment's bytes, or why it cannot be sent."""
    try:
        body = parcel.path.read_bytes()
    except OSError as error:
        return f"{error.strerror}; run `necktrace verify`"
    if hashlib.sha256(body).hexdigest() != parcel.sha256:
        return "damaged; run `necktrace verify`, and restore it from a backup"
    return body


def _send_segment(
    link: Link, parcel: Parcel, body: bytes, whose: _Whose, chunk_bytes: int
) -> SegmentOut:
    path = f"/segments/{parcel.sha256}"
    named = {"patient_id": whose.there}
    for _ in range(_OUT_OF_STEP_TRIES):
        answer = link.request("GET", path, params=named)
        # Whole there and not stored: the last byte again makes the clinic store it.
        offset = min(parsed(SegmentOut, answer).offset, len(body) - 1)
        try:
            while offset < len(body):
                piece = body[offset : offset + chunk_bytes]
                span = f"bytes {offset}-{offset + len(piece) - 1}/{len(body)}"
                answer = link.request(
                    "PUT",
                    path,
                    params=named | {"home_id": whose.here},
                    content=piece,
                    headers={"Content-Range": span},
                )
                taken = parsed(SegmentOut, answer)
                if taken.complete:
                    return taken
                offset = taken.offset
        except OutOfStepError:
            continue
    raise ForwardError(
        f"the clinic did not take {parcel.path.name} in {_OUT_OF_STEP_TRIES} tries; the next "
        "exchange tries again"
    )


def _fetch(link: Link, catalog: Catalog, whose: _Whose) -> int:
    """Take over what the clinic wrote; return how many entries changed."""
    patient, memory = whose.here, whose.memory(link, "etag")
    etag = catalog.setting(scope_of(patient), memory)
    headers = {} if etag is None else {"If-None-Match": etag}
    changed = 0
    after = ""
    while True:
        path = f"/patients/{quote(whose.there, safe='')}"
        answer = link.request("GET", path, params={"after": after}, headers=headers)
        if answer.status_code == 304:
            return changed
        page = parsed(FromClinic, answer)
        settings = {"plan": page.plan, "thresholds": page.thresholds}
        verdicts = [verdict.model_dump() for verdict in page.verdicts]
        before = thresholds_of(catalog, patient)
        changed += take_from_clinic(catalog, patient, settings, verdicts)
        if detectors_differ(before, thresholds_of(catalog, patient)):
            ask_for(catalog, patient)
        if page.next is None:
            catalog.set_setting(scope_of(patient), memory, answer.headers.get("etag"))
            return changed
        after, headers = page.next, {}
