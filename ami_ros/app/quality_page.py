"""The report of `ami evaluate`: one HTML file that needs no other."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from ami_ros.app import quality_charts
from ami_ros.evaluation.album import Album, Shot
from ami_ros.evaluation.model_quality import ModelQuality


@dataclass(frozen=True)
class Floor:
    """What a figure has to reach before a robot is trusted to a model."""

    figure: str
    words: str
    limit: float
    at_most: bool  # else at least
    unit: str = ""

    def reached(self, value: float) -> bool:
        """Whether `value` is good enough."""
        return value <= self.limit if self.at_most else value >= self.limit

    def rule(self) -> str:
        """The condition in words."""
        return f"{'at most' if self.at_most else 'at least'} {self.limit:g}{self.unit}"


FLOORS = (
    Floor("probe_position_median_m", "the latent knows the place: position off by, median", 0.20, True, " m"),
    Floor(
        "prediction_to_persistence_4_steps",
        "imagination beats 'nothing changes', 4 steps ahead: error ratio",
        0.30,
        True,
    ),
    Floor("latent_rank", "the latent has not collapsed: effective rank", 10, False),
    Floor("surprise_auroc", "it notices what cannot be: AUROC of surprise", 0.95, False),
    Floor("uncertainty_spearman", "it knows when it errs: rank correlation of uncertainty and error", 0.5, False),
)
CHARTS = (
    ("Imagination against time", quality_charts.foresight_chart),
    ("Imagination in metres", quality_charts.position_chart),
    ("Surprise", quality_charts.surprise_chart),
    ("Uncertainty: the error that was expected, and that came", quality_charts.uncertainty_chart),
    ("Relative pose of two moments, by distance", quality_charts.distance_chart),
    ("Where the robot was (dots), and where the latent says", quality_charts.map_chart),
)


def quality_page(
    title: str, subtitle: str, footer: str, quality: ModelQuality, figures: Mapping[str, Any], album: Album | None
) -> str:
    """The page.

    Args:
        title: of the page.
        subtitle: what was measured on what.
        footer: hardware and the like.
        quality: for the charts.
        figures: flat, for the cards and the table.
        album: pictures; None for models that see none.
    """
    charts = [(caption, draw(quality)) for caption, draw in CHARTS]
    page = files("ami_ros.app").joinpath("quality_page.html").read_text("utf-8")
    return Template(page).substitute(
        title=escape(title),
        subtitle=escape(subtitle),
        footer=escape(footer),
        cards="".join(_card(floor, figures[floor.figure]) for floor in FLOORS if floor.figure in figures),
        dreams=_dreams(album) if album else "",
        neighbours=_neighbours(album) if album else "",
        charts="".join(f"<figure><figcaption>{escape(c)}</figcaption>{svg}</figure>" for c, svg in charts if svg),
        figures="".join(f"<tr><td>{escape(name)}<td>{_number(value)}" for name, value in figures.items()),
    )


def _card(floor: Floor, value: float) -> str:
    state = "" if floor.reached(value) else " missed"
    words = f"<b>{_number(value)}{floor.unit}</b>{escape(floor.words)}<br><small>{floor.rule()}</small>"
    return f'<div class="card{state}">{words}</div>'


def _dreams(album: Album) -> str:
    text = (
        "<h2>What the robot imagines</h2><p>From one moment on it only hears its commands. Above, what the camera saw; "
        "below, the remembered picture whose latent is the nearest to the imagined one, with how far that picture was "
        "taken from where the robot really was.</p>"
    )
    for came, dreamt in album.dreams:
        text += f'<div class="dream scroll">{_strip("seen", came)}{_strip("imagined", dreamt)}</div>'
    return text


def _neighbours(album: Album) -> str:
    text = (
        "<h2>What looks alike to it</h2><p>A moment of a run that was held out (framed), and the five remembered "
        "moments of other runs whose latents are the nearest.</p>"
    )
    return text + "".join(f'<div class="scroll">{_strip("", row, True)}</div>' for row in album.neighbours)


def _strip(name: str, shots: list[Shot], framed: bool = False) -> str:
    label = f"<span>{escape(name)}</span>" if name else ""
    return f'<div class="strip">{label}{"".join(_shot(s, framed and not i) for i, s in enumerate(shots))}</div>'


def _shot(shot: Shot, is_framed: bool) -> str:
    data = base64.b64encode(shot.jpeg).decode()
    frame = " first" if is_framed else ""
    return f'<div class="shot{frame}"><img alt="" src="data:image/jpeg;base64,{data}">{escape(shot.caption)}</div>'


def _number(value: Any) -> str:
    return escape(
        f"{value:.3g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
    )
