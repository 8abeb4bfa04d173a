"""Removing the files of deleted patients, also after a crash half-way."""

import shutil
from pathlib import Path
from sqlite3 import Connection
from typing import Final

from storage.database import transaction

ERASING: Final = "erasing"
"""Scope of the settings that name folders still to be removed."""


def finish_erasing(connection: Connection, folder: Path) -> None:
    """Remove the folders of deleted patients."""
    for (part,) in connection.execute(
        "SELECT key FROM setting WHERE scope = ?", (ERASING,)
    ).fetchall():
        for tree in (
            *folder.glob(f"raw/patient={part}"),
            *folder.glob(f"quarantine/raw/patient={part}"),
            *folder.glob(f"derived/*/angles/patient={part}"),
        ):
            shutil.rmtree(tree)
        with transaction(connection):
            connection.execute("DELETE FROM setting WHERE scope = ? AND key = ?", (ERASING, part))
