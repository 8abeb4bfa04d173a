"""The command line: lazy, one sentence per error, no traceback."""

import errno
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest

from api import cli
from tests.support.necktrace import run as in_process

pytestmark = pytest.mark.slow

HEAVY = ("numba", "scipy", "bleak", "numpy", "fastapi", "pyarrow", "pydantic")


def run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    code = "import sys; from api.cli import main; sys.argv[0] = 'necktrace'; main()"
    import os

    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NECKTRACE_DEBUG": "", **environment},
    )


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from api.cli import group\n"
        "try:\n    group.main(['--help'], standalone_mode=True)\n"
        "except SystemExit:\n    pass\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    for name in cli.COMMANDS:
        assert name in done.stdout


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_each_listed_command_exists_and_says_the_same_as_the_table(name: str) -> None:
    command = import_module(f"api.commands.{cli.module_name(name)}").command
    assert isinstance(command, click.Command)
    assert command.name == name
    assert (command.help or "").strip(), name


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_each_commands_help_imports_nothing_heavy(name: str) -> None:
    code = (
        "import sys\nfrom api.cli import group\n"
        f"try:\n    group.main([{name!r}, '--help'])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'numba', 'scipy', 'bleak'} & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "Usage: " in done.stdout


def test_version() -> None:
    done = run("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("necktrace ")


def test_unknown_command_is_a_usage_error() -> None:
    done = run("nonsense")
    assert done.returncode == 2
    assert "No such command" in done.stderr
    assert "Traceback" not in done.stderr


def test_expected_error_is_one_sentence(tmp_path: Path) -> None:
    done = run("serve", "--data-dir", str(tmp_path / "nothing"))
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert "holds no necktrace record" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_bad_setting_names_the_setting(tmp_path: Path) -> None:
    done = run("doctor", NECKTRACE_PORT="70000", NECKTRACE_DATA_DIR=str(tmp_path))
    assert done.returncode == 2
    assert "NECKTRACE_PORT" in done.stderr
    assert "Traceback" not in done.stderr


def test_bug_is_said_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import sys\nfrom api import cli\n"
        "def broken(**_): raise KeyError('planted')\n"
        "cli.group.main = broken\nsys.argv = ['necktrace', 'doctor']\ncli.main()\n"
    )
    monkeypatch.delenv("NECKTRACE_DEBUG", raising=False)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == cli.EXIT_BUG
    assert "KeyError: 'planted'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.EACCES, "Permission denied", "/data/x"), "/data/x: Permission denied."),
        (
            OSError(errno.ENOSPC, "No space left on device", "/data/x"),
            "/data/x: no space is left on the disk; free some and run this again.",
        ),
    ],
)
def test_a_file_that_cannot_be_written_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: OSError, said: str
) -> None:
    def failing(**_: object) -> None:
        raise error

    monkeypatch.delenv("NECKTRACE_DEBUG", raising=False)
    monkeypatch.setattr(cli.group, "main", failing)
    ran = in_process(monkeypatch, capsys, "process")
    assert (ran.exit_code, ran.err) == (1, f"Error: {said}\n")


def test_a_full_disk_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def writing(**_: object) -> None:
        Path("/dev/full").write_bytes(b"x")  # a disk without room, that names no file

    monkeypatch.delenv("NECKTRACE_DEBUG", raising=False)
    monkeypatch.setattr(cli.group, "main", writing)
    ran = in_process(monkeypatch, capsys, "process")
    said = "Error: no space is left on the disk; free some and run this again.\n"
    assert (ran.exit_code, ran.err) == (1, said)


def test_doctor_json_names_each_check(tmp_path: Path) -> None:
    done = run("doctor", "--json", "--data-dir", str(tmp_path))
    result = json.loads(done.stdout)
    names = {finding["name"] for finding in result["findings"]}
    assert {"python", "packages", "data folder", "disk", "bluetooth", "pages"} <= names
    assert done.returncode == (0 if result["ok"] else 1)
    assert all(f["remedy"] for f in result["findings"] if f["level"] != "ok")
