"""`necktrace up`: record from real sensors and serve the pages."""

import sys
from pathlib import Path

import click

from api.options import data_dir_option, lan_option, port_option


@click.command("up")
@click.option(
    "--calibrate", is_flag=True, help="Guide through the calibration first; it takes a minute."
)
@click.option("--no-browser", is_flag=True, help="Do not open the page.")
@lan_option
@data_dir_option
@port_option
def command(
    data_dir: Path | None, port: int | None, *, calibrate: bool, no_browser: bool, lan: bool
) -> None:
    """Record from two real sensors and serve the pages on this computer.

    Sensors must be paired first: `necktrace scan`, then `necktrace pair`. Ends with Ctrl-C, or
    SIGTERM from systemd.
    """
    import asyncio

    from api.logs import configure_logging
    from api.settings import load_settings

    settings = load_settings(data_dir=data_dir, port=port)
    configure_logging(settings.log_level, settings.log_format, settings.log_file)

    from api.hub.up import run_up
    from ingest.sources.ble import BleTransport

    asyncio.run(
        run_up(
            settings,
            BleTransport(),
            click.echo,
            calibrate=calibrate,
            browser=not no_browser,
            lan=lan,
            on_terminal=sys.stdout.isatty(),
        )
    )
