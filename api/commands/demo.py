"""`necktrace demo`: everything without hardware."""

from pathlib import Path

import click

from api.options import data_dir_option, json_option, port_option


@click.command("demo")
@click.option(
    "--duration",
    type=click.FloatRange(min=1.0),
    default=None,
    metavar="SECONDS",
    help="Stop after so many seconds of live data, once the history is made. Default: Ctrl-C.",
)
@click.option("--no-browser", is_flag=True, help="Do not open the page.")
@json_option
@port_option
@data_dir_option
def command(
    duration: float | None,
    port: int | None,
    data_dir: Path | None,
    *,
    no_browser: bool,
    as_json: bool,
) -> None:
    """Try everything without hardware: two virtual sensors and a page with live data.

    The page is up at once; 14 days of history of a simulated patient are made in the background.
    The demonstration keeps its own folder, `demo` inside the data folder, and uses it again.
    """
    import asyncio
    import json
    import time

    began_s = time.monotonic()

    from api.logs import configure_logging
    from api.settings import load_settings

    settings = load_settings(port=port, data_dir=data_dir)
    if data_dir is None:
        settings = settings.model_copy(update={"data_dir": settings.data_dir / "demo"})
    configure_logging(settings.log_level, settings.log_format, settings.log_file)

    from api.demo.run import Demo

    demo = Demo(
        settings,
        lambda line: click.echo(line, err=as_json),
        browser=not no_browser,
        began_s=began_s,
    )
    summary = asyncio.run(demo.run(duration))
    if as_json:
        click.echo(json.dumps(summary, indent=2))
    else:
        sensors = ", ".join(
            f"{role} {facts['samples']} samples" for role, facts in summary["sensors"].items()
        )
        click.echo(f"Stopped. Recorded: {sensors}. Data: {summary['data_dir']}")
