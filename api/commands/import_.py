"""`necktrace import`: take over another hub's record, or a recording in a common format."""

from datetime import datetime
from pathlib import Path
from typing import Literal

import click

from api.options import data_dir_option, json_option


@click.command("import")
@click.argument("source", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--patient",
    default=None,
    help="Whose it is; of another data folder: only this patient. Default: all, or the only one.",
)
@click.option(
    "--start",
    default=None,
    help="When a recording without dates began, such as 2026-03-01T09:00+01:00.",
)
@click.option(
    "--role",
    type=click.Choice(["head", "trunk"]),
    default=None,
    help="Where the one sensor of a table was worn, if the table does not say it.",
)
@data_dir_option
@json_option
def command(
    source: Path,
    patient: str | None,
    start: str | None,
    role: Literal["head", "trunk"] | None,
    data_dir: Path | None,
    *,
    as_json: bool,
) -> None:
    """Copy samples and entries into this data folder, each once.

    SOURCE is another data folder, a Motion-BIDS data set (a folder or a zip), or a CSV, TSV,
    Parquet or Arrow file with the documented columns (docs/reference/columns.md), such as `export
    head`, `trunk` and `bids` write. It is only read, and doing it twice changes nothing.
    """
    from api.jobs.importing import run_import
    from api.settings import load_settings
    from api.terminal import Progress, emit

    began = None if start is None else _moment(start)
    with Progress(f"Importing {source}") as progress:
        report, text = run_import(
            load_settings(data_dir=data_dir), source, patient, began, progress.update, role=role
        )
    emit(report, as_json=as_json, text=text)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is no time; give one like 2026-03-01T09:00+01:00"
        ) from None
    if moment.tzinfo is None:
        raise click.BadParameter(f"{text!r} has no offset; end it with Z or +01:00")
    return moment
