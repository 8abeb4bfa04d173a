"""`necktrace verify`: whether the record holds what it promised."""

from pathlib import Path

import click

from api.options import data_dir_option, json_option


@click.command("verify")
@click.option(
    "--keep-damaged", is_flag=True, help="Only report; leave damaged segments in service."
)
@data_dir_option
@json_option
def command(data_dir: Path | None, *, keep_damaged: bool, as_json: bool) -> int:
    """Check every file, range and count of the record; works beside a running collector.

    Exit code 1 where anything is wrong. Gaps are no error: those samples never reached this
    computer.
    """
    from api.settings import load_settings
    from api.terminal import Progress, emit
    from storage.record import verify

    folder = load_settings(data_dir=data_dir).data_dir
    with Progress(f"Checking {folder}"):
        report = verify(folder, quarantine_damaged=not keep_damaged)
    samples = sum(stream["samples"] for stream in report["streams"])
    missing = sum(stream["missing_samples"] for stream in report["streams"])
    lines = [
        f"{folder}: {len(report['streams'])} streams, {samples:,} samples in "
        f"{report['segments']} segments, {missing:,} samples never received."
    ]
    lines += [f"ERROR  {sentence}" for sentence in report["errors"]]
    lines.append("The record is whole." if report["ok"] else "The record is damaged.")
    emit(report, as_json=as_json, text="\n".join(lines))
    return 0 if report["ok"] else 1
