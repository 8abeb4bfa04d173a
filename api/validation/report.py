"""The validation as one self-contained HTML page: method, tables, plots, limits."""

from collections.abc import Sequence
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from api.validation.plots import Frame, bars

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;
color:#0f172a}
table{border-collapse:collapse;width:100%;font-size:13px;margin:1rem 0}
th,td{border-bottom:1px solid #cbd5e1;padding:.25rem .5rem;text-align:right}
th:first-child,td:first-child,th:nth-child(2),td:nth-child(2),th:nth-child(3),td:nth-child(3)
{text-align:left}
svg{width:100%;height:auto;margin:.5rem 0}h2{margin-top:2.2rem}
@media print{body{margin:0;max-width:none}h2{break-after:avoid}svg,table{break-inside:avoid}}
"""


def write_report(path: Path, result: dict[str, Any]) -> None:
    """Write the page; it loads nothing from anywhere."""
    parts = [
        "<h1>necktrace: validation</h1>",
        f"<p>necktrace {escape(version('necktrace'))}. Errors in degrees. Every number on this "
        "page was measured by the run that wrote it; VQF ran on the same samples in the same "
        "run.</p>",
    ]
    if "broad" in result:
        parts.extend(_broad(result["broad"]))
    if "simulated" in result:
        parts.extend(_simulated(result["simulated"]))
    if "day" in result:
        parts.extend(_day(result["day"]))
    parts.append(
        "<h2>Limits</h2><p>BROAD moves one sensor by hand, on a table at rest and with optics as "
        "truth; it says nothing about necks. Simulated patients are as good as the simulator. "
        "Neither replaces a study with patients.</p>"
    )
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>necktrace: validation</title><style>{_STYLE}</style>" + "".join(parts) + "</html>"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    header = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{header}</tr></thead><tbody>{body}</tbody></table>"


def _broad(result: dict[str, Any]) -> list[str]:
    rows = []
    for score in result["scores"]:
        metric = next(iter(score["aligned"]))
        rows.append(
            [
                score["condition"],
                score["mode"],
                score["method"],
                metric.replace("_", " "),
                f"{score['delay_ms']:.2f}",
                f"{score['aligned'][metric]:.3f}",
                f"{score['unaligned'][metric]:.3f}",
            ]
        )
    parts = [
        f"<h2>One sensor: BROAD, {result['trials']} trials</h2>",
        "<p>Mean RMSE over trials (Laidig et al. 2021, Data 6(7), 72, CC BY 4.0). BROAD's sensor "
        "lags its optics by about 2.5 ms; so each method is scored at its own best constant delay "
        "of the truth (aligned), and at none (unaligned).</p>",
        _table(["condition", "mode", "method", "metric", "delay ms", "aligned", "unaligned"], rows),
    ]
    by_key = {(s["condition"], s["mode"], s["method"]): s for s in result["scores"]}
    for condition, mode in (("6D", "online"), ("6D", "offline"), ("9D", "online")):
        ours = by_key.get((condition, mode, "necktrace"))
        vqf = by_key.get((condition, mode, "VQF"))
        if ours is None or vqf is None:
            continue
        metric = next(iter(ours["aligned"]))
        names = list(ours["per_trial"][metric])
        ratios = [ours["per_trial"][metric][n] / vqf["per_trial"][metric][n] for n in names]
        title = f"{condition} {mode}: our {metric} / VQF's, per trial (line: equal)"
        parts.append(bars(names, ratios, title, 1.0))
    return parts


def _simulated(result: dict[str, Any]) -> list[str]:
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for score in result["scores"]:
        groups.setdefault((score["sensor"], score["scenario"], score["method"]), []).append(score)

    def mean(group: list[dict[str, Any]], key: str) -> str:
        values = [score[key] for score in group if score[key] is not None]
        return f"{np.mean(values):.2f}" if values else ""

    keys = ("flexion", "lateral_right", "rotation_right", "within_1_sigma", "within_2_sigma")
    rows = [[*names, *(mean(group, key) for key in keys)] for names, group in groups.items()]
    parts = [
        f"<h2>Two sensors: simulated patients, {result['patients']} per row</h2>",
        "<p>Angles as <code>necktrace process</code> writes them, alignment error included, scored "
        "after the guided calibration. VQF uses our alignment and the same resets; set right: rest "
        "bias off, bias of the held neutral pose given.</p>",
        _table(
            ["sensor", "scenario", "method", "flexion", "lateral", "rotation", "in 1σ", "in 2σ"],
            rows,
        ),
    ]
    for example in result["examples"]:
        parts.extend(_example(example))
    return parts


def _day(hours: list[dict[str, Any]]) -> list[str]:
    """Return table and curves of error, sigma and what is left of the torticollis by the hour."""
    rows = [
        [
            h["sensor"],
            h["mode"],
            str(h["hour"]),
            *(f"{h[key]:.2f}" for key in ("rmse", "mean_sigma")),
            *(f"{h[key]:.0%}" for key in ("within_1_sigma", "within_2_sigma")),
            f"{h['median_shown']:.1f} ({h['median_true']:.1f})",
        ]
        for h in hours
    ]
    parts = [
        "<h2>A day with a constant torticollis</h2>",
        "<p>One simulated patient whose D lies 40° to the right of N. N is held once, with help; "
        "from then on only M, 15° to the right, every ten minutes.</p>",
        _table(
            ["sensor", "mode", "hour", "rotation", "σ", "in 1σ", "in 2σ", "median shown (true)"],
            rows,
        ),
    ]
    last = float(max(h["hour"] for h in hours))
    for sensor in dict.fromkeys(h["sensor"] for h in hours):
        mine = [h for h in hours if h["sensor"] == sensor]
        top = float(np.ceil(max(max(h["rmse"], h["mean_sigma"]) for h in mine))) + 1.0
        curves = Frame(
            (0.0, last), (0.0, top), "hour", "degrees", f"sensor {sensor}: error and sigma by hour"
        )
        for number, (mode, key, name) in enumerate(
            (
                ("online", "rmse", "error online"),
                ("online", "mean_sigma", "sigma online"),
                ("offline", "rmse", "error offline"),
                ("offline", "mean_sigma", "sigma offline"),
            )
        ):
            points = [(h["hour"] - 0.5, h[key]) for h in mine if h["mode"] == mode]
            curves.line(points, number, name)
        parts.append(curves.svg())
    return parts


def _example(example: dict[str, Any]) -> list[str]:
    t_min = np.array(example["t_s"]) / 60.0
    error = np.array(example["error_deg"])
    sigma = np.array(example["sigma_deg"])
    truth = np.array(example["truth_deg"])
    limit = float(max(10.0, np.ceil(np.abs(error).max())))
    over_time = Frame(
        (0.0, float(t_min[-1])),
        (-limit, limit),
        "minutes",
        "error of rotation, degrees",
        f"{example['title']}: error of rotation and two sigma",
    )
    over_time.line(list(zip(t_min, error, strict=True)), 0, "error")
    over_time.line(list(zip(t_min, 2.0 * sigma, strict=True)), 1, "two sigma")
    over_time.line(list(zip(t_min, -2.0 * sigma, strict=True)), 1)
    middle = truth + 0.5 * error
    low, high = float(np.floor(middle.min() - 1)), float(np.ceil(middle.max() + 1))
    bland_altman = Frame(
        (low, high),
        (-limit, limit),
        "mean of estimate and truth, degrees",
        "estimate - truth, degrees",
        f"{example['title']}: Bland-Altman, rotation",
    )
    bland_altman.dots(list(zip(middle, error, strict=True)))
    bias, spread = float(error.mean()), 1.96 * float(error.std())
    for value, name in (
        (bias, f"mean {bias:.1f}°"),
        (bias + spread, f"+1.96 sd {bias + spread:.1f}°"),
        (bias - spread, f"-1.96 sd {bias - spread:.1f}°"),
    ):
        bland_altman.level(value, name)
    levels = np.linspace(0.1, 3.0, 30)
    inside = [float(np.mean(np.abs(error) <= level * sigma)) for level in levels]
    coverage = Frame(
        (0.0, 3.0),
        (0.0, 1.0),
        "multiple of sigma",
        "fraction of samples inside",
        f"{example['title']}: honesty of heading sigma",
    )
    coverage.line(list(zip(levels, inside, strict=True)), 0, "measured")
    coverage.line([(x, float(_normal_inside(x))) for x in levels], 1, "normal distribution")
    return [over_time.svg(), bland_altman.svg(), coverage.svg()]


def _normal_inside(multiple: float) -> float:
    from math import erf, sqrt

    return erf(multiple / sqrt(2.0))
