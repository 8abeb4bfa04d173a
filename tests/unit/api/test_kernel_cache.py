"""Compiled kernels of one version are never used by another."""

import os
from pathlib import Path

import pytest

from api import kernel_cache


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "necktrace" / "kernels"


def test_folder_changes_with_any_source(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = kernel_cache.use_kernel_cache()
    assert first.parent == cache
    assert os.environ["NUMBA_CACHE_DIR"] == str(first)
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    assert kernel_cache.use_kernel_cache() == first

    real = Path.read_bytes
    monkeypatch.setattr(
        Path,
        "read_bytes",
        lambda path: real(path) + (b"#" if path.name == "quaternion.py" else b""),
    )
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    assert kernel_cache.use_kernel_cache() != first


def test_a_named_folder_wins(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/warmed")
    assert kernel_cache.use_kernel_cache() == Path("/warmed")
    assert not cache.exists()


def test_old_versions_are_forgotten(cache: Path) -> None:
    for age in range(8):
        old = cache / f"old{age}"
        old.mkdir(parents=True)
        os.utime(old, (1_000_000 - age, 1_000_000 - age))
    current = kernel_cache.use_kernel_cache()
    names = {path.name for path in cache.iterdir()}
    assert names == {current.name, "old0", "old1", "old2"}
