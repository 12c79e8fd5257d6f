"""Two pictures compared early, as maps of features: whether they see the same, where the second was taken, how sure.

Codes of whole pictures fall apart in buildings that no model was trained in; what a cell of one picture matches in
the other does not. So each cell of the first is looked for in all of the second: a learned cost volume, as in stereo
and optical flow (RAFT, arXiv 2003.12039; LoFTR, arXiv 2104.00680). Each cell also guesses how far off that is what it
shows, so that matched cells are points on the floor plan, and the pose is what brings those of one picture onto those
of the other; what is left of the error is read from the maps.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ami_ros.camera import CameraMount, Window
from ami_ros.world_model.array_pairs import LASER
from ami_ros.world_model.local_features import describe, shrunk
from ami_ros.world_model.picture_rays import CHANNELS as TOLD
from ami_ros.world_model.picture_rays import FIRST, compared, picture_rays
from ami_ros.world_model.spec import PAIR_CHANNELS as CHANNELS
from ami_ros.world_model.spec import PAIR_ERRORS as LIMITS
from ami_ros.world_model.spec import PAIR_SHOWN as SHOWN
from ami_ros.world_model.spec import PAIR_SKEW as SKEW
from ami_ros.world_model.spec import PAIR_STRIDE as STRIDE
from ami_ros.world_model.spec import PAIR_THUMB as THUMB
from ami_ros.world_model.spec import ModelSpec, relied_on


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.GroupNorm(8, width), nn.GELU(), nn.Conv2d(width, width, 3, padding=1),
            nn.GroupNorm(8, width), nn.GELU(), nn.Conv2d(width, width, 3, padding=1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.layers(x)
        return out


class FeatureMap(nn.Module):
    """A picture, and where its pixels look -> a map of features, each of which knows what is around it.

    Unshuffling first keeps the full resolution out of the convolutions, as in `ConvolutionEncoder`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3 * FIRST**2 + TOLD, 64, 3, padding=1), nn.GroupNorm(8, 64), nn.GELU(),
            nn.Conv2d(64, 96, 3, stride=2, padding=1), _Residual(96), _Residual(96), nn.GELU(),
            nn.Conv2d(96, CHANNELS, 1),
        )  # fmt: skip

    def forward(self, image: Tensor, told: Tensor) -> Tensor:
        """(batch, 3, size, size) uint8 -> (batch, CHANNELS, size / 8, size / 8); `told` is that of `PictureRays`, of
        each picture or of all."""
        x = functional.pixel_unshuffle(image.float() / 255.0 - 0.5, FIRST)
        x = torch.cat([x, told.expand(len(x), -1, -1, -1)], 1)
        features: Tensor = self.layers(x.contiguous(memory_format=torch.channels_last))
        return features.float()


WIDTH = 64  # channels of what reads it
SUMMARY = 7  # numbers that say of a pair what comes of it all


class Verdict(NamedTuple):
    """What pairs of pictures say, each a tensor whose leading dimensions are those of the pairs."""

    pose: Tensor  # (..., 4): x, y [m], cos, sin of the second picture's yaw in the base frame of the first
    error: Tensor  # (...) expected error of x and y [m]
    same: Tensor  # (...) probability that both see the same


class Matching(NamedTuple):
    """Where the cells of the first picture are in the second."""

    scores: Tensor  # (pairs, cells, cells + 1) logits; the last is "not there"
    first: Tensor  # (pairs, CHANNELS, side, side) of the first picture
    second: Tensor  # likewise of the second
    bearings: tuple[Tensor, Tensor]  # (pairs or 1, cells) [rad] in which cells of each look


def _points(polar: Tensor) -> Tensor:
    """Range [m, as a logarithm] and bearing [rad] (..., 2) as x and y [m]."""
    return polar[..., :1].exp() * torch.stack([polar[..., 1].cos(), polar[..., 1].sin()], -1)


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _turned(points: Tensor, turn: Tensor) -> Tensor:
    """Points (..., 2), turned by cos and sin (..., 2)."""
    c, s = turn.unbind(-1)
    return torch.stack([c * points[..., 0] - s * points[..., 1], s * points[..., 0] + c * points[..., 1]], -1)


def thumb(image: Tensor) -> Tensor:
    """(batch, 3, height, width) uint8 -> (batch, 3, THUMB, THUMB), each colour as a share of its mean: exposure and
    white balance leave it as it is."""
    small = functional.adaptive_avg_pool2d(image.float(), THUMB)
    return small / small.mean((-2, -1), keepdim=True).clamp(min=1.0)


