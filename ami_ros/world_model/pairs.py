"""Two pictures compared early, as maps of features: whether they see the same, where the second was taken, how sure.

Codes of whole pictures fall apart in buildings that no model was trained in; what a cell of one picture matches in
the other does not. So each cell of the first is looked for in all of the second: a learned cost volume, as in stereo
and optical flow (RAFT, arXiv 2003.12039; LoFTR, arXiv 2104.00680). Each cell also guesses how far off that is what it
shows, so that matched cells are points on the floor plan, and the pose is what brings those of one picture onto those
of the other; what is left of the error is read from the maps.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ami_ros.core.camera import CameraMount, Window
from ami_ros.world_model.array_pairs import ArrayPairs, Compared
from ami_ros.world_model.layers import (
    Floats,
    Network,
    Values,
    flattened,
    float32,
    joined,
    kind_of,
    like,
    permuted,
    pooled,
    sigmoid,
    softmax,
    unit,
    unshuffled,
)
from ami_ros.world_model.spec import PAIR, ModelSpec
from ami_ros.world_model.two_views import describe, shrunk


class Residual(Network):
    """What is added to a map of features."""

    def __init__(self, nn: Any, width: int) -> None:
        self.layers = nn.Sequential(
            nn.GroupNorm(8, width), nn.GELU(), nn.Conv2d(width, width, 3),
            nn.GroupNorm(8, width), nn.GELU(), nn.Conv2d(width, width, 3),
        )  # fmt: skip

    def forward(self, x: Values) -> Values:
        """(batch, height, width, channels), and so it stays."""
        return x + self.layers(x)


class FeatureMap(Network):
    """A picture, and where its pixels look -> a map of features, each of which knows what is around it.

    Unshuffling first keeps the full resolution out of the convolutions, as in `ConvolutionEncoder`.
    """

    def __init__(self, nn: Any) -> None:
        self.layers = nn.Sequential(
            nn.Conv2d(3 * PAIR.first**2 + PAIR.told, 64, 3), nn.GroupNorm(8, 64), nn.GELU(),
            nn.Conv2d(64, 96, 3, 2), nn.network(Residual, 96), nn.network(Residual, 96), nn.GELU(),
            nn.Conv2d(96, PAIR.channels, 1),
        )  # fmt: skip

    def forward(self, image: Values, told: Values) -> Values:
        """(batch, 3, size, size) uint8 -> (batch, size / 8, size / 8, channels); `told` is that of `PictureRays`, of
        each picture or of all."""
        return float32(self.layers(with_rays(image, told)))


def with_rays(image: Values, told: Values) -> Values:
    """Pictures (batch, 3, size, size) uint8, unshuffled by 4, and what their pixels are told -> (batch, size / 4,
    size / 4, channels)."""
    x = unshuffled(float32(image) / 255 - 0.5, PAIR.first)
    told = permuted(told, 0, 2, 3, 1)
    return joined(x, kind_of(x).broadcast_to(told, (*x.shape[:3], PAIR.told)))


class Matching(NamedTuple):
    """Where the cells of the first picture are in the second."""

    scores: Values  # (pairs, cells, cells + 1) logits; the last is "not there"
    first: Values  # (pairs, cells, PAIR.channels) of the first picture
    second: Values  # likewise of the second
    bearings: tuple[Values, Values]  # (pairs or 1, cells) [rad] in which cells of each look


class PairHead(ArrayPairs, Network):
    """Compares pictures of one camera. Maps are kept flat, (..., code), so that they travel as other codes do.

    Poses are those of base_link, the camera sitting at `mount`. Of the square that the model's camera would see it sees
    the `window`: compared is the smallest square in its middle that holds that, a `share` of its sides.

    What it says is calibrated on buildings that it was not trained in (`learning.pair_calibration`), and the figures
    are kept with the weights.
    """

    def __init__(self, nn: Any, spec: ModelSpec) -> None:
        self.size = spec.pair_size
        self.full = math.tan(spec.inputs.field_of_view / 2) if spec.inputs.field_of_view else 1.0
        self.mount, self.window = CameraMount(), Window.square(self.full)
        self.features = nn.network(FeatureMap)
        self.unseen = nn.Linear(PAIR.channels, 1)
        self.shape = nn.Sequential(nn.Linear(PAIR.channels, 64), nn.GELU(), nn.Linear(64, 3))
        self.add("log_scale", math.log(15.0))
        seen, width = 8 + 2 + 4 + 2 * 16, 64  # channels of the maps that are read, and of what reads them
        self.read = nn.Sequential(
            nn.Conv2d(seen, width, 3), nn.GroupNorm(8, width), nn.GELU(),
            nn.Conv2d(width, width, 3, 2), nn.GroupNorm(8, width), nn.GELU(),
            nn.Conv2d(width, width, 3, 2), nn.GroupNorm(8, width), nn.GELU(), nn.Flatten(),
            nn.Linear(width * math.ceil(self.side / 4) ** 2, 128), nn.LayerNorm(128), nn.GELU(),
        )  # fmt: skip
        self.out = nn.zeroed(nn.Linear(128 + 7, 6))
        steps = (np.arange(self.side, dtype=np.float32) + 0.5) / self.side * 2 - 1
        self.cells = np.stack(np.meshgrid(steps, steps, indexing="xy"), -1).reshape(-1, 2)  # across, down, in -1 to 1
        # Set by calibration: logit of `same` divided by the first; error times the second; least logits to rely on, of
        # a camera that sees all of the picture, and of a narrow one.
        self.add("calibration", [1.0, 1.0, 2.0, 2.0], learned=False)

    def code(self, image: Values) -> Values:
        """(batch, 3, n, n) uint8, the `share` of pictures, n a multiple of `size` -> (batch, code), to be kept and
        compared: the map, a small picture of what the camera sees, and its points."""
        pixels = np.asarray(image)
        points = [describe(each, *self.window.pixels(self.tangent, pixels.shape[-1]), self._sees) for each in pixels]
        pixels = shrunk(pixels, self.size)
        rows, columns = self.window.pixels(self.tangent, self.size)
        small = thumb(pixels[..., rows, columns].astype(np.float32)).reshape(len(pixels), -1)
        maps = self.features(like(pixels, image), like(self.rays.told[None], image))
        return joined(flattened(maps), like(small, image), like(np.stack(points), image))

    def cells_of(self, code: Values) -> Values:
        """(..., code) -> (..., cells, PAIR.channels)."""
        cells = code[..., : PAIR.channels * self.side**2]
        return cells.reshape(*cells.shape[:-1], PAIR.channels, self.side**2).swapaxes(-1, -2)

    def plan(self, cells: Values, bearings: Values) -> tuple[Values, Values]:
        """What cells show, as points on the floor plan.

        Args:
            cells: (..., cells, PAIR.channels).
            bearings: (..., cells) in which the cells look; see `PictureRays`.

        Returns:
            (..., cells, 2) range [m, as a logarithm] and bearing [rad, to the left] from the base, and (..., cells) how
            much a cell counts, as a logarithm.
        """
        found = self.shape(cells)
        xp = kind_of(found)
        bearing = bearings + 0.35 * xp.tanh(found[..., 1])
        return xp.stack([found[..., 0].clip(-2.5, 3.0), bearing], -1), found[..., 2].clip(-4.0, 4.0)

    def distances(self, code: Values) -> Values:
        """(cells,) [m] how far off that is what the cells of a picture (code,) show, as they guess it."""
        polar, _ = self.plan(self.cells_of(code)[None], like(self.rays.bearings, code))
        return kind_of(code).exp(polar[0, :, 0])

    def match(self, first: Values, second: Values, bearings: tuple[Values, Values] | None = None) -> Matching:
        """Cells of the first pictures (pairs, cells, channels) among those of the second; the `bearings` of their cells
        are this camera's, if not given."""
        sharp = kind_of(first).exp(self.log_scale)
        scores = unit(first) @ unit(second).swapaxes(-1, -2) * sharp
        own = like(self.rays.bearings, first) if bearings is None else None
        return Matching(joined(scores, self.unseen(first)), first, second, bearings or (own, own))

    def judge(self, found: Matching, columns: Values | None = None) -> Values:
        """Reads what cells found.

        Args:
            found: of `match`.
            columns: (pairs, side) [m] what a laser sees in the directions of the columns of cells, at the moment of the
                first picture: inf where it saw nothing, NaN where there is none; None: there is no laser.

        Returns:
            (pairs, 6): x, y [m], cos, sin, of the camera; logarithm of the expected error, logit of `same`; not
            calibrated.
        """
        share, cells = softmax(found.scores), like(self.cells, found.scores)
        xp = kind_of(share)
        there, visible = share[..., :-1], 1 - share[..., -1]
        sure, seen = visible.clip(1e-4)[..., None], visible[..., None]
        at = there @ cells / sure
        spread = (there @ xp.square(cells) / sure - xp.square(at)).clip(0) + 1e-6
        # Where a cell may be in several places it is in none of them: the mean of all would be beside each.
        peaks = xp.square(there)
        peak = peaks.sum(-1)
        aligned, residual, own, other = self._align(found, peaks / (peak[..., None] + 1e-9), peak)
        maps = [
            (at - cells) * seen, at, xp.sqrt(spread.sum(-1))[..., None], seen, xp.broadcast_to(cells, at.shape),
            self._laser(columns, at), own / 4, other / 4, found.first[..., :16], there @ found.second[..., :16],
        ]  # fmt: skip
        read = self.read(joined(*maps).reshape(len(at), self.side, self.side, -1))
        counted = 4 * xp.stack([visible.mean(-1), peak.mean(-1)], -1)
        out = self.out(joined(read, counted, aligned, residual))
        heading = unit(aligned[:, 2:] + out[:, 2:4], 1e-6)
        return joined(aligned[:, :2] + out[:, :2], heading, out[:, 4:5].clip(-4.0, 2.0), out[:, 5:])

    def _align(self, found: Matching, share: Values, sure: Values) -> tuple[Values, Values, Values, Values]:
        """The motion that brings the second picture's points onto the first's, in closed form (Kabsch, weighted).

        Args:
            found: of `match`.
            share: (pairs, cells, cells) where each cell is, of those that are there.
            sure: (pairs, cells) how sure that is.

        Returns:
            The pose (pairs, 4), how far off points are then (pairs, 1) [m], and the points (pairs, cells, 2) of each.
        """
        xp = kind_of(share)
        (polar, counts), (others, _) = (
            self.plan(cells, bearings)
            for cells, bearings in zip((found.first, found.second), found.bearings, strict=True)
        )
        own, other = _points(polar), share @ _points(others)
        weight = sure * xp.exp(counts - 2 * xp.log(0.3 + xp.exp(polar[..., 0]))) + 1e-7
        weight = (weight / weight.sum(-1)[..., None])[..., None]
        middle, other_middle = (weight * own).sum(-2), (weight * other).sum(-2)
        p, q = own - middle[:, None], other - other_middle[:, None]
        cross = q[..., 0] * p[..., 1] - q[..., 1] * p[..., 0]
        turn = unit(xp.stack([(weight * p * q).sum((-1, -2)) + 1e-4, (weight[..., 0] * cross).sum(-1)], -1))
        c, s = turn[:, None, 0], turn[:, None, 1]
        moved = xp.stack([c * other[..., 0] - s * other[..., 1], s * other[..., 0] + c * other[..., 1]], -1)
        shift = middle - (weight * moved).sum(-2)
        off = (xp.square(own - moved - shift[:, None]).sum(-1) * weight[..., 0]).sum(-1)[..., None]
        return joined(shift, turn), xp.sqrt(off + 1e-6), own, other

    def _laser(self, columns: Values | None, at: Values) -> Values:
        """(pairs, cells, 2) how near the laser saw something in the column of each cell, and whether there is one."""
        if columns is None:
            return kind_of(at).zeros_like(at)
        known = columns > 0  # not where it is NaN
        xp = kind_of(columns)
        near = xp.where(known, 1 / columns.clip(0.3, 8.0), 0.0)
        seen = xp.stack([near, float32(known)], -1)[:, None]
        return float32(xp.broadcast_to(seen, (len(at), self.side, self.side, 2)).reshape(at.shape))

    def forward(self, here: Values, there: Values, columns: Values | None = None) -> Compared:
        """Compares pairs of codes (pairs, code), by what is learned alone; see `judge` for `columns`."""
        return self.verdict(self.judge(self.match(self.cells_of(here), self.cells_of(there)), columns))

    def verdict(self, out: Values) -> Compared:
        """What `judge` gave, calibrated."""
        temperature, scale = self.calibration[:2]
        error = kind_of(out).exp(out[..., 4]) * scale
        return Compared(self.mount.of_base(out[..., :4]), error, sigmoid(out[..., 5] / temperature))


def _points(polar: Values) -> Values:
    """Range [m, as a logarithm] and bearing [rad] (..., 2) as x and y [m]."""
    xp, bearing = kind_of(polar), polar[..., 1]
    return xp.exp(polar[..., :1]) * xp.stack([xp.cos(bearing), xp.sin(bearing)], -1)


def thumb(image: Floats) -> Floats:
    """(batch, 3, height, width) -> (batch, 3, PAIR.thumb, PAIR.thumb), each colour as a share of its mean: exposure and
    white balance leave it as it is."""
    small = pooled(image, PAIR.thumb)
    small /= np.maximum(small.mean((-2, -1), keepdims=True), 1.0)
    return small
