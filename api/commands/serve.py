"""`necktrace serve`: pages and API on a data folder, without recording."""

import sys
from pathlib import Path

import click

from api.options import data_dir_option, lan_option, port_option


@click.command("serve")
@lan_option
@data_dir_option
@port_option
def command(data_dir: Path | None, port: int | None, *, lan: bool) -> None:
    """Serve the pages and the API on a data folder, without recording.

    Works beside a collector that records into the same folder. Ends with Ctrl-C.
    """
    import asyncio

    from api.logs import configure_logging
    from api.serve import serve_folder
    from api.settings import load_settings

    settings = load_settings(data_dir=data_dir, port=port)
    configure_logging(settings.log_level, settings.log_format, settings.log_file)
    asyncio.run(serve_folder(settings, lan=lan, on_terminal=sys.stdout.isatty()))
