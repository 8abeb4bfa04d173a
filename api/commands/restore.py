"""`necktrace restore`: a backup becomes a data folder again."""

from pathlib import Path

import click

from api.options import data_dir_option, json_option


@click.command("restore")
@click.argument("source", type=click.Path(path_type=Path, exists=True, file_okay=False))
@data_dir_option
@json_option
def command(source: Path, data_dir: Path | None, *, as_json: bool) -> int:
    """Copy the backup in SOURCE into an empty data folder and check every segment.

    Exit code 1 where the backup lacks segments or holds damaged ones; everything else is restored.
    """
    from dataclasses import asdict

    from api.settings import load_settings
    from api.terminal import Progress, emit
    from storage.backup import restore

    folder = load_settings(data_dir=data_dir).data_dir
    with Progress(f"Restoring into {folder}") as progress:
        report = restore(
            source, folder, progress=lambda done, n: progress.update(done / n if n else 1.0)
        )
    text = f"{folder}: {report.segments} segments restored and checked."
    if report.missing:
        text += (
            f"\nERROR  {len(report.missing)} segments are missing from {source} or damaged in it, "
            f"such as {report.missing[0]}: their samples are not here. Restore another backup, or "
            "go on without them (`necktrace verify` names them all)."
        )
    emit(asdict(report), as_json=as_json, text=text)
    return 1 if report.missing else 0
