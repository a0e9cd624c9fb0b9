"""The plots of a report, as SVG that stands by itself; the same figures give the same bytes."""

import io
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import Any

from ediffuser.evaluation.figures import Figure
from ediffuser.evaluation.optional import optional
from ediffuser.studies.results import Result
from ediffuser.studies.study import Study

PLOTTED = (("FID", "FD"), ("KID", "KD"), ("LPIPS", "ST-LPIPS"), ("PD",), ("PSNR in the hole", "PSNR"))
"""Figures that are shown against calls of the network, if there are at least two points."""

STYLE = {"svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9, "axes.grid": True, "grid.alpha": 0.3}
BINS = 80
CALLS = (1, 2, 5, 10, 15, 25, 50, 100, 200, 500, 1000, 2000, 4000)
"""Where the axis of calls has its numbers."""

WIDE = 4
"""From the least to the largest figure of a plot, from which on its axis is logarithmic."""


@dataclass(frozen=True)
class Plot:
    """A plot.

    Attributes:
        name: Of its file, without the ending.
        title: Above it.
        svg: The drawing, one `<svg>` element.
    """

    name: str
    title: str
    svg: str


@dataclass(frozen=True)
class Point:
    """What is drawn at one place of a line: a mean and how far it reaches down and up."""

    nfe: float
    value: float
    low: float
    high: float


def against_calls(study: Study, results: Mapping[str, Result]) -> list[Plot]:
    """Figures against calls of the network for each task, a line for each series: the dissertation's Figure 4.4."""
    plots = []
    for task in dict.fromkeys(cell.task for cell in study.cells):
        for names in PLOTTED:
            lines, label, reach = _lines(study, results, task, names)
            if sum(len(points) for points in lines.values()) >= 2:
                title = f"{label} against calls of the network, {task}; bars: {reach}"
                slug = re.sub(r"[^a-z]+", "-", label.lower()).strip("-")
                plots.append(Plot(f"{task}-{slug}", title, curves(lines, label, f"{task}-{slug}")))
    return plots


def training_curves(logs: Mapping[str, Sequence[Mapping[str, Any]]]) -> Plot | None:
    """The simple loss of each model against images seen, in means over equal parts of the run; None without a log."""
    lines = {name: _binned(log) for name, log in logs.items() if log}
    if not lines:
        return None
    figure, axes = _axes()
    for name, (seen, loss) in lines.items():
        axes.plot(seen, loss, label=name, linewidth=1)
    axes.set(xlabel="images seen", ylabel="simple loss", yscale="log")
    axes.legend(fontsize=7)
    return Plot("training", "Training curves", _svg(figure, "training"))


def _lines(
    study: Study, results: Mapping[str, Result], task: str, names: tuple[str, ...]
) -> tuple[dict[str, list[Point]], str, str]:
    """The points of each series in the order of their calls, the name of the figure, and how far points reach.

    Those of several seeds are one, and reach over all; of seeds whose others are not there yet they do not reach.
    """
    found: dict[str, dict[str, list[tuple[float, Figure]]]] = defaultdict(lambda: defaultdict(list))
    label = names[-1]
    for table in study.tables:
        for cell in table.cells:
            result = results.get(cell.name)
            figure = result.figure(*names) if result else None
            if result and figure and cell.task == task:
                found[cell.series or table.title][cell.label].append((result.calls, figure))
                label = figure.name + (f", {figure.unit}" if figure.unit else "")
    seeds = max((len(figures) for rows in found.values() for figures in rows.values()), default=1)
    lines = {
        series: sorted((_point(figures, seeds > 1) for figures in rows.values()), key=lambda point: point.nfe)
        for series, rows in found.items()
    }
    return lines, label, f"from the least to the largest of {seeds} seeds" if seeds > 1 else "95 % intervals"


def _point(figures: Sequence[tuple[float, Figure]], over_seeds: bool) -> Point:
    values = [figure.value for _, figure in figures]
    nfe, mean = fmean(calls for calls, _ in figures), fmean(values)
    if over_seeds:
        return Point(nfe, mean, min(values), max(values))
    only = figures[0][1]
    return Point(nfe, mean, mean if only.low is None else only.low, mean if only.high is None else only.high)


def curves(lines: Mapping[str, Sequence[Point]], label: str, salt: str) -> str:
    """A line for each name through its points, which are in the order of their calls; one `<svg>` element.

    Args:
        lines: The points by name.
        label: What they are, at the side.
        salt: Makes the names inside the drawing differ from those of other drawings on one page.
    """
    figure, axes = _axes()
    for series, points in lines.items():
        values = [point.value for point in points]
        reach = [[v - p.low for v, p in zip(values, points)], [p.high - v for v, p in zip(values, points)]]  # noqa: B905
        axes.errorbar(
            [point.nfe for point in points], values, yerr=reach, label=series, marker="o", markersize=3, linewidth=1
        )
    axes.set(xlabel="calls of the network for a picture (NFE)", ylabel=label, xscale="log")
    low, high = axes.get_xlim()
    axes.set_xticks([calls for calls in CALLS if low <= calls <= high])
    axes.minorticks_off()
    axes.xaxis.set_major_formatter("{x:g}")
    values = [point.value for points in lines.values() for point in points]
    if min(point.low for points in lines.values() for point in points) > 0 and max(values) > WIDE * min(values):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
    figure.legend(fontsize=7, loc="outside lower center", ncols=2, frameon=False)
    return _svg(figure, salt)


def _binned(log: Sequence[Mapping[str, Any]]) -> tuple[list[float], list[float]]:
    bins = min(BINS, len(log))
    edges = [len(log) * k // bins for k in range(bins + 1)]
    parts = [log[a:b] for a, b in pairwise(edges)]
    seen = [float(part[-1]["images_seen"]) for part in parts]
    return seen, [fmean(step.get("loss_simple", step["loss"]) for step in part) for part in parts]


def _axes() -> tuple[Any, Any]:
    # Figures of their own, without pyplot: it keeps them all, and chooses a window system.
    matplotlib = optional("matplotlib", "matplotlib")
    figures = optional("matplotlib.figure", "matplotlib")
    with matplotlib.rc_context(STYLE):
        figure = figures.Figure(figsize=(7.5, 4.6), layout="constrained")
        return figure, figure.add_subplot()


def _svg(figure: Any, salt: str) -> str:  # noqa: ANN401 - matplotlib is optional
    matplotlib, buffer = optional("matplotlib", "matplotlib"), io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": salt}):
        figure.savefig(buffer, format="svg", metadata=nothing)
    drawing = buffer.getvalue()
    return drawing[drawing.index("<svg") :]
