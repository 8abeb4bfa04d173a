"""What every test may rely on: the real recordings, and an honest account of what was left out."""

import gc
import os
from pathlib import Path

import hypothesis
import pytest

from api.kernel_cache import use_kernel_cache

# before anything imports numba: never test stale machine code
use_kernel_cache()

CHECKOUT = Path(__file__).resolve().parent.parent
SHARED_DATA = CHECKOUT.parent / "shared" / "data"

REAL_TIME = {"ble", "collector", "browser"}
"""Folders of tests that work in real time."""

IN_CI = os.environ.get("CI", "").lower() in {"1", "true"}

# Hypothesis' own profile for CI leaves the wall clock out of it as well.
hypothesis.settings.register_profile(
    "unhurried", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
if not IN_CI:
    hypothesis.settings.load_profile("unhurried")

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


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Collect the reason of every skipped test, here and from the workers of a parallel run."""
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        _skipped[report.nodeid] = reason


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """A module that is skipped as a whole has no test to report."""
    if report.skipped:
        _skipped[report.nodeid] = str(report.longrepr)


def pytest_collection_finish() -> None:
    """Let the collector of garbage leave the program's own modules and all tests alone.

    They live until the end; going through them again and again takes a quarter of a run.
    """
    gc.collect()
    gc.freeze()


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


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `make soak` ask for the long forms."""
    parser.addoption("--soak", action="store_true", help="run the long forms, and nothing else")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Choose short or long forms, mark what the clock of the wall decides, put them in order.

    Links, collectors and pages work in real time; beside a busy neighbour they would be late. Links
    and collectors mostly wait, so `make test` runs four of them at once, but no page beside them.
    Playwright's own event loop runs until the session ends, so browser tests come last. Files that
    take more than half a minute come first: nobody waits for one of them alone at the end.
    """
    soak = bool(config.getoption("--soak"))
    left_out = [i for i in items if (i.get_closest_marker("soak") is not None) != soak]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
    for item in items:
        if REAL_TIME & set(item.path.parts) or item.get_closest_marker("browser"):
            item.add_marker("realtime")
    items.sort(
        key=lambda item: (
            item.get_closest_marker("browser") is not None,
            item.get_closest_marker("long") is None,
        )
    )
