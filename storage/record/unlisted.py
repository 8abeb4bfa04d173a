"""Segment files that the manifest does not name: left by a crash, or their database was lost."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from sqlite3 import Connection
from typing import Final

from storage.errors import CorruptSegmentError
from storage.record import segments
from storage.record.ranges import RangeSet
from storage.record.types import StreamInfo

_SEALING_S: Final = 1.0
"""A collector lists a file within milliseconds of publishing it."""

Held = Mapping[tuple[str, int, str], Sequence[RangeSet]]
"""Sample indices that are held, by device, boot and kind."""


def unlisted_files(connection: Connection, folder: Path) -> list[str]:
    """Return the files below ``raw/`` that the manifest does not name, beside a collector too."""
    found = {
        file.relative_to(folder).as_posix() for file in (folder / segments.RAW).glob("**/*.parquet")
    }
    missing = found - _listed(connection)
    if missing:
        time.sleep(_SEALING_S)
        missing -= _listed(connection)
    return sorted(path for path in missing if (folder / path).exists())


def key_of(info: StreamInfo) -> tuple[str, int, str]:
    """Return what names an axis of sample indices."""
    return info.device_id, info.boot, info.kind


def lost_with_manifest(folder: Path, paths: Sequence[str], held: Held) -> list[str]:
    """Say which files hold samples that nothing else does; those of a crash are in the journal.

    Parameters
    ----------
    paths : sequence of str
        From `unlisted_files`.
    """
    lost = [path for path in paths if not _is_held(folder / path, held)]
    if not lost:
        return []
    return [
        f"{len(lost)} files, such as {lost[0]}, hold samples that posture.db does not know, as if "
        "it had been emptied or were older than they: restore the folder from a backup, or let "
        "`necktrace up` take the samples over when it starts"
    ]


def _is_held(file: Path, held: Held) -> bool:
    try:
        body = file.read_bytes()
        footer, info = segments.read_footer(body), segments.parse_info(body)
        i0, i1 = int(footer["i0"]), int(footer["i1"])
    except (CorruptSegmentError, OSError, KeyError, TypeError, ValueError):
        return False
    return any(not known.missing(i0, i1) for known in held.get(key_of(info), ()))


def _listed(connection: Connection) -> set[str]:
    return {str(row[0]) for row in connection.execute("SELECT path FROM segment")}
