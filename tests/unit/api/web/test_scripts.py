"""Words of the pages' scripts: each comes from the catalogue, and the page brings it along."""

import re
from pathlib import Path

import pytest

from api.web import texts

SCRIPTS = sorted((Path(texts.__file__).parent / "static").glob("**/*.js"))
OURS = [path for path in SCRIPTS if "vendor" not in path.parts]
STRING = re.compile(
    r"""//[^\n]*|/\*.*?\*/|(?P<q>["'`])(?P<text>(?:\\.|(?!(?P=q)).)*)(?P=q)""", re.DOTALL
)
KEY = re.compile(r"""\btext\(\s*(?:"([^"]+)"|`([^`]+)`|\w+ \? "([^"]+)" : "([^"]+)")""")
SAID = re.compile(r"[A-Za-z]{2,}[,.:]? [A-Za-z]{2,}|^[A-Z][a-z]+$")
"""Two words in a row, or one that begins like a sentence."""
NOT_SAID = re.compile(
    r"system-ui|\[data-|^(input|details|select)\b|^(Arrow|Page|Enter)\w*$|^\(prefers-|^use strict$|"
    r"^(thead|tbody) t[hr]$"
)
"""Fonts, selectors, media queries and names of keys."""


def strings(source: str) -> list[str]:
    """The string literals of a script, what is filled in left out."""
    found = (match["text"] for match in STRING.finditer(source) if match["q"])
    return [re.sub(r"\$\{[^}]*\}", "", each) for each in found]


def test_the_search_finds_words_and_leaves_code_alone() -> None:
    source = """// not this one
        x = "Stop now"; y = `${n} of them were`; z = "data-part"; k = "Sitting";"""
    said = [each for each in strings(source) if SAID.search(each)]
    assert said == ["Stop now", " of them were", "Sitting"]


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_no_script_says_words_of_its_own(path: Path) -> None:
    found = strings(path.read_text(encoding="utf-8"))
    assert [each for each in found if SAID.search(each) and not NOT_SAID.search(each)] == []


def test_scripts_ask_only_for_texts_that_the_page_brings_along() -> None:
    brought = texts.catalogue_json()
    asked: set[str] = set()
    for path in OURS:
        for match in KEY.finditer(path.read_text(encoding="utf-8")):
            asked |= {each for each in match.groups() if each}
    assert len(asked) > 30
    for key in sorted(asked):
        # what is filled in stands for any part of a key
        wanted = re.sub(r"\\\$\\{[^}]*\\}", '[^"]+', re.escape(key).replace("\\ ", " "))
        assert re.search(f'"{wanted}":', brought), key
