"""`necktrace reprocess`: results made again from the record."""

import os
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from api.options import data_dir_option, json_option

_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]


@click.command("reprocess")
@click.option("--patient", metavar="ID", help="Only this patient; without it everybody.")
@click.option(
    "--from",
    "begin",
    type=click.DateTime(_FORMATS),
    help="Only wear sessions that go on after this; a time without a zone is the patient's.",
)
@click.option(
    "--to", "end", type=click.DateTime(_FORMATS), help="Only wear sessions that begin before this."
)
@click.option(
    "--algorithm-params",
    "params",
    type=click.Path(path_type=Path, dir_okay=False),
    help="JSON file with the parameters that shall differ from the defaults.",
)
@click.option(
    "--keep-current",
    is_flag=True,
    help="A trial: the new results stand beside the current ones, which stay what is shown.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    default=None,
    help="Processes that work at once; without it one per processor core.",
)
@click.option(
    "--scheduler",
    metavar="tcp://HOST:PORT",
    help="Let a Dask cluster do it, whose workers see the data folder under the same path.",
)
@click.option(
    "--remove", "version", metavar="VERSION", help="Delete a version that is not current instead."
)
@data_dir_option
@json_option
def command(
    data_dir: Path | None,
    *,
    patient: str | None,
    begin: datetime | None,
    end: datetime | None,
    params: Path | None,
    workers: int | None,
    scheduler: str | None,
    version: str | None,
    keep_current: bool,
    as_json: bool,
) -> None:
    """Make results again from the record, with this version of the algorithm.

    The results so far are shown until the new ones are complete, and stay until they are removed.
    Works beside a running collector. Stopped at any moment, the same command goes on where it was.

    \b
    Examples:
      necktrace reprocess
      necktrace reprocess --patient p1 --from 2026-03-01 --to 2026-04-01
      necktrace reprocess --algorithm-params stricter.json --workers 4
    """  # noqa: D301  click takes the backspace for "do not wrap"
    from api.jobs.reprocess import Wish, remove_version, run_reprocess
    from api.settings import load_settings
    from api.terminal import Progress, emit

    settings = load_settings(data_dir=data_dir)
    if version is not None:
        removed = remove_version(settings, patient, version)
        text = f"Version {version} is removed ({', '.join(removed['patients'])})."
        emit(removed, as_json=as_json, text=text)
        return
    wish = Wish(
        patient, begin, end, params, workers or os.cpu_count() or 1, scheduler, keep_current
    )
    with Progress("Making results again") as line:
        reports = run_reprocess(settings, wish, line.update)
    emit(
        {"patients": reports},
        as_json=as_json,
        text="\n".join(_sentence(report, trial=keep_current) for report in reports),
    )


def _sentence(report: dict[str, Any], *, trial: bool) -> str:
    sessions = report["sessions"] + report["resumed"] + report["copied"]
    text = (
        f"{report['patient']}: {sessions} wear sessions ({report['resumed']} done before, "
        f"{report['copied']} taken over), {report['days']} days, {report['samples']:,} samples "
        f"in {report['seconds']:.1f} s. Version {report['version']} is now "
        + ("there beside the current one." if trial else "the current one.")
    )
    if report["restart"]:
        text += " Start the program that records anew, so that it goes on with these parameters."
    old = report["replaces"]
    return text + (f" {old} stays until `necktrace reprocess --remove {old}`." if old else "")
