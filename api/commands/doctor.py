"""`necktrace doctor`: what is missing on this computer, and the remedy."""

from pathlib import Path

import click

from api.options import data_dir_option, json_option


@click.command("doctor")
@data_dir_option
@json_option
def command(data_dir: Path | None, *, as_json: bool) -> int:
    """Check this computer and name what is missing, with the remedy.

    Exit code 0 where everything needed for `necktrace demo` is there; missing Bluetooth is said,
    but only `necktrace up` needs it.
    """
    from api.diagnosis import diagnose
    from api.settings import load_settings
    from api.terminal import emit

    settings = load_settings(data_dir=data_dir)
    findings = diagnose(settings)
    marks = {"ok": "ok     ", "warning": "warning", "error": "ERROR  "}
    lines = []
    for finding in findings:
        lines.append(f"{marks[finding.level]}  {finding.name}: {finding.detail}")
        if finding.remedy:
            lines.append(f"         -> {finding.remedy}")
    failed = any(finding.level == "error" for finding in findings)
    emit(
        {"ok": not failed, "findings": [finding.as_dict() for finding in findings]},
        as_json=as_json,
        text="\n".join(lines),
    )
    return 1 if failed else 0
