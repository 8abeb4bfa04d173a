"""`necktrace process`: one recording in, angles, episodes and a summary out."""

import json
from pathlib import Path
from typing import Any, Literal

import click


@click.command("process")
@click.argument("source", metavar="INPUT", type=click.Path(path_type=Path))
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for angles.parquet, episodes.parquet and summary.json.",
)
@click.option(
    "--mode",
    type=click.Choice(["online", "offline"]),
    default="online",
    show_default=True,
    help="online: as live, causal; offline: smoothed over the whole recording.",
)
@click.option(
    "--mounting",
    type=click.Path(path_type=Path, dir_okay=False),
    help="JSON file: which axis of each sensor points anterior and which up.",
)
@click.option(
    "--neutral",
    metavar="START:END",
    help="Seconds in which the neutral pose was held, where no event says it.",
)
@click.option("--single", type=click.Choice(["head"]), help="Use a head sensor alone.")
@click.option("--rate-hz", type=float, help="Samples a second, for a table without a time column.")
@click.option("--patient", metavar="ID", help="Whose recording, where a data folder holds several.")
@click.option("--from", "begin", metavar="TIME", help="Beginning in a data folder (ISO 8601, UTC).")
@click.option("--to", "end", metavar="TIME", help="End in a data folder (ISO 8601, UTC).")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def command(
    *,
    source: Path,
    out: Path,
    mode: Literal["online", "offline"],
    mounting: Path | None,
    neutral: str | None,
    single: str | None,
    rate_hz: float | None,
    patient: str | None,
    begin: str | None,
    end: str | None,
    as_json: bool,
) -> None:
    """Turn a recording into neck angles, candidate episodes and a summary.

    INPUT is a Motion-BIDS folder, a necktrace data folder, or one CSV, TSV or Parquet file;
    docs/reference/columns.md has the columns. Of a data folder the last wear session is taken
    where nothing else is asked for.

    \b
    Examples:
      necktrace process study/sub-01 --out results
      necktrace process walk.csv --out results --mounting mounting.json --neutral 15:20
    """  # noqa: D301  click takes the backspace for "do not wrap"
    from api.jobs.batch import BatchOptions, process
    from api.terminal import Progress
    from ingest.open_record import is_record, open_record
    from storage.importers import open_recording

    options = BatchOptions(
        mode=mode,
        mounting=None if mounting is None else _read_mounting(mounting),
        neutral_s=None if neutral is None else _parse_neutral(neutral),
        head_only=single == "head",
    )
    if is_record(source):
        t0_ns = None if begin is None else _parse_utc("--from", begin)
        t1_ns = None if end is None else _parse_utc("--to", end)
        recording = open_record(source, patient, t0_ns, t1_ns)
    else:
        recording = open_recording(source, rate_hz=rate_hz)
    with Progress(f"processing {recording.name}") as line:
        result = process(
            recording,
            out,
            options,
            progress=lambda phase, done: line.update(done or None, phase if not done else ""),
        )
    if as_json:
        click.echo(json.dumps(result, indent=2, allow_nan=False))
    else:
        _print_summary(result, out)


def _read_mounting(path: Path) -> Any:
    from processing.alignment import parse_mounting

    try:
        declared = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise click.UsageError(f"--mounting: {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise click.UsageError(f"--mounting: {path} is not valid JSON: {error}") from error
    return parse_mounting(declared)


def _parse_utc(option: str, text: str) -> int:
    from datetime import UTC, datetime

    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.UsageError(f"{option} is {text!r}; write 2026-03-01T09:30:00Z") from error
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return int(aware.timestamp()) * 10**9


def _parse_neutral(text: str) -> tuple[float, float]:
    start, colon, end = text.partition(":")
    try:
        start_s, end_s = float(start), float(end)
    except ValueError:
        colon = ""
    if not colon or not 0.0 <= start_s < end_s:
        raise click.UsageError(
            f"--neutral is {text!r}; write the seconds as START:END, such as 15:20"
        )
    return start_s, end_s


def _print_summary(result: dict[str, Any], out: Path) -> None:
    alignment = result["alignment"]
    click.echo(
        f"{result['recorded_s']:.0f} s recorded, {result['worn_s']:.0f} s worn, "
        f"{result['evaluable_s']:.0f} s evaluable, {result['gated_s']:.0f} s gated"
    )
    click.echo(f"alignment: {alignment['method']}, quality {alignment['quality']}")
    for name in ("flexion_deg", "lateral_right_deg", "rotation_right_deg", "deviation_deg"):
        axis = result[name]
        if axis is None or axis["mean"] is None:
            click.echo(f"{name:20} not known")
        else:
            click.echo(
                f"{name:20} mean {axis['mean']:6.1f}  sd {axis['sd']:5.1f}  "
                f"5 % {axis['p05']:6.1f}  50 % {axis['p50']:6.1f}  95 % {axis['p95']:6.1f}"
            )
    for kind, count in result["episodes"].items():
        if count is None or count["n"] is None:
            click.echo(f"candidate {kind}: not known")
        else:
            click.echo(f"candidate {kind}: {count['n']} ({count['seconds']:.0f} s)")
    for warning in result["warnings"]:
        click.echo(f"warning: {warning}", err=True)
    click.echo(f"written to {out}: angles.parquet, episodes.parquet, summary.json")
