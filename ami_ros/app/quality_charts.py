"""The charts of a quality report, as SVG that stands in the page."""

from __future__ import annotations

import io
import re

import numpy as np

from ami_ros.evaluation.head_quality import HORIZONS
from ami_ros.evaluation.model_quality import ModelQuality, bins
from ami_ros.extras import importing

with importing("report"):
    from matplotlib import rc_context
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

INK, SOFT, BLUE, RED, PALE = "#1d2a2f", "#66757b", "#3a5fcd", "#cc3d36", "#c9d0e6"
SIZE = (5.6, 3.4)  # [in]
MAP_POINTS = 700


def foresight_chart(quality: ModelQuality) -> str:
    """Error of imagination against time, beside "nothing changes"."""
    seen, step = quality.foresight, quality.encoded.model.spec.step_duration
    figure, axes = _figure("seconds ahead", "squared error, of the latent's variance")
    time = step * np.arange(1, len(seen.prediction) + 1)
    scale = quality.encoded.latents.var()
    axes.plot(time, seen.persistence / scale, color=SOFT, ls="--", label="nothing changes")
    axes.plot(time, seen.shuffled / scale, color=RED, ls=":", label="with other commands")
    axes.plot(time, seen.prediction / scale, color=BLUE, lw=2.5, label="imagined")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    return _svg(figure)


def position_chart(quality: ModelQuality) -> str:
    """The same in metres, read out by the probe; empty without ground truth."""
    seen = quality.foresight
    if seen.position_m is None or seen.bound_m is None or seen.still_m is None:
        return ""
    figure, axes = _figure("seconds ahead", "position off by, median [m]")
    time = quality.encoded.model.spec.step_duration * np.arange(1, len(seen.position_m) + 1)
    axes.plot(time, seen.still_m, color=SOFT, ls="--", label="robot stays")
    axes.plot(time, seen.position_m, color=BLUE, lw=2.5, label="imagined")
    axes.plot(time, seen.bound_m, color=INK, lw=1, label="observed (no prediction can be better)")
    axes.set_ylim(0, 1.1 * max(seen.still_m.max(), seen.position_m.max()))
    axes.legend(frameon=False)
    return _svg(figure)


def surprise_chart(quality: ModelQuality) -> str:
    """Distribution of surprise at ordinary moments and at each kind of event."""
    seen = quality.violations
    figure, axes = _figure("surprise (mean z score of the event)", "")
    kinds = list(seen.violated)
    ordinary = np.concatenate([z.mean(1) for z in seen.ordinary.values()])
    groups = [ordinary, *(seen.violated[kind].mean(1) for kind in kinds)]
    names = ["as it was", *(kind.replace("_", " ") for kind in kinds)]
    plot = axes.boxplot(
        groups, orientation="horizontal", whis=(5, 95), showfliers=False, patch_artist=True, widths=0.55
    )
    for box, colour in zip(plot["boxes"], [PALE, *[BLUE] * len(kinds)], strict=True):
        box.set(facecolor=colour, edgecolor=INK)
    for line in plot["medians"]:
        line.set(color=INK)
    axes.set_yticks(range(1, len(names) + 1), names)
    axes.set_xscale("symlog", linthresh=5)
    axes.invert_yaxis()
    return _svg(figure)


def uncertainty_chart(quality: ModelQuality) -> str:
    """Reliability: in tenths by the error that was expected, that which came; empty without an ensemble."""
    seen, step = quality.heads.uncertainty, quality.encoded.model.spec.step_duration
    if seen is None:
        return ""
    figure, axes = _figure("error expected, root mean square", "error that came")
    top = 0.0
    for steps, colour in zip(HORIZONS, (BLUE, INK, SOFT), strict=True):
        expected, came = seen.expected[:, steps - 1], seen.came[:, steps - 1]
        tenths = np.array_split(np.argsort(expected), 10)
        across = [float(np.median(expected[tenth])) for tenth in tenths]
        low, middle, high = np.array([np.percentile(came[tenth], (25, 50, 75)) for tenth in tenths]).T
        label = f"{steps * step:.1f} s ahead, rank correlation {seen.spearman(steps):.2f}"
        axes.plot(across, middle, "o-", color=colour, ms=4, label=label)
        axes.fill_between(across, low, high, color=colour, alpha=0.12, lw=0)
        top = max(top, across[-1], high.max())
    axes.plot([0, top], [0, top], color=PALE, lw=1, zorder=0)
    axes.set(xlim=(0, None), ylim=(0, None))
    axes.legend(frameon=False, fontsize=8)
    return _svg(figure)


def distance_chart(quality: ModelQuality) -> str:
    """Errors of the relative pose by distance."""
    figure, axes = _figure("true distance of the two moments", "relative position off by [m]")
    found = bins(quality.poses)
    centres = np.arange(len(found))
    for quantile, colour in ((90, PALE), (50, BLUE)):
        heights = [np.percentile(part.position_m, quantile) for _, part in found]
        axes.bar(centres, heights, 0.6, color=colour, label="median" if quantile == 50 else "nine of ten below")
    for centre, (_, part) in zip(centres, found, strict=True):
        degrees = np.degrees(np.median(part.heading_rad))
        axes.annotate(f"{degrees:.0f}°", (centre, np.percentile(part.position_m, 90)), ha="center", va="bottom")
    axes.set_xticks(centres, [words for words, _ in found])
    axes.legend(frameon=False, loc="upper left")
    return _svg(figure)


def map_chart(quality: ModelQuality) -> str:
    """Where the robot was, and where the probe reads it to be; empty without ground truth."""
    if quality.probe is None:
        return ""
    encoded = quality.encoded
    tested = np.flatnonzero(encoded.tested)
    tested = tested[:: max(1, len(tested) // MAP_POINTS)]
    true, read = encoded.truth[tested], quality.probe.read(encoded.latents[tested])
    figure, axes = _figure("x [m]", "y [m]")
    lines = np.stack([true, read, np.full_like(true, np.nan)], axis=1).reshape(-1, 3)  # NaN: the pen is lifted
    axes.plot(lines[:, 0], lines[:, 1], color=RED, lw=0.8, zorder=1)
    axes.scatter(true[:, 0], true[:, 1], s=5, color=BLUE, lw=0, zorder=2)
    axes.set_aspect("equal")
    return _svg(figure)


def _figure(across: str, up: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=SIZE, layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.add_subplot()
    axes.set_xlabel(across, color=SOFT)
    axes.set_ylabel(up, color=SOFT)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(SOFT)
    axes.tick_params(colors=INK)
    return figure, axes


def _svg(figure: Figure) -> str:
    """The element alone, letters as letters."""
    text = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "ami_ros"}):
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    return re.sub(r"^.*?(?=<svg)", "", text.getvalue(), flags=re.DOTALL)
