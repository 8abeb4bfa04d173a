"""`necktrace forward`: the record and the notes of a home, to its clinic."""

from pathlib import Path

import click

from api.options import data_dir_option, json_option


@click.command("forward")
@click.option(
    "--to", "url", required=True, metavar="URL", help="Address of the clinic's necktrace."
)
@click.option(
    "--token-file",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="File that holds the token that the clinic made for this home.",
)
@click.option(
    "--patient", "patients", multiple=True, metavar="ID", help="Only this one; may be repeated."
)
@click.option("--as", "clinic_id", metavar="ID", help="What the clinic calls that one patient.")
@click.option("--once", is_flag=True, help="One exchange; without it one every few minutes.")
@click.option(
    "--every",
    "every_s",
    type=click.FloatRange(min=1.0),
    default=300.0,
    show_default=True,
    help="Seconds between exchanges.",
)
@click.option(
    "--ca-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Certificates to trust instead of the system's.",
)
@data_dir_option
@json_option
def command(
    data_dir: Path | None,
    *,
    url: str,
    token_file: Path,
    patients: tuple[str, ...],
    clinic_id: str | None,
    once: bool,
    every_s: float,
    ca_file: Path | None,
    as_json: bool,
) -> int:
    r"""Send the record and the notes to a clinic, and fetch what it wrote.

    Works beside a running collector. Stopped or cut off at any moment, it goes on where it was;
    without --once it tries again by itself. Exit code 1 where something could not be sent.

    \b
    Example:
      necktrace forward --to https://clinic.example --token-file clinic.token
    """
    from api.forwarding.exchanges import Wish, forward_forever, forward_once
    from api.logs import configure_logging
    from api.settings import load_settings
    from api.terminal import Progress, emit

    settings = load_settings(data_dir=data_dir)
    configure_logging(settings.log_level, settings.log_format, settings.log_file)
    wish = Wish(settings.data_dir, url, token_file, patients, ca_file, clinic_id)
    if once:
        with Progress("Sending to the clinic") as line:
            report = forward_once(wish, line.update)
        emit(report.as_dict(), as_json=as_json, text=report.text())
        return 0 if report.ok else 1
    for report in forward_forever(wish, every_s):
        if report.did_something or not report.ok:
            emit(report.as_dict(), as_json=as_json, text=report.text())
    return 0
