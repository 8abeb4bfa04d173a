"""`necktrace backup`: copy the data folder, also while it records."""

from pathlib import Path

import click

from api.options import data_dir_option, json_option


@click.command("backup")
@click.argument("target", type=click.Path(path_type=Path, file_okay=False))
@data_dir_option
@json_option
def command(target: Path, data_dir: Path | None, *, as_json: bool) -> int:
    """Copy the data folder to TARGET; a second backup there copies only what is new.

    Works beside a running collector. Exit code 1 where a segment could not be copied.
    """
    from dataclasses import asdict

    from api.settings import load_settings
    from api.terminal import Progress, emit
    from storage.backup import backup

    folder = load_settings(data_dir=data_dir).data_dir
    with Progress(f"Copying {folder}") as progress:
        report = backup(
            folder, target, progress=lambda done, n: progress.update(done / n if n else 1.0)
        )
    text = (
        f"{report.folder}: {report.segments} segments, {report.bytes / 1e6:.1f} MB, "
        f"{report.copied_files} files copied now."
    )
    if report.missing:
        text += f" {len(report.missing)} segments could not be copied; run `necktrace verify`."
    emit(asdict(report), as_json=as_json, text=text)
    return 1 if report.missing else 0
