"""Which samples the record holds, for the links to know what to fetch after a restart."""

from collections import defaultdict
from pathlib import Path

from ingest.ledger import SampleLedger
from storage.database import open_for_reading
from storage.record.journal import held_ranges

LAST_BOOTS = 3
"""Boots of each sensor that are looked at: older ones are long out of its memory."""


def ledger_of(folder: Path) -> SampleLedger:
    """Return the ledger of a data folder, exact to the sample.

    Raises
    ------
    NotARecordError, NewerSchemaError, ReadOnlyFolderError
    """
    ledger = SampleLedger()
    connection = open_for_reading(folder)
    try:
        lines: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for device_id, boot, line in connection.execute(
            "SELECT device_id, boot, min(line) FROM stream WHERE kind = 'imu' "
            "GROUP BY device_id, boot ORDER BY boot"
        ):
            lines[device_id].append((boot, line))
        for device_id, boots in lines.items():
            for boot, line in boots[-LAST_BOOTS:]:
                for a, b in held_ranges(connection, line, 0, 2**62):
                    ledger.add(device_id, boot, a, b - a)
                for a, b in connection.execute(
                    "SELECT i0, i1 FROM loss JOIN stream ON stream.id = loss.stream "
                    "WHERE stream.line = ?",
                    (line,),
                ):
                    ledger.give_up(device_id, boot, a, b)
    finally:
        connection.close()
    return ledger
