"""`necktrace import`: take over another hub's record."""

from pathlib import Path

import click

from api.options import data_dir_option, json_option


@click.command("import")
@click.argument("source", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--patient", default=None, help="Only this patient. Default: all.")
@data_dir_option
@json_option
def command(source: Path, patient: str | None, data_dir: Path | None, *, as_json: bool) -> None:
    """Copy another data folder's samples and entries into this one, each once.

    SOURCE is only read, and doing it twice changes nothing.
    """
    from dataclasses import asdict

    from api.settings import load_settings
    from api.terminal import Progress, emit
    from storage.transfer import import_record

    folder = load_settings(data_dir=data_dir).data_dir
    with Progress(f"Importing {source}") as progress:
        report = import_record(
            source,
            folder,
            patient=patient,
            progress=lambda done, n: progress.update(done / n if n else 1.0),
        )
    text = (
        f"{report.streams} streams: {report.samples:,} new samples, {report.known_samples:,} known "
        f"before; {report.entries} new entries."
    )
    emit(asdict(report), as_json=as_json, text=text)
