"""The validation as one self-contained HTML page: method, tables, plots, limits."""

import math
from collections.abc import Sequence
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from api.validation import magnetic, sensitivity, temperature
from api.validation.plots import Frame, bars
from api.validation.simulated import DRIFT_S, LEVELS, AngleScore, drift_rms
from processing.types import FloatArray

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;
color:#0f172a}
table{border-collapse:collapse;width:100%;font-size:13px;margin:1rem 0}
th,td{border-bottom:1px solid #cbd5e1;padding:.25rem .5rem;text-align:right}
th:first-child,td:first-child,th:nth-child(2),td:nth-child(2),th:nth-child(3),td:nth-child(3)
{text-align:left}
div.wide{overflow-x:auto}
svg{width:100%;height:auto;margin:.5rem 0}h2{margin-top:2.2rem}
@media print{body{margin:0;max-width:none}div.wide{overflow:visible}
h2{break-after:avoid}svg,table{break-inside:avoid}}
"""


_RATIOS = (("6D", "online"), ("6D", "offline"), ("9D", "online"), ("9D", "offline"))
"""Condition and mode of the bar charts: our error over VQF's, per trial."""
_MEANS = {
    "sensitivity": sensitivity.TABLE,
    "magnetic": magnetic.TABLE,
    "temperature": temperature.TABLE,
}
"""What has a table of means and no plot, by its name in the result."""


def write_report(path: Path, result: dict[str, Any]) -> None:
    """Write the page; it loads nothing from anywhere."""
    parts = [
        "<h1>necktrace: validation</h1>",
        f"<p>necktrace {escape(version('necktrace'))}. Errors in degrees. Every number on this "
        "page was measured by the run that wrote it; where VQF is named, it ran on the same "
        "samples in the same run.</p>",
    ]
    if "broad" in result:
        parts.extend(_broad(result["broad"]))
    if "simulated" in result:
        parts.extend(_simulated(result["simulated"]))
    if "day" in result:
        parts.extend(_day(result["day"]))
    for name, means in _MEANS.items():
        if name in result:
            parts.append(f"<h2>{escape(means.title)}</h2><p>{escape(means.sentence)}</p>")
            parts.append(_table(means.head, means.rows(result[name])))
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
    return (
        f'<div class="wide"><table><thead><tr>{header}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


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
    for condition, mode in _RATIOS:
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

    def drift(group: list[dict[str, Any]]) -> str:
        moved = drift_rms([AngleScore(**score) for score in group])
        return "" if moved is None else f"{moved:.2f}"

    angles = ("flexion", "lateral_right", "rotation_right")
    honesty = ("within_1_sigma", "within_2_sigma")
    rows = [
        [
            *names,
            *(mean(group, key) for key in angles),
            drift(group),
            *(mean(group, key) for key in honesty),
        ]
        for names, group in groups.items()
    ]
    parts = [
        f"<h2>Two sensors: simulated patients, {result['patients']} per row</h2>",
        "<p>Angles as <code>necktrace process</code> writes them, alignment error included, scored "
        "after the guided calibration. VQF uses our alignment and the same resets; set right: rest "
        "bias off, bias of the held neutral pose given. Drift: mean rotation error of the last "
        f"{DRIFT_S / 60:.0f} minutes minus that of the first, root mean square over patients.</p>",
        _table(
            [
                *("sensor", "scenario", "method", "flexion", "lateral", "rotation", "drift"),
                *("in 1σ", "in 2σ"),
            ],
            rows,
        ),
    ]
    parts.extend(_honesty(result["pooled"]))
    parts.extend(_agreement(result["scores"]))
    parts.append("<h3>One patient over time</h3>")
    parts.extend(_over_time(example) for example in result["examples"])
    return parts


def _honesty(pooled: list[dict[str, Any]]) -> list[str]:
    """Return table and curve of coverage, all recordings of a mode together."""
    parts = [
        "<h3>Honesty of sigma</h3>",
        "<p>How often the true rotation lay within one and two <code>heading_sigma_deg</code>, all "
        "scenarios and patients together. Honest is 60 to 80 % and 90 to 98 %. The error of one "
        "recording is mostly one slow draw, so a single row of the table above says little.</p>",
        _table(
            ["mode", "sensor", "recordings", "in 1σ", "in 2σ"],
            [
                [
                    row["mode"],
                    row["sensor"],
                    str(row["recordings"]),
                    f"{row['within_1_sigma']:.0%}",
                    f"{row['within_2_sigma']:.0%}",
                ]
                for row in pooled
            ],
        ),
    ]
    curve = Frame(
        (0.0, LEVELS[-1]),
        (0.0, 1.0),
        "multiple of sigma",
        "fraction of samples inside",
        "Coverage of sigma, all recordings",
    )
    for number, row in enumerate(row for row in pooled if row["sensor"] == "all"):
        curve.line(list(zip(LEVELS, row["covered"], strict=True)), number, row["mode"])
    normal = [(0.0, 0.0), *((x, math.erf(x / math.sqrt(2.0))) for x in LEVELS)]
    curve.line(normal, 2, "normal distribution")
    parts.append(curve.svg())
    return parts


def _agreement(scores: list[dict[str, Any]]) -> list[str]:
    """Return Bland-Altman plots of the three angles, all patients of a sensor together."""
    parts = [
        "<h3>Agreement with the truth</h3>",
        "<p>Bland-Altman: a point every 20 s of every patient, sitting with a reset every ten "
        "minutes, offline. The lines are the mean difference and the limits within which 95 % of "
        "differences would lie were they normally distributed; points of one patient are not "
        "independent.</p>",
    ]
    for sensor in dict.fromkeys(score["sensor"] for score in scores):
        taken = [
            np.array(score["agreement"])
            for score in scores
            if score["sensor"] == sensor
            and score["method"] == "necktrace offline"
            and score["agreement"] is not None
        ]
        if not taken:
            continue
        rows = np.concatenate(taken)
        limit = float(np.ceil(np.abs(rows[:, 3:] - rows[:, :3]).max() + 0.5))
        for axis, name in enumerate(("flexion", "lateral tilt, right", "rotation, right")):
            title = f"Sensor {sensor}: {name}, patients: {len(taken)}"
            parts.append(_bland_altman(rows[:, axis], rows[:, 3 + axis], limit, title))
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


def _over_time(example: dict[str, Any]) -> str:
    t_min = np.array(example["t_s"]) / 60.0
    error = np.array(example["error_deg"])
    sigma = np.array(example["sigma_deg"])
    limit = float(np.ceil(max(10.0, np.abs(error).max(), 2.0 * sigma.max())))
    frame = Frame(
        (0.0, float(t_min[-1])),
        (-limit, limit),
        "minutes",
        "error of rotation, degrees",
        f"{example['title']}: error of rotation and two sigma",
    )
    frame.line(list(zip(t_min, error, strict=True)), 0, "error")
    frame.line(list(zip(t_min, 2.0 * sigma, strict=True)), 1, "two sigma")
    frame.line(list(zip(t_min, -2.0 * sigma, strict=True)), 1)
    return frame.svg()


def _bland_altman(truth: FloatArray, shown: FloatArray, limit: float, title: str) -> str:
    middle, difference = 0.5 * (truth + shown), shown - truth
    frame = Frame(
        (float(np.floor(middle.min() - 1)), float(np.ceil(middle.max() + 1))),
        (-limit, limit),
        "mean of estimate and truth, degrees",
        "estimate - truth, degrees",
        title,
    )
    frame.dots(list(zip(middle, difference, strict=True)))
    bias, spread = float(difference.mean()), 1.96 * float(difference.std())
    for value, name in (
        (bias, f"mean {bias:.1f}°"),
        (bias + spread, f"+1.96 sd {bias + spread:.1f}°"),
        (bias - spread, f"-1.96 sd {bias - spread:.1f}°"),
    ):
        frame.level(value, name)
    return frame.svg()
