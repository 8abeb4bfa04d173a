"""Run the command line in this process, as a user would see it."""

import sys
from dataclasses import dataclass

import pytest

from api.cli import main


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    exit_code: int
    out: str
    err: str


def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> Ran:
    """Return exit code and output of `necktrace ARGUMENTS`."""
    monkeypatch.setattr(sys, "argv", ["necktrace", *arguments])
    capsys.readouterr()
    with pytest.raises(SystemExit) as stopped:
        main()
    code = stopped.value.code
    captured = capsys.readouterr()
    return Ran(code if isinstance(code, int) else int(code is not None), captured.out, captured.err)
