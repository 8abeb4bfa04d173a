"""Serving a data folder without recording."""

import asyncio

import click

from api.runtime import Runtime
from api.server import address, bind, serving, stop_on_signals
from api.settings import Settings
from api.stores import open_results
from storage.catalog import Catalog
from storage.record.reader import RecordReader


async def serve_folder(settings: Settings) -> None:
    """Serve pages and API until Ctrl-C.

    Raises
    ------
    StorageError
        There is no record in the folder, or it cannot be read.
    AddressError
        The port cannot be used.
    """
    with RecordReader(settings.data_dir) as record, Catalog(settings.data_dir) as catalog:
        results = open_results(settings, sending=True)
        try:
            runtime = Runtime(settings, "serve", record, results, catalog)
            listener = bind(settings)
            stop = asyncio.Event()
            with stop_on_signals(stop.set):
                async with serving(runtime, listener):
                    click.echo(f"Serving {settings.data_dir} at {address(settings, listener)}")
                    click.echo("Press Ctrl-C to stop.")
                    await stop.wait()
        finally:
            results.close()
