"""Where compiled kernels are kept: a folder of their own for every version of the sources.

numba notices a change of the file in which a kernel stands, and not a change of a kernel or
constant in another file that it calls; after an update it would go on with stale machine code. So
the folder's name is a hash of all sources that kernels are made of.
"""

import hashlib
import os
import shutil
import sys
from pathlib import Path

import platformdirs

KEPT = 3
"""Folders of earlier versions that stay; a person may go back and forth between two."""
_PACKAGES = ("processing", "storage")


def kernel_sources() -> str:
    """Return a short hash of everything that compiled kernels depend on."""
    digest = hashlib.sha256(f"{sys.version} {sys.platform}".encode())
    root = Path(__file__).resolve().parent.parent
    for package in _PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            digest.update(str(path.relative_to(root)).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def use_kernel_cache() -> Path:
    """Point numba at this version's folder; call before numba is imported.

    `NUMBA_CACHE_DIR` in the environment wins, for images that were warmed when built. Child
    processes inherit the choice.
    """
    named = os.environ.get("NUMBA_CACHE_DIR")
    if named:
        return Path(named)
    kernels = platformdirs.user_cache_path("necktrace", appauthor=False) / "kernels"
    folder = kernels / kernel_sources()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)
        _forget_old(kernels)
    except OSError:
        return folder  # numba then compiles at every start; `necktrace doctor` says so
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
    return folder


def _forget_old(kernels: Path) -> None:
    by_age = sorted(kernels.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for folder in by_age[KEPT + 1 :]:
        shutil.rmtree(folder, ignore_errors=True)
