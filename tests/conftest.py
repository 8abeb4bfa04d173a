"""What every test may rely on: the real recordings, and an honest account of what was left out."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from api.kernel_cache import use_kernel_cache

# before anything imports numba: never test stale machine code
use_kernel_cache()

CHECKOUT = Path(__file__).resolve().parent.parent
SHARED_DATA = CHECKOUT.parent / "shared" / "data"

IN_CI = os.environ.get("CI", "").lower() in {"1", "true"}
_skipped: dict[str, str] = {}


@pytest.fixture(scope="session")
def broad_dir() -> Path:
    """Folder of the BROAD trials in npz form; skips where the recordings are absent."""
    return _recordings(SHARED_DATA / "broad")


@pytest.fixture(scope="session")
def head_trunk_dir() -> Path:
    """Motion-BIDS data set of one person standing, walking and sitting; skips where absent."""
    return _recordings(SHARED_DATA / "head_trunk")


def _recordings(folder: Path) -> Path:
    if not folder.is_dir():
        pytest.skip(f"the real recordings are not here: ../shared/data/{folder.name}")
    return folder


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Collect the reason of every skipped test."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        _skipped[report.nodeid] = reason
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a test that was skipped has not passed: end the run as failed."""
    if IN_CI and _skipped and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was left out and, in CI, that this is why the run failed."""
    if IN_CI and _skipped:
        terminalreporter.section("skipped in CI, where nothing may be skipped")
        for nodeid, reason in _skipped.items():
            terminalreporter.write_line(f"{nodeid}: {reason}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests come last: Playwright's own event loop runs until the session ends."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)
