"""The picture that a demo leaves: what was driven, over the top view of the world, with the memory's places."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ami_ros.bench.trials import Trial
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.core.installation import importing

with importing("report"):
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.collections import LineCollection
    from matplotlib.colors import hsv_to_rgb, to_hex
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Circle, Polygon
    from matplotlib.patheffects import withStroke

if TYPE_CHECKING:
    from ami_ros.simulation.mjcf import TopView

INK, SOFT, PAPER, GRAPH, BAD = "#1d2a2f", "#66757b", "#fbfbf8", "#5b6ee1", "#cc3d36"


def draw_picture(
    path: Path, floor: TopView, radius: float, trials: Sequence[Trial], graph: tuple[Array, Array] | None, title: str,
    figures: str, explored: Array | None = None,
) -> None:  # fmt: skip
    """Writes a PNG.

    Args:
        path: of the file to write.
        floor: the world from above.
        radius: of the robot [m].
        trials: what was driven, in order.
        graph: remembered places (n, 2), and ends of ways (m, 2, 2), in the world [m]; None: nothing was remembered.
        title: what was driven; one line.
        figures: what was measured; one line.
        explored: (n, 2) the way before, in the world [m]; None: there was none.

    Raises:
        AmiError: the file cannot be written.
    """
    x0, x1, y0, y1 = floor.extent
    listed = 0 < len(trials) <= 40  # more have no room in the list
    width, share = 14.0, 0.70 if listed else 0.96  # [in]
    height = width * share * (y1 - y0) / (x1 - x0) + 1.5
    figure = Figure(figsize=(width, height), facecolor=PAPER)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.02, 0.72 / height, share, 1 - 1.5 / height))
    grey = floor.image.mean(axis=-1, keepdims=True)  # paled, so that what was driven stands out
    paled = 255 - 0.62 * (255 - (0.65 * floor.image + 0.35 * grey))
    axes.imshow(paled.astype(np.uint8), extent=floor.extent, origin="upper", interpolation="bilinear")
    axes.set_xlim(x0, x1)
    axes.set_ylim(y0, y1)
    axes.set_axis_off()
    if graph is not None and len(graph[0]):
        places, ways = graph
        axes.add_collection(LineCollection(list(ways), colors=GRAPH, linewidths=0.5, alpha=0.3, zorder=2))
        axes.scatter(places[:, 0], places[:, 1], s=5, color=GRAPH, alpha=0.55, linewidths=0, zorder=2)
    if explored is not None:
        axes.plot(explored[:, 0], explored[:, 1], color=SOFT, lw=1.0, alpha=0.6, zorder=2)
    for index, trial in enumerate(trials):
        _draw_trial(axes, index, trial, _colour(index, len(trials)), 0.8 * radius)
    size = 18 * min(1.0, 84 / max(len(title), 1))  # a long title is smaller
    figure.text(0.02, 1 - 0.46 / height, title, size=size, weight="bold", color=INK)
    figure.text(0.02, 0.2 / height, figures, size=11.5, color=SOFT)
    _draw_legend(figure, axes, explored is not None)
    if listed:
        side = figure.add_axes((0.745, 0.72 / height, 0.24, 1 - 1.5 / height))
        _draw_list(side, trials)
    try:
        figure.savefig(path, dpi=120)
    except OSError as error:
        raise AmiError(f"cannot write {path}: {error.strerror or error}") from error


def _draw_trial(axes: Axes, index: int, trial: Trial, colour: str, radius: float) -> None:
    """The way as a line, the goal as a numbered disc with its heading; of a failure also where the robot ended."""
    casing = [withStroke(linewidth=4.4, foreground=PAPER, alpha=0.75)]
    axes.plot(trial.path[:, 0], trial.path[:, 1], color=colour, lw=2.3, solid_capstyle="round", zorder=3,
              path_effects=casing)  # fmt: skip
    axes.plot(*trial.start[:2], marker="o", ms=5, mfc=PAPER, mec=colour, mew=1.6, zorder=4)
    x, y, yaw = trial.goal
    c, s = math.cos(yaw), math.sin(yaw)
    face, edge = (colour, colour) if trial.success else (PAPER, BAD)
    nose = radius * np.array([[1.75, 0.0], [0.78, 0.62], [0.78, -0.62]]) @ np.array([[c, s], [-s, c]]) + (x, y)
    axes.add_patch(Polygon(nose, closed=True, fc=edge, ec=PAPER, lw=0.8, zorder=5))
    axes.add_patch(Circle((x, y), radius, fc=face, ec=PAPER if face == edge else edge, lw=1.6, zorder=5))
    axes.annotate(str(index + 1), trial.goal[:2], ha="center", va="center_baseline", size=8.5, weight="bold",
                  color=PAPER if trial.success else BAD, zorder=6)  # fmt: skip
    if not trial.success and all(map(math.isfinite, trial.final)):
        end_x, end_y, _ = trial.final
        axes.plot([end_x, x], [end_y, y], color=BAD, lw=1.1, ls=(0, (2, 3)), zorder=3)
        axes.plot(end_x, end_y, marker="x", ms=9, mew=2.6, color=BAD, zorder=7, path_effects=casing)


def _draw_legend(figure: Figure, axes: Axes, explored: bool) -> None:
    handles = [
        Line2D([], [], marker="o", ls="", mfc=PAPER, mec=INK, mew=1.6, ms=6, label="start"),
        Line2D([], [], color=INK, lw=2.3, label="driven"),
        Line2D([], [], marker="o", ls="", color=INK, ms=11, label="goal, reached"),
        Line2D([], [], marker="o", ls="", mfc=PAPER, mec=BAD, mew=1.6, ms=11, label="goal, not reached"),
        Line2D([], [], marker="x", ls="", color=BAD, mew=2.6, ms=8, label="where it ended"),
        Line2D([], [], marker="o", color=GRAPH, lw=0.8, ms=3, label="remembered places"),
    ]
    if explored:
        handles.append(Line2D([], [], color=SOFT, lw=1.0, alpha=0.6, label="explored"))
    box = axes.get_position()
    figure.legend(handles=handles, loc="upper left", bbox_to_anchor=(box.x0 - 0.006, box.y0), ncols=len(handles),
                  frameon=False, fontsize=10, labelcolor=SOFT, columnspacing=1.6, handletextpad=0.5)  # fmt: skip


def _draw_list(axes: Axes, trials: Sequence[Trial]) -> None:
    """One row a goal: number, kind, time, distance and heading error at the end."""
    axes.set_axis_off()
    rows = max(len(trials), 12)
    axes.set_xlim(0, 1)
    axes.set_ylim(rows + 1, -0.5)
    columns = (("goal", 0.13, "left"), ("time", 0.52, "right"), ("off by", 0.75, "right"), ("", 0.92, "right"))
    for text, x, side in columns:
        axes.text(x, 0, text, ha=side, va="center", size=10, color=SOFT)
    size = 10.5 if rows <= 24 else 7.5
    for index, trial in enumerate(trials):
        y, colour = index + 1, _colour(index, len(trials))
        axes.scatter([0.05], [y], s=190 if rows <= 24 else 80, color=colour if trial.success else PAPER,
                     edgecolors=colour if trial.success else BAD, linewidths=1.6)  # fmt: skip
        axes.text(0.05, y, str(index + 1), ha="center", va="center_baseline", size=size - 2, weight="bold",
                  color=PAPER if trial.success else BAD)  # fmt: skip
        ink = INK if trial.success else BAD
        heading = math.degrees(trial.heading_error_rad)
        values = (trial.kind, f"{trial.time_s:.1f} s", f"{trial.final_distance_m:.2f} m", f"{heading:.0f}°")
        for (_, x, side), value in zip(columns, values, strict=True):
            axes.text(x, y, value, ha=side, va="center", size=size, color=ink)


def _colour(index: int, count: int) -> str:
    """Hues in the order of driving, neighbours told apart by brightness."""
    hue = (0.45 + 0.85 * index / max(count, 1)) % 1.0
    red, green, blue = hsv_to_rgb((hue, *((0.78, 0.82) if index % 2 else (0.9, 0.6))))
    return to_hex((red, green, blue))
