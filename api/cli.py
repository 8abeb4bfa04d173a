"""`necktrace`: the command line. Commands are imported only when they run."""

import errno
import importlib
import keyword
import os
import sys
from typing import NoReturn

import click

from api.kernel_cache import use_kernel_cache

COMMANDS: dict[str, str] = {
    "demo": "Try everything without hardware: two virtual sensors and a page with live data.",
    "up": "Record from two real sensors and serve the pages on this computer.",
    "serve": "Serve the pages and the API on a data folder, without recording.",
    "process": "Turn a recording into neck angles, candidate episodes and a summary.",
    "validate": "Measure accuracy beside VQF, on BROAD and on simulated patients.",
    "scan": "List the Bluetooth sensors around, supported ones first.",
    "pair": "Make a sensor known as the one on the head or on the trunk.",
    "calibrate": "Measure a sensor unit's own errors and keep them with it.",
    "reprocess": "Make results again from the record, with this version of the algorithm.",
    "verify": "Check every file, range and count of the record.",
    "import": "Copy another data folder's samples and entries into this one.",
    "export": "Write results or the record into a file.",
    "report": "Write the clinician's report of one patient as PDF.",
    "backup": "Copy the data folder, also while it records.",
    "restore": "Copy a backup into an empty data folder and check it.",
    "outbox": "Show what has not reached InfluxDB, and what it refused.",
    "forward": "Send the record and the notes to a clinic, and fetch what it wrote.",
    "patient": "Enter and list the patients of a clinic.",
    "user": "Set up who may log in, and whose data each of them sees.",
    "token": "Make, list and revoke tokens for programs.",
    "doctor": "Check this computer and name what is missing, with the remedy.",
}
"""Every command with its one-line help, so that `--help` imports none of them."""

EXIT_BUG = 70
EXIT_INTERRUPTED = 130


def module_name(command: str) -> str:
    """Return the module of a command; one that is a word of Python gets an underscore."""
    return f"{command}_" if keyword.iskeyword(command) else command


class LazyGroup(click.Group):
    """A group whose commands live in `api.commands.<name>`, each in an attribute `command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  click's
        """Import the one command that runs."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"api.commands.{module_name(cmd_name)}")
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  click's
        """List all commands from the table."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _print_version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if not wanted:
        return
    from importlib.metadata import version

    click.echo(f"necktrace {version('necktrace')}")
    ctx.exit()


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with `necktrace demo`. Not intended to diagnose; see the About page.",
)
@click.option(
    "--debug",
    is_flag=True,
    envvar="NECKTRACE_DEBUG",
    help="Show the traceback of an unexpected error (also NECKTRACE_DEBUG=1).",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
def group(*, debug: bool) -> None:
    """Head and neck posture from two wearable sensors: record, process, look, export."""
    os.environ["NECKTRACE_DEBUG"] = "1" if debug else ""


def _expected_roots() -> tuple[type[Exception], ...]:
    """Return the roots of the errors that carry a sentence for the user."""
    roots: list[type[Exception]] = []
    for package, name in (
        ("api", "ApiError"),
        ("ingest", "IngestError"),
        ("storage", "StorageError"),
        ("processing", "ProcessingError"),
        ("firmware_protocol", "ProtocolError"),
    ):
        try:
            found = getattr(importlib.import_module(f"{package}.errors"), name, None)
        except ImportError:
            continue
        if isinstance(found, type):
            roots.append(found)
    return tuple(roots)


def _fail(sentence: str, exit_code: int) -> NoReturn:
    click.echo(f"Error: {sentence}", err=True)
    sys.exit(exit_code)


def main() -> NoReturn:
    """Run the command line; every failure is one sentence and an exit code."""
    use_kernel_cache()
    try:
        result = group.main(standalone_mode=False, prog_name="necktrace")
    except click.exceptions.Abort:
        _fail("stopped.", EXIT_INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        sys.stdout = None
        sys.exit(0)
    except Exception as error:
        if os.environ.get("NECKTRACE_DEBUG"):
            raise
        if isinstance(error, _expected_roots()):
            remedy = getattr(error, "remedy", "")
            _fail(f"{error} {remedy}".rstrip(), int(getattr(error, "exit_code", 1)))
        if isinstance(error, OSError) and error.strerror is not None:
            # a full or unwritable disk is nobody's fault; writes do not name their file
            where = f"{error.filename}: " if error.filename is not None else ""
            if error.errno == errno.ENOSPC:
                _fail(f"{where}no space is left on the disk; free some and run this again.", 1)
            _fail(f"{where}{error.strerror}.", 1)
        _fail(
            f"this is a fault of necktrace, not yours ({type(error).__name__}: {error}). "
            "Run again with `necktrace --debug ...` to see where, and report it.",
            EXIT_BUG,
        )
    sys.exit(result if isinstance(result, int) else 0)
