"""Options that commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def json_option(function: F) -> F:
    """Add `--json`: the result as one JSON document on standard output."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print the result as one JSON document."
    )(function)


def data_dir_option(function: F) -> F:
    """Add `--data-dir`; without it NECKTRACE_DATA_DIR or the settings file decides."""
    return click.option(
        "--data-dir",
        type=click.Path(path_type=Path, file_okay=False),
        default=None,
        help="Folder that holds the record and the results (also NECKTRACE_DATA_DIR).",
    )(function)


def port_option(function: F) -> F:
    """Add `--port`; without it the settings decide."""
    return click.option(
        "--port",
        type=click.IntRange(0, 65535),
        default=None,
        help="TCP port on the loopback address; 0 takes any free one (also NECKTRACE_PORT).",
    )(function)


def lan_option(function: F) -> F:
    """Add `--lan`: other devices in the house."""
    return click.option(
        "--lan",
        is_flag=True,
        help="Let the phone in too: over TLS, with a login. Shows the address as a code to scan.",
    )(function)
