"""`necktrace outbox`: what has not reached InfluxDB."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.options import data_dir_option, json_option

if TYPE_CHECKING:
    from storage.outbox import DeadLetter

_BODY_SHOWN = 300


@click.command("outbox")
@click.argument("letters", metavar="[ID]...", nargs=-1, type=int)
@click.option(
    "--requeue", is_flag=True, help="Send again what the server refused: these, or without ID all."
)
@data_dir_option
@json_option
def command(
    data_dir: Path | None, *, letters: tuple[int, ...], requeue: bool, as_json: bool
) -> None:
    r"""Show what waits for InfluxDB, and what it refused for good.

    What waits is sent by the process that records or serves. Without InfluxDB nothing ever waits.

    \b
    Examples:
      necktrace outbox
      necktrace outbox --requeue
      necktrace outbox --requeue 12 13
    """
    from api.settings import load_settings
    from api.terminal import emit
    from storage import outbox
    from storage.database import folder_errors, open_database

    if letters and not requeue:
        raise click.UsageError("name refused entries together with --requeue")
    folder = load_settings(data_dir=data_dir).data_dir
    connection = open_database(folder)
    try:
        with folder_errors(folder):
            missing = set(letters) - {letter.id for letter in outbox.dead_letters(connection)}
            if missing:
                listed = ", ".join(map(str, sorted(missing)))
                raise click.UsageError(f"no refused entry has the number {listed}")
            again = outbox.requeue(connection, letters or None) if requeue else 0
            waiting = outbox.delivery(connection)
            refused = outbox.dead_letters(connection)
    finally:
        connection.close()
    oldest = _time(waiting.oldest_ns)
    since = f", the oldest since {oldest}" if oldest else ""
    lines = [
        f"{waiting.backlog_points} points ({waiting.backlog_bytes:,} bytes) wait{since}.",
        f"{waiting.dead_points} points were refused.",
    ]
    lines += [
        f"  {d.id}  {_time(d.refused_ns)}  {d.target}: {d.status} {d.reason}" for d in refused
    ]
    if requeue:
        lines.append(f"{again} refused entries wait again.")
    result = {
        "backlog_points": waiting.backlog_points,
        "backlog_bytes": waiting.backlog_bytes,
        "oldest_utc": oldest,
        "refused_points": waiting.dead_points,
        "refused": [_letter(letter) for letter in refused],
        "requeued": again,
    }
    emit(result, as_json=as_json, text="\n".join(lines))


def _letter(letter: "DeadLetter") -> dict[str, Any]:
    return {
        "id": letter.id,
        "patient": letter.patient,
        "target": letter.target,
        "action": letter.action,
        "points": letter.points,
        "refused_utc": _time(letter.refused_ns),
        "status": letter.status,
        "reason": letter.reason,
        "body": letter.body[:_BODY_SHOWN].decode("utf-8", "replace"),
    }


def _time(t_ns: int | None) -> str | None:
    if t_ns is None:
        return None
    return datetime.fromtimestamp(t_ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
