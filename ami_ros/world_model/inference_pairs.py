"""`pairs.PairHead` by NumPy: pictures become codes, and codes are compared."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ami_ros.camera import CameraMount, Window
from ami_ros.world_model.array_pairs import LASER, ArrayPairs, Compared
from ami_ros.world_model.layers import (
    Floats,
    Layer,
    Weights,
    convolution,
    flattened,
    gelu,
    group_norm,
    layer_norm,
    linear,
    pooled,
    sequence,
    sigmoid,
    softmax,
    unit,
    unshuffled,
)  # fmt: skip
from ami_ros.world_model.local_features import describe, shrunk
from ami_ros.world_model.picture_rays import FIRST, PictureRays, compared, picture_rays
from ami_ros.world_model.spec import (
    PAIR_CHANNELS,
    PAIR_ERRORS,
    PAIR_SHOWN,
    PAIR_SKEW,
    PAIR_THUMB,
    ModelSpec,
    relied_on,
)  # fmt: skip


class InferencePairs(ArrayPairs):
    """Names and formulas are those of `PairHead`.

    Args:
        spec: of the model.
        weights: of the whole model, by the names of its `state_dict`.
    """

    def __init__(self, spec: ModelSpec, weights: Weights) -> None:
        self._weights, self.size = weights, spec.pair_size
        self._full = math.tan(spec.inputs.field_of_view / 2) if spec.inputs.field_of_view else 1.0
        self.mount, self.window = CameraMount(), Window.square(self._full)
        steps = (np.arange(self.side, dtype=np.float32) + 0.5) / self.side * 2 - 1
        self._cells = np.stack(np.meshgrid(steps, steps, indexing="xy"), -1).reshape(-1, 2)  # (cells, 2) across, down
        self._features = self._map("pairs.features.layers")
        self._unseen, self._out = linear(weights, "pairs.unseen"), linear(weights, "pairs.out")
        self._shape = sequence(linear(weights, "pairs.shape.0"), gelu, linear(weights, "pairs.shape.2"))
        self._read = self._reading("pairs.read")
        self._sharp = float(np.exp(weights["pairs.log_scale"]))
        self._calibration = [float(value) for value in weights["pairs.calibration"]]

    @property
    def tangent(self) -> float:
        """How far from its axis, at distance 1, the pictures reach that are compared."""
        return compared(self.window, self._full)

    @property
    def share(self) -> float:
        return self.tangent / self._full

    @property
    def rays(self) -> PictureRays:
        """Where this camera's pixels look."""
        return picture_rays(self.mount, self.tangent, self.size)

    @property
    def threshold(self) -> float:
        return float(sigmoid(relied_on(self._calibration, self._sees)))

    @property
    def _sees(self) -> float:
        """What part of the picture that the model's camera would take this one does."""
        return self.window.area / Window.square(self._full).area

    def code(self, image: NDArray[np.uint8]) -> Floats:
        points = [describe(each, *self.window.pixels(self.tangent, image.shape[-1]), self._sees) for each in image]
        image = shrunk(image, self.size)
        rows, columns = self.window.pixels(self.tangent, self.size)
        small = pooled(image[..., rows, columns].astype(np.float32), PAIR_THUMB)
        small /= np.maximum(small.mean((-2, -1), keepdims=True), 1.0)
        x = unshuffled(np.asarray(image.transpose(0, 2, 3, 1) / np.float32(255) - 0.5, np.float32), FIRST)
        told = self.rays.told.transpose(1, 2, 0)
        x = np.concatenate([x, np.broadcast_to(told, (len(x), *told.shape))], -1)
        return np.concatenate([flattened(self._features(x)), small.reshape(len(x), -1), np.stack(points)], -1)

    def _compare(self, here: Floats, there: Floats, columns: Floats | None = None) -> Compared:
        out = self._judge(self._cells_of(here), self._cells_of(there), self._laser(columns, len(here)))
        temperature, scale = self._calibration[:2]
        pose = self.mount.of_base(out[:, :4])
        return Compared(pose, np.exp(out[:, 4]) * np.float32(scale), sigmoid(out[:, 5] / np.float32(temperature)))

    def _cells_of(self, code: Floats) -> Floats:
        """(pairs, code) -> (pairs, cells, channels)."""
        count = len(self._cells)
        return code[:, : PAIR_CHANNELS * count].reshape(len(code), PAIR_CHANNELS, count).transpose(0, 2, 1)

    def distances(self, code: Floats) -> Floats:
        return np.asarray(self._plan(self._cells_of(code[None]))[0][0])

    def _laser(self, columns: Floats | None, pairs: int) -> Floats:
        """(pairs, cells, 2) how near the laser saw something in the column of each cell, and whether there is one."""
        shape = pairs, self.side, self.side, 2
        if columns is None:
            return np.zeros(shape, np.float32).reshape(pairs, -1, 2)
        known = columns > 0  # not where it is NaN
        near = np.where(known, 1 / columns.clip(*LASER), 0)
        seen = np.stack([near, known], -1).astype(np.float32)[:, None]
        return np.broadcast_to(seen, shape).reshape(pairs, -1, 2)

    def _judge(self, first: Floats, second: Floats, laser: Floats) -> Floats:
        """As `match` and `judge`, of cells (pairs, cells, channels), and `_laser` of the first -> (pairs, 6)."""
        scores = unit(first) @ unit(second).transpose(0, 2, 1) * np.float32(self._sharp)
        share = softmax(np.concatenate([scores, self._unseen(first)], -1))
        there, visible = share[..., :-1], 1 - share[..., -1]
        sure = np.maximum(visible, 1e-4)[..., None]
        at = there @ self._cells / sure
        spread = np.maximum(there @ np.square(self._cells) / sure - np.square(at), 0) + 1e-6
        peaks = np.square(there)
        peak = peaks.sum(-1)
        aligned, residual, own, other = self._align(first, second, peaks / (peak[..., None] + 1e-9), peak)
        warped, seen = there @ second[..., :PAIR_SHOWN], visible[..., None]
        cells = np.broadcast_to(self._cells, at.shape)
        maps = [
            (at - cells) * seen, at, np.sqrt(spread.sum(-1, keepdims=True)), seen, cells, laser,
            own / 4, other / 4, first[..., :PAIR_SHOWN], warped,
        ]  # fmt: skip
        read = self._read(np.concatenate(maps, -1).reshape(len(first), self.side, self.side, -1))
        counted = 4 * np.stack([visible.mean(-1), peak.mean(-1)], -1)
        out = self._out(np.concatenate([read, counted, aligned, residual], -1))
        heading = unit(aligned[:, 2:] + out[:, 2:4], 1e-6)
        return np.concatenate([aligned[:, :2] + out[:, :2], heading, out[:, 4:5].clip(*PAIR_ERRORS), out[:, 5:]], -1)

    def _align(
        self, first: Floats, second: Floats, share: Floats, sure: Floats
    ) -> tuple[Floats, Floats, Floats, Floats]:
        (distance, own, counts), (_, others, _) = self._plan(first), self._plan(second)
        other = share @ others
        weight = sure * np.exp(counts - 2 * np.log(np.float32(0.3) + distance)) + 1e-7
        weight = (weight / weight.sum(-1, keepdims=True))[..., None]
        middle, other_middle = (weight * own).sum(-2), (weight * other).sum(-2)
        p, q = own - middle[:, None], other - other_middle[:, None]
        cross = q[..., 0] * p[..., 1] - q[..., 1] * p[..., 0]
        turn = np.stack([(weight * p * q).sum((-1, -2)) + 1e-4, (weight[..., 0] * cross).sum(-1)], -1)
        c, s = np.moveaxis(unit(turn)[:, None], -1, 0)
        moved = np.stack([c * other[..., 0] - s * other[..., 1], s * other[..., 0] + c * other[..., 1]], -1)
        shift = middle - (weight * moved).sum(-2)
        off = (np.square(own - moved - shift[:, None]).sum(-1) * weight[..., 0]).sum(-1, keepdims=True)
        return np.concatenate([shift, unit(turn)], -1), np.sqrt(off + 1e-6), own, other

    def _plan(self, cells: Floats) -> tuple[Floats, Floats, Floats]:
        """What cells show: how far off (pairs, cells) [m], where (pairs, cells, 2) [m], and how much it counts."""
        found = self._shape(cells)
        distance = np.exp(found[..., 0].clip(-2.5, 3.0))
        bearing = self.rays.bearings + np.float32(PAIR_SKEW) * np.tanh(found[..., 1])
        points = distance[..., None] * np.stack([np.cos(bearing), np.sin(bearing)], -1)
        return distance, points, found[..., 2].clip(-4.0, 4.0)

    def _map(self, name: str) -> Layer:
        """As `FeatureMap`'s layers."""
        w = self._weights
        first = convolution(w, f"{name}.0"), group_norm(w, f"{name}.1"), gelu, convolution(w, f"{name}.3", 2)
        residuals = [_residual(w, f"{name}.{k}.layers") for k in (4, 5)]
        return sequence(*first, *residuals, gelu, convolution(w, f"{name}.7"))

    def _reading(self, name: str) -> Layer:
        w, layers = self._weights, []
        for k, stride in ((0, 1), (3, 2), (6, 2)):
            layers += [convolution(w, f"{name}.{k}", stride), group_norm(w, f"{name}.{k + 1}"), gelu]
        return sequence(*layers, flattened, linear(w, f"{name}.10"), layer_norm(w, f"{name}.11"), gelu)


def _residual(weights: Weights, name: str) -> Layer:
    layers: list[Layer] = []
    for k in (0, 3):
        layers += [group_norm(weights, f"{name}.{k}"), gelu, convolution(weights, f"{name}.{k + 2}")]
    inside = sequence(*layers)
    return lambda x: x + inside(x)