class PairHead(nn.Module):
    """Compares pictures of one camera. Maps are kept flat, (..., code), so that they travel as other codes do.

    Poses are those of base_link, the camera sitting at `mount`. Of the square that the model's camera would see it sees
    the `window`: compared is the smallest square in its middle that holds that, a `share` of its sides.

    What it says is calibrated on buildings that it was not trained in (`learning.pair_calibration`), and the figures
    are kept with the weights.
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.size, self.side = spec.pair_size, spec.pair_size // STRIDE
        self.code_size = spec.picture_code
        self.full = math.tan(spec.inputs.field_of_view / 2) if spec.inputs.field_of_view else 1.0
        self.mount, self.window = CameraMount(), Window.square(self.full)
        self.features = FeatureMap()
        self.unseen = nn.Linear(CHANNELS, 1)
        self.shape = nn.Sequential(nn.Linear(CHANNELS, 64), nn.GELU(), nn.Linear(64, 3))
        self.log_scale = nn.Parameter(torch.tensor(math.log(15.0)))
        inputs = 8 + 2 + 4 + 2 * SHOWN
        self.read = nn.Sequential(
            nn.Conv2d(inputs, WIDTH, 3, padding=1), nn.GroupNorm(8, WIDTH), nn.GELU(),
            nn.Conv2d(WIDTH, WIDTH, 3, stride=2, padding=1), nn.GroupNorm(8, WIDTH), nn.GELU(),
            nn.Conv2d(WIDTH, WIDTH, 3, stride=2, padding=1), nn.GroupNorm(8, WIDTH), nn.GELU(), nn.Flatten(),
            nn.Linear(WIDTH * math.ceil(self.side / 4) ** 2, 128), nn.LayerNorm(128), nn.GELU(),
        )  # fmt: skip
        self.out = nn.Linear(128 + SUMMARY, 6)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        steps = (torch.arange(self.side) + 0.5) / self.side * 2 - 1
        cells = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), -1).reshape(-1, 2)
        self.cells: Tensor
        self.register_buffer("cells", cells, persistent=False)  # (side * side, 2) across, down, in -1 to 1
        self.places: Tensor
        places = cells.T.reshape(2, self.side, self.side)
        self.register_buffer("places", places.contiguous(), persistent=False)
        # Set by calibration: logit of `same` divided by the first; error times the second; least logits to rely on, of
        # a camera that sees all of the picture, and of a narrow one.
        self.calibration: Tensor
        self.register_buffer("calibration", torch.tensor([1.0, 1.0, 2.0, 2.0]))

    @property
    def tangent(self) -> float:
        """How far from its axis, at distance 1, the pictures reach that are compared."""
        return compared(self.window, self.full)

    @property
    def share(self) -> float:
        """Of a picture's sides, as the model's camera would have taken it: what is compared, in its middle."""
        return self.tangent / self.full

    @property
    def rays(self) -> tuple[Tensor, Tensor]:
        """Where this camera's pixels look: see `PictureRays`."""
        told, bearings = picture_rays(self.mount, self.tangent, self.size)
        return torch.from_numpy(told)[None], torch.from_numpy(bearings)[None]

    @property
    def threshold(self) -> float:
        """Least `same` at which a pair is relied on: few pairs that do not see the same reach it."""
        return 1 / (1 + math.exp(-relied_on(self.calibration.tolist(), self._sees)))

    @property
    def _sees(self) -> float:
        """What part of the picture that the model's camera would take this one does."""
        return self.window.area / Window.square(self.full).area

    def code(self, image: Tensor) -> Tensor:
        """(batch, 3, n, n) uint8, the `share` of pictures, n a multiple of `size` -> (batch, code), to be kept and
        compared: the map, a small picture of what the camera sees, and its points."""
        pixels = np.asarray(image)
        points = [describe(each, *self.window.pixels(self.tangent, pixels.shape[-1]), self._sees) for each in pixels]
        image = torch.from_numpy(shrunk(pixels, self.size))
        rows, columns = self.window.pixels(self.tangent, self.size)
        small = thumb(image[..., rows, columns])
        parts = self.features(image, self.rays[0]), small, torch.from_numpy(np.stack(points))
        return torch.cat([part.flatten(1) for part in parts], -1)

    def plan(self, features: Tensor, bearings: Tensor) -> tuple[Tensor, Tensor]:
        """What cells show, as points on the floor plan.

        Args:
            features: (..., CHANNELS, side, side).
            bearings: (..., cells) in which the cells look; see `PictureRays`.

        Returns:
            (..., cells, 2) range [m, as a logarithm] and bearing [rad, to the left] from the base, and (..., cells) how
            much a cell counts, as a logarithm.
        """
        found = self.shape(features.flatten(-2).transpose(-1, -2))
        bearing = bearings + SKEW * found[..., 1].tanh()
        return torch.stack([found[..., 0].clamp(-2.5, 3.0), bearing], -1), found[..., 2].clamp(-4.0, 4.0)

    def match(self, here: Tensor, there: Tensor, bearings: tuple[Tensor, Tensor] | None = None) -> Matching:
        """Cells of `here` (pairs, code) among those of `there` (pairs, code); the `bearings` of their cells are this
        camera's, if not given."""
        shape = (CHANNELS, self.side, self.side)
        cells = math.prod(shape)
        first, second = here[..., :cells].unflatten(-1, shape), there[..., :cells].unflatten(-1, shape)
        a, b = first.flatten(-2), second.flatten(-2)
        unseen = self.unseen(a.transpose(-1, -2))
        a, b = functional.normalize(a, dim=-2), functional.normalize(b, dim=-2)
        scores = a.transpose(-1, -2) @ b * self.log_scale.exp()
        return Matching(torch.cat([scores, unseen], -1), first, second, bearings or (self.rays[1], self.rays[1]))

    def judge(self, found: Matching, columns: Tensor | None = None) -> Tensor:
        """Reads what cells found.

        Args:
            found: of `match`.
            columns: (pairs, side) [m] what a laser sees in the directions of the columns of cells, at the moment of the
                first picture: inf where it saw nothing, NaN where there is none; None: there is no laser.

        Returns:
            (pairs, 6): x, y [m], cos, sin, of the camera; logarithm of the expected error, logit of `same`; not
            calibrated.
        """
        square = (self.side, self.side)
        share = found.scores.softmax(-1)
        there, visible = share[..., :-1], 1 - share[..., -1]
        sure = visible.clamp(min=1e-4)[..., None]
        at = there @ self.cells / sure
        spread = ((there @ self.cells.square() / sure - at.square()).clamp(min=0) + 1e-6).sum(-1).sqrt()
        grid = (at.transpose(-1, -2).unflatten(-1, square), spread.unflatten(-1, square)[:, None])
        # Where a cell may be in several places it is in none of them: the mean of all would be beside each.
        peaks = there.square()
        peak = peaks.sum(-1)
        aligned, residual, own, other = self._align(found, peaks / (peak[..., None] + 1e-9), peak)
        warped = there @ found.second.flatten(-2).transpose(-1, -2)[..., :SHOWN]
        places = self.places.expand(len(share), -1, -1, -1)
        seen = visible.unflatten(-1, square)[:, None]
        maps = [
            (grid[0] - places) * seen, grid[0], *grid[1:], seen, places, self._laser(columns, len(share)),
            (own / 4).transpose(-1, -2).unflatten(-1, square), (other / 4).transpose(-1, -2).unflatten(-1, square),
            found.first[:, :SHOWN], warped.transpose(-1, -2).unflatten(-1, square),
        ]  # fmt: skip
        read = self.read(torch.cat(maps, 1))
        counted = torch.stack([visible.mean(-1), peak.mean(-1)], -1)
        out: Tensor = self.out(torch.cat([read, 4 * counted, aligned, residual], -1))
        heading = functional.normalize(aligned[:, 2:] + out[:, 2:4], dim=-1, eps=1e-6)
        return torch.cat([aligned[:, :2] + out[:, :2], heading, out[:, 4:5].clamp(*LIMITS), out[:, 5:]], -1)

    def _align(self, found: Matching, share: Tensor, sure: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The motion that brings the second picture's points onto the first's, in closed form (Kabsch, weighted).

        Args:
            found: of `match`.
            share: (pairs, cells, cells) where each cell is, of those that are there.
            sure: (pairs, cells) how sure that is.

        Returns:
            The pose (pairs, 4), how far off points are then (pairs, 1) [m], and the points (pairs, cells, 2) of each.
        """
        (polar, counts), (others, _) = (
            self.plan(cells, bearings)
            for cells, bearings in zip((found.first, found.second), found.bearings, strict=True)
        )
        own, other = _points(polar), share @ _points(others)
        weight = sure * (counts - 2 * (0.3 + polar[..., 0].exp()).log()).exp() + 1e-7
        weight = (weight / weight.sum(-1, keepdim=True))[..., None]
        middle, other_middle = (weight * own).sum(-2), (weight * other).sum(-2)
        p, q = own - middle[:, None], other - other_middle[:, None]
        turn = torch.stack([(weight * p * q).sum((-1, -2)), (weight[..., 0] * _cross(q, p)).sum(-1)], -1)
        turn = functional.normalize(turn + torch.tensor([1e-4, 0.0]), dim=-1)
        moved = _turned(other, turn[:, None])
        shift = middle - (weight * moved).sum(-2)
        off = ((own - moved - shift[:, None]).square().sum(-1) * weight[..., 0]).sum(-1, keepdim=True)
        return torch.cat([shift, turn], -1), (off + 1e-6).sqrt(), own, other

    def _laser(self, columns: Tensor | None, pairs: int) -> Tensor:
        """(pairs, 2, side, side): how near the laser saw something in each column, and whether there is a laser."""
        if columns is None:
            return self.places.new_zeros(pairs, 2, self.side, self.side)
        known = columns > 0  # not where it is NaN
        near = torch.where(known, 1.0 / columns.clamp(*LASER), 0.0)
        return torch.stack([near, known.float()], 1)[:, :, None].expand(-1, -1, self.side, -1)

    def forward(self, here: Tensor, there: Tensor, columns: Tensor | None = None) -> Verdict:
        """Compares pairs of codes (pairs, code); see `judge` for `columns`."""
        return self.verdict(self.judge(self.match(here, there), columns))

    def verdict(self, out: Tensor) -> Verdict:
        """What `judge` gave, calibrated."""
        temperature, scale = self.calibration[:2]
        pose = self.mount.of_base(out[..., :4])
        return Verdict(pose, out[..., 4].exp() * scale, (out[..., 5] / temperature).sigmoid())
