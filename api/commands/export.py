"""`necktrace export`: results or record as files."""

from datetime import datetime
from pathlib import Path

import click

from api.options import data_dir_option, json_option

_FORMATS = {".csv": "csv", ".arrow": "arrow", ".arrows": "arrow"}


@click.command("export")
@click.argument(
    "what",
    type=click.Choice(
        [
            *("angles", "angles_100hz", "minutes", "days", "episodes"),
            *("head", "trunk", "bids", "everything"),
        ]
    ),
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to write."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["parquet", "arrow", "csv"]),
    default=None,
    help="Of tables; without it as the file's name ends, else Parquet. `bids` and `everything` are "
    "zip archives.",
)
@click.option("--patient", default=None, help="Pseudonym. Default: the only patient.")
@click.option("--from", "start", default=None, help="First instant, such as 2026-11-23T08:00Z.")
@click.option("--to", "end", default=None, help="End, not included.")
@data_dir_option
@json_option
def command(
    what: str,
    form: str | None,
    out: Path,
    patient: str | None,
    start: str | None,
    end: str | None,
    data_dir: Path | None,
    *,
    as_json: bool,
) -> None:
    """Write results (angles at 1 or 100 Hz, minutes, days, episodes) or the record into a file.

    `head` and `trunk` are the raw samples of a sensor with their times, in m/s² and rad/s.
    Works beside a running collector.
    """
    from api.exports.files import write_export
    from api.settings import load_settings
    from api.terminal import Progress, emit

    settings = load_settings(data_dir=data_dir)
    chosen = form or _FORMATS.get(out.suffix.lower(), "parquet")
    with Progress(f"Writing {out}"):
        written = write_export(settings, what, chosen, out, patient, _time(start), _time(end))
    for segment in written.missing:
        click.echo(
            f"Not in it: {segment.samples} samples of {segment.path}, which is damaged "
            f"({segment.reason}). Restore it from a backup; `necktrace verify` names all.",
            err=True,
        )
    emit(
        {
            "file": str(out),
            "bytes": written.size,
            "damaged": [
                {"path": s.path, "samples": s.samples, "reason": s.reason} for s in written.missing
            ],
        },
        as_json=as_json,
        text=f"{out}: {written.size / 1e6:.1f} MB.",
    )


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no time; give one like 2026-11-23T08:00Z") from None
    if moment.tzinfo is None:
        raise click.BadParameter(f"{text!r} has no offset; end it with Z or +01:00")
    return moment
