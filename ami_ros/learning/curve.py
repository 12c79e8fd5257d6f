"""The curve of a training, drawn: losses, and the signs of life beside them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from ami_ros.extras import importing
from ami_ros.world_model.identity import write_atomically

with importing("train"):
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

CURVE, PICTURE = "curve.jsonl", "curve.png"
SIGNS = {
    "latent_rank": "effective rank of the latents",
    "prediction_to_persistence": "prediction error, of that of no change",
    "shuffle_to_prediction": "error with others' commands, of that with the right ones",
}


def draw_curve(folder: Path) -> None:
    """Draws `CURVE` of a model folder into `PICTURE` beside it; nothing where there is no curve.

    Raises:
        OSError: it cannot be written.
    """
    rows = _rows(folder / CURVE)
    if not rows:
        return
    figure = Figure(figsize=(12, 4), layout="constrained")
    FigureCanvasAgg(figure)
    losses, *others = figure.subplots(1, 1 + len(SIGNS), width_ratios=[2, *[1] * len(SIGNS)])
    for name in [name for name in rows[-1] if name not in ("step", *SIGNS)]:
        _draw(losses, rows, name, label=name, linewidth=2.5 if name == "total" else 1.2)
    losses.set_yscale("log")
    losses.set_title("losses, weighted")
    losses.legend(frameon=False, fontsize=8, ncols=2)
    for axes, (name, title) in zip(others, SIGNS.items(), strict=True):
        _draw(axes, rows, name)
        axes.set_title(title, fontsize=9)
        axes.set_ylim(bottom=0)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    write_atomically(folder / PICTURE, picture.getvalue())


def _rows(file: Path) -> list[dict[str, Any]]:
    """The lines of the curve by step; after an interruption the later ones count, and half lines do not."""
    found: dict[int, dict[str, Any]] = {}
    for line in file.read_text("utf-8").splitlines() if file.is_file() else ():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        found[row["step"]] = row
    return [found[step] for step in sorted(found)]


def _draw(axes: Axes, rows: list[dict[str, Any]], name: str, **style: Any) -> None:
    points = [(row["step"], row[name]) for row in rows if name in row]
    if points:
        axes.plot(*zip(*points, strict=True), **style)
    axes.set_xlabel("step")
    axes.spines[["top", "right"]].set_visible(False)
