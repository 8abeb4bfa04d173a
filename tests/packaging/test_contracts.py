"""The import contracts catch what they are meant to catch: each planted violation is reported."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGES = ("firmware_protocol", "ingest", "storage", "processing", "api")


def lint_imports(folder: Path) -> tuple[int, str]:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [str(program), "--no-cache"], cwd=folder, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tree")
    shutil.copy(CHECKOUT / "pyproject.toml", folder)
    for package in PACKAGES:
        shutil.copytree(
            CHECKOUT / package,
            folder / package,
            ignore=lambda _dir, names: [n for n in names if not n.endswith(".py") and "." in n],
        )
    return folder


def test_the_tree_as_it_stands_keeps_them(tree: Path) -> None:
    code, output = lint_imports(tree)
    assert code == 0, output
    assert "0 broken" in output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("processing/planted.py", "import storage.errors", "Layers"),
        ("firmware_protocol/planted.py", "import processing.types", "Layers"),
        ("storage/planted.py", "import ingest.errors", "Layers"),
        ("ingest/planted.py", "import api.errors", "Layers"),
        ("processing/planted.py", "import time", "Pure cores"),
        ("firmware_protocol/planted.py", "import asyncio", "Pure cores"),
        ("processing/planted.py", "import pathlib", "Pure cores"),
        ("api/planted.py", "import bleak", "One file per third-party system"),
        ("ingest/planted.py", "import influxdb_client", "One file per third-party system"),
    ],
)
def test_a_planted_violation_breaks_it(tree: Path, module: str, line: str, contract: str) -> None:
    planted = tree / module
    planted.write_text(line + "\n")
    try:
        code, output = lint_imports(tree)
    finally:
        planted.unlink()
    assert code != 0, output
    broken = [row for row in output.splitlines() if "BROKEN" in row]
    assert any(row.startswith(contract) for row in broken), output
