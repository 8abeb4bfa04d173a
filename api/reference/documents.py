"""Reference pages of the documentation that are made from the code.

Run ``python -m api.reference.documents docs/reference`` after a change; a test compares.
"""

import sys
from pathlib import Path
from typing import Any

from api.http.problems import PROBLEMS, TYPE_PREFIX
from api.settings import Settings
from api.web.reference import operations

NOTICE = (
    "<!-- Made by `python -m api.reference.documents docs/reference`; "
    "change the code instead. -->\n"
)


def _default(name: str) -> str:
    field = Settings.model_fields[name]
    if field.default_factory is not None:
        return "see text"
    return "none" if field.default in (None, "") else f"`{field.default}`"


def settings_page() -> str:
    """Return the page of all settings."""
    lines = [
        NOTICE,
        "# Settings",
        "",
        "Order of precedence: option of the command, environment variable, TOML file, default.",
        "The TOML file is `necktrace.toml` in the user's configuration folder (`necktrace doctor`",
        "prints where), or the file that `NECKTRACE_CONFIG` names; its keys are the names below",
        "without `NECKTRACE_`, in lower case. `NECKTRACE_DEBUG=1` shows tracebacks.",
        "",
        "| environment variable | default | meaning |",
        "|---|---|---|",
    ]
    lines += [
        f"| `NECKTRACE_{name.upper()}` | {_default(name)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(lines) + "\n"


def http_page(document: dict[str, Any]) -> str:
    """Return the page of all operations.

    Parameters
    ----------
    document : dict
        The OpenAPI description.
    """
    lines = [
        NOTICE,
        "# HTTP",
        "",
        "Served on `http://127.0.0.1:8765` by default, to this computer only. The machine-readable",
        "description is `/api/v1/openapi.json`, the same reference as a page is `/docs`.",
        "",
        "Every line below is run by a test. At home, without users, it works as it stands; where",
        'people log in, add `-H "Authorization: Bearer $NECKTRACE_TOKEN"` with a token from',
        "`necktrace token add` or the page *Access*.",
        document["info"]["description"].rstrip(),
        "",
        "## Operations",
    ]
    for operation in operations(document, "http://127.0.0.1:8765"):
        lines += ["", f"### {operation.method} {operation.path}", "", operation.description, ""]
        lines += ["```sh", operation.curl, "```", ""]
        lines += [f"* `{entry.name}`: {entry.description}" for entry in operation.parameters]
    lines += ["", "## Problems", "", "| type | status | meaning |", "|---|---|---|"]
    lines += [
        f"| `{TYPE_PREFIX}{slug}` | {status} | {meaning} |"
        for slug, (status, meaning) in PROBLEMS.items()
    ]
    text = "\n".join(lines) + "\n"
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text


def main(folder: Path) -> None:
    """Write the pages."""
    from api.http.app import describe_api

    (folder / "settings.md").write_text(settings_page(), encoding="utf-8")
    (folder / "http.md").write_text(http_page(describe_api()), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
