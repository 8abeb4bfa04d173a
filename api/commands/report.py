"""`necktrace report`: the clinician's report as PDF."""

from datetime import date
from pathlib import Path

import click

from api.options import data_dir_option, json_option


def _day(_context: click.Context, _parameter: click.Parameter, text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no date; give one like 2026-11-23") from None


@click.command("report")
@click.option("--patient", default=None, help="Pseudonym. Default: the only patient.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to write."
)
@click.option("--from", "first", callback=_day, default=None, help="First local day of the trends.")
@click.option("--to", "last", callback=_day, default=None, help="Last local day. Default: today.")
@click.option(
    "--paper",
    type=click.Choice(["a4", "letter"]),
    default=None,
    help="Size of the page. Default: the setting `paper`, which is a4 unless set.",
)
@click.option(
    "--figure",
    type=click.Choice(["deviation", "near", "posture", "jerk", "tremor"]),
    default="deviation",
    show_default=True,
    help="What the injection cycle is judged by.",
)
@data_dir_option
@json_option
def command(
    patient: str | None,
    out: Path,
    first: date | None,
    last: date | None,
    paper: str | None,
    figure: str,
    data_dir: Path | None,
    *,
    as_json: bool,
) -> None:
    """Write the report of one patient: one or two pages, made offline.

    Works beside a running collector.
    """
    from api.clinic.reporting import write_report
    from api.settings import load_settings
    from api.terminal import emit

    settings = load_settings(data_dir=data_dir)
    written = write_report(settings, patient, out, first, last, paper, figure)
    emit({"file": str(out), "bytes": written}, as_json=as_json, text=f"{out}: written.")
