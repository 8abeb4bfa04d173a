"""`necktrace outbox`: what has not reached InfluxDB."""

from pathlib import Path

import click

from api.options import data_dir_option, json_option


@click.command("outbox")
@click.option("--retry", is_flag=True, help="Queue again what the server refused.")
@data_dir_option
@json_option
def command(data_dir: Path | None, *, retry: bool, as_json: bool) -> None:
    """Show what waits for InfluxDB, and what it refused for good.

    Without InfluxDB nothing ever waits.
    """
    from api.settings import load_settings
    from api.terminal import emit
    from storage.database import folder_errors, open_database
    from storage.outbox import dead_letters, delivery, requeue

    folder = load_settings(data_dir=data_dir).data_dir
    connection = open_database(folder)
    try:
        with folder_errors(folder):
            again = requeue(connection) if retry else 0
            waiting = delivery(connection)
            refused = dead_letters(connection)
    finally:
        connection.close()
    lines = [f"{waiting.backlog_points} points wait, {waiting.dead_points} were refused."]
    lines += [f"  {letter.target}: {letter.status} {letter.reason}" for letter in refused]
    if retry:
        lines.append(f"{again} refused entries are queued again.")
    emit(
        {
            "backlog_points": waiting.backlog_points,
            "backlog_bytes": waiting.backlog_bytes,
            "refused_points": waiting.dead_points,
            "refused": [
                {"id": d.id, "target": d.target, "status": d.status, "reason": d.reason}
                for d in refused
            ],
            "queued_again": again,
        },
        as_json=as_json,
        text="\n".join(lines),
    )
