"""Log lines: structured, and no input can forge one."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.logs import configure_logging


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    for handler in handlers:
        root.removeHandler(handler)
    yield tmp_path / "logs" / "necktrace.log"
    for handler in list(root.handlers):
        root.removeHandler(handler)
        handler.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(level)


def test_text_lines_carry_fields_and_no_forged_line(file: Path) -> None:
    configure_logging("INFO", "text", file)
    logging.getLogger("a.b").info("seen %s", "x\n2026 CRITICAL forged", extra={"rate_hz": 104})
    logging.getLogger("a.b").debug("not written")
    lines = file.read_text().splitlines()
    assert len(lines) == 1
    assert " INFO a.b seen x\\x0a2026 CRITICAL forged rate_hz=104" in lines[0]


def test_json_lines(file: Path) -> None:
    configure_logging("INFO", "json", file)
    try:
        raise ValueError("planted")
    except ValueError:
        logging.getLogger("a").exception("failed", extra={"role": "head"})
    entry = json.loads(file.read_text())
    assert entry["message"] == "failed"
    assert entry["level"] == "ERROR"
    assert entry["role"] == "head"
    assert "ValueError: planted" in entry["exception"]
