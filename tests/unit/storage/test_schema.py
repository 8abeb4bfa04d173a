"""Folders of earlier versions: brought up to date with what they hold."""

import sqlite3
from pathlib import Path

import numpy as np

from processing.summary.types import PostureCell
from storage.database import open_database
from storage.embedded import EmbeddedStore

CELL_V2 = """CREATE TABLE cell(
    patient TEXT NOT NULL,
    algo TEXT NOT NULL,
    t_ns INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY(patient, algo, t_ns)
) WITHOUT ROWID"""

FULL_RATE_PART_V2 = """CREATE TABLE full_rate_part(
    patient TEXT NOT NULL,
    algo TEXT NOT NULL,
    t0_ns INTEGER NOT NULL,
    t1_ns INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY(patient, algo, t0_ns)
)"""


def columns(connection: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    return {
        name: [tuple(row) for row in connection.execute(f"PRAGMA table_info({name})")]
        for (name,) in tables.fetchall()
    }


def test_the_posture_map_of_version_2_is_read_as_rotation_against_lateral(tmp_path: Path) -> None:
    connection = open_database(tmp_path, create=True)
    expected = columns(connection)
    connection.execute("DROP TABLE cell")
    connection.execute(CELL_V2)
    blob = np.array([[2, -1, 30.0], [0, 0, 5.5]], dtype="<f4").tobytes()
    connection.execute("INSERT INTO cell VALUES ('p', 'a', 0, ?)", (blob,))
    connection.execute("INSERT INTO algorithm VALUES ('p', 'a', '', '', '{}', 0, 1, 1)")
    connection.execute("DROP TABLE full_rate_part")
    connection.execute(FULL_RATE_PART_V2)
    connection.execute("PRAGMA user_version=2")
    connection.close()
    store = EmbeddedStore(tmp_path)
    assert store.cells("p", [(0, 1)]) == [
        [PostureCell(0, 0.0, 0.0, 5.5), PostureCell(0, 10.0, -5.0, 30.0)]
    ]
    assert store.cells("p", [(0, 1)], plane="rf") == [[]]
    assert columns(store.book.connection) == expected
    store.close()
