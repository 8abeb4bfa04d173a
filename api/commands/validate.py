"""`necktrace validate`: our numbers beside VQF's, on real and on simulated recordings."""

import json
from pathlib import Path
from typing import Any

import click


@click.command("validate")
@click.option(
    "--broad",
    type=click.Path(path_type=Path),
    help="Folder of BROAD trials, as published (*.mat) or as *.npz.",
)
@click.option(
    "--simulated",
    is_flag=True,
    help="Angles, honesty of sigma and drift on the simulated patients.",
)
@click.option(
    "--patients",
    type=click.IntRange(min=1),
    default=6,
    show_default=True,
    help="Simulated patients per sensor.",
)
@click.option(
    "--hours",
    type=click.FloatRange(min=0.0),
    default=0.0,
    show_default=True,
    help="Also a day of so many hours with a torticollis and resets at M; 8 takes minutes.",
)
@click.option(
    "--magnetic",
    type=click.FloatRange(min=0.0),
    default=0.0,
    show_default=True,
    help="Also simulated patients with magnetometers in clean and disturbed fields, so many hours.",
)
@click.option(
    "--temperature",
    is_flag=True,
    help="Also simulated patients who go out into the cold, with and without a temperature line.",
)
@click.option(
    "--sensitivity",
    is_flag=True,
    help="Also people, skin and sensors unlike the default simulated patient.",
)
@click.option("--report", type=click.Path(path_type=Path), help="Write a self-contained HTML page.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def command(
    *,
    broad: Path | None,
    simulated: bool,
    patients: int,
    hours: float,
    magnetic: float,
    temperature: bool,
    sensitivity: bool,
    report: Path | None,
    as_json: bool,
) -> None:
    """Measure accuracy: BROAD's trials against optics, simulated patients against their truth."""
    asked = (broad is not None, simulated, hours > 0.0, magnetic > 0.0, temperature, sensitivity)
    if not any(asked):
        raise click.UsageError(
            "Say what to validate on: --broad FOLDER, --simulated, --hours N, --magnetic N, "
            "--temperature, --sensitivity, or several of them."
        )
    result: dict[str, Any] = {}
    if broad is not None:
        result["broad"] = _broad(broad, quiet=as_json)
    if simulated:
        result["simulated"] = _simulated(patients, quiet=as_json)
    if hours > 0.0:
        result["day"] = _day(hours, quiet=as_json)
    if magnetic > 0.0:
        result["magnetic"] = _magnetic(patients, magnetic, quiet=as_json)
    if temperature:
        result["temperature"] = _temperature(patients, quiet=as_json)
    if sensitivity:
        result["sensitivity"] = _sensitivity(patients, quiet=as_json)
    if report is not None:
        from api.validation.report import write_report

        write_report(report, result)
        click.echo(f"Report: {report}", err=as_json)
    if as_json:
        click.echo(json.dumps(result, indent=2))


def _broad(folder: Path, *, quiet: bool) -> dict[str, Any]:
    from api.validation.broad import (
        CONDITIONS,
        as_json,
        geometric_mean_ratio,
        scores,
        vqf,
        worst_ratio,
    )
    from storage.importers.broad import broad_files, read_broad

    trials = [read_broad(path) for path in broad_files(folder)]
    if not quiet:
        click.echo(f"BROAD, {len(trials)} trials; errors in degrees, mean RMSE over trials.")
        click.echo("aligned: each method at its own best constant delay of the truth.")
        if vqf("online") is None:
            click.echo("VQF is not installed (pip install vqf): only our own numbers follow.")
        click.echo(f"{'condition':44} {'mode':8} {'method':10} {'delay':>7}  aligned (unaligned)")
    found = []
    for score in scores(trials, CONDITIONS):
        found.append(score)
        if not quiet:
            values = "  ".join(
                f"{metric} {score.aligned[metric]:.3f} ({score.unaligned[metric]:.3f})"
                for metric in score.aligned
            )
            click.echo(
                f"{score.condition:44} {score.mode:8} {score.method:10} "
                f"{score.delay_ms:4.2f} ms  {values}"
            )
    by_method = {(s.condition, s.mode, s.method): s for s in found}
    comparison = []
    for mine in (score for score in found if score.method == "necktrace"):
        yardstick = by_method.get((mine.condition, mine.mode, "VQF"))
        if yardstick is None:
            continue
        metric = next(iter(mine.aligned))
        name, worst = worst_ratio(mine, yardstick, metric)
        comparison.append(
            {
                "condition": mine.condition,
                "mode": mine.mode,
                "metric": metric,
                "geometric_mean_ratio": geometric_mean_ratio(mine, yardstick, metric),
                "worst_trial": name,
                "worst_ratio": worst,
            }
        )
    if not quiet:
        click.echo("\nour error / VQF's, per trial: geometric mean, worst trial")
        for row in comparison:
            click.echo(
                f"{row['condition']:44} {row['mode']:8} {row['metric']:12} "
                f"{row['geometric_mean_ratio']:.3f}  "
                f"{row['worst_ratio']:.2f} ({row['worst_trial']})"
            )
    return {"trials": len(trials), "scores": as_json(found), "comparison": comparison}


def _simulated(patients: int, *, quiet: bool) -> dict[str, Any]:
    from api.validation.simulated import print_table, validate_simulated

    result = validate_simulated(patients)
    if not quiet:
        print_table(result, click.echo)
    return result


def _day(hours: float, *, quiet: bool) -> list[dict[str, Any]]:
    from api.validation.day import print_hours, validate_day

    found = validate_day(hours)
    if not quiet:
        print_hours(found, click.echo)
    return found


def _magnetic(patients: int, hours: float, *, quiet: bool) -> list[dict[str, Any]]:
    from api.validation.magnetic import TABLE, validate_magnetic
    from api.validation.means import print_means

    found = validate_magnetic(patients, hours)
    if not quiet:
        print_means(TABLE, found, click.echo)
    return found


def _temperature(patients: int, *, quiet: bool) -> list[dict[str, Any]]:
    from api.validation.means import print_means
    from api.validation.temperature import TABLE, validate_temperature

    found = validate_temperature(patients)
    if not quiet:
        print_means(TABLE, found, click.echo)
    return found


def _sensitivity(patients: int, *, quiet: bool) -> list[dict[str, Any]]:
    from api.validation.means import print_means
    from api.validation.sensitivity import TABLE, validate_sensitivity

    found = validate_sensitivity(patients)
    if not quiet:
        print_means(TABLE, found, click.echo)
    return found
