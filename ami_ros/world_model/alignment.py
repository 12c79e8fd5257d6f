"""Two pictures taken close together, aligned pixel by pixel: the pose of the second to centimetres, and how unlike both
are.

Maps of features tell a place to a decimetre. From there the pictures themselves tell more: each pixel of the first is
looked for in the second, by how near what it shows is, and the pose is that at which both are most alike (Lucas and
Kanade, IJCAI 1981; with what is known of depth Kerl, Sturm and Cremers, ICRA 2013). What differs then does not come
from where the cameras stood, so it also tells one room from another that is like it. How much it may differ the camera
says itself: as much as two of its own pictures that were taken from nearly one place.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ami_ros.camera import CameraMount, Window

LEVEL = CameraMount()
ITERATIONS = 8
COARSE = (
    0.1  # that two pixels span at distance 1, at most, for pictures to be aligned first at half their size: who sees
)
# little in many pixels sees each of them move far
DELTAS = 0.02, 0.02, 0.01  # [m], [m], [rad] for derivatives
PRIOR = 0.25, 0.25, 0.15  # [m], [m], [rad] error of the guess: where pictures show nothing of it, a pose stays there
NOISE = 1e-3  # squared difference of pixels that weighs as much as one such error
HUBER = 0.15  # difference of pixels beyond which they show different things
TINTED = 4.0  # times that differences of tints weigh more: they are smaller, and light does not change them
LARGEST_UPDATE = 0.1  # [m] or [rad] of one iteration
DAMPING = 1e-2, 1e-3, 3.0, 10.0  # at first, at least, less after a good step by, more after a bad one by
DARKEST = 1e-3  # of a mean
SURELY = 0.99  # how much of a pixel has to be outside of the frame
BEHIND = 0.05  # of its depth, below which what is shown lies beside the second camera or behind it
MOVES = (1.08, 0.0), (0.93, 0.0), (1.0, 0.0715), (1.0, -0.0715)  # what one or two decimetres ahead, back and to the
# sides make of a picture at the distances of a room: zoom, and shift at distance 1
USUAL = 1.3  # times what two pictures from nearly one place differ by, others may: samples of noise vary
ALLOWED = 0.2  # of what such a move makes of a picture, by which it may differ: nothing is aligned exactly
GRAIN = 0.003, 0.001  # what the least noise makes of colours, and of tints
BLACK = 0.02  # of the mean, below which a pixel may be of the frame around what a narrow camera sees
EDGE = 2  # pixels beside the frame that are part of it still


class Alignment(NamedTuple):
    """How two pictures fit."""

    pose: Tensor  # (3,) x, y [m], yaw [rad] of the second in the frame of the first
    off: Tensor  # (2,) mean absolute difference of the aligned pictures: of colours, and of tints

    def difference(self, moved: Tensor, usual: Tensor | None = None) -> float:
        """How unlike the pictures are: up to 1 where they are no more so than two of this camera from nearly one place.

        Those differ by `usual` (2,), the `off` of such a pair, most of it noise; None: as of a camera without noise. By
        `moved` (2,) the second picture differs from what it would be one or two decimetres away; see `moved_off`.
        What comes of noise and of places adds up as independent errors do. Of colours, or of tints by themselves, where
        that is more: rooms that are alike may differ by the tint of a wall alone, and where edges lie a little
        otherwise hides it from the first, for no tint changes.
        """
        allowed = (ALLOWED * moved).square() + moved.new_tensor(GRAIN).square()
        if usual is not None:
            allowed = allowed + (USUAL * usual).square()
        return float((self.off / allowed.sqrt()).amax())


def align(
    here: Tensor, there: Tensor, nearness: Tensor, guess: Tensor, window: Window, mount: CameraMount = LEVEL
) -> Alignment:
    """Aligns a pair of small pictures, by Levenberg and Marquardt's method on Huber's loss.

    Args:
        here: (3, n, n) colours, of any brightness: only shares of the mean of what both show are compared.
        there: likewise.
        nearness: (n, n) [1/m] of what each pixel of `here` shows, in the plane of the floor.
        guess: (3,) pose of the second camera in the frame of the first, right to some decimetres.
        window: what both pictures show.
        mount: how the camera is tilted; poses are in the plane of the floor.
    """
    pose = guess
    if 2 * (window.right - window.left) / here.shape[-1] < COARSE:
        half = _View(_half(here), _half(there), _half(nearness[None])[0], window, mount)
        pose = _descend(half, guess, pose)
    view = _View(here, there, nearness, window, mount)
    pose = _descend(view, guess, pose)
    return Alignment(pose, _means(*view.differences(pose[None]))[0])


def _descend(view: _View, guess: Tensor, start: Tensor) -> Tensor:
    """The pose (3,) at which pictures are most alike and that is not far from the `guess`, looked for from `start`."""
    prior, steps = guess.new_tensor(PRIOR), torch.diag(guess.new_tensor(DELTAS))
    tried, pose, best, damping = start, start, float("inf"), DAMPING[0]
    hessian, slope = torch.eye(3), torch.zeros(3)
    for _ in range(ITERATIONS):
        off, shown = view.differences(torch.cat([tried[None], tried + steps, tried - steps]))
        here_off, pixels, gone = off[0].flatten(), shown[0].sum().clamp(min=1.0), (tried - guess) / prior
        size = here_off.abs()
        loss = torch.where(size < HUBER, size.square() / 2, HUBER * (size - HUBER / 2)).sum() / pixels / NOISE
        cost = float(loss + gone.square().sum() / 2)
        if cost < best:
            pose, best, damping = tried, cost, max(damping / DAMPING[2], DAMPING[1])
            change = ((off[1:4] - off[4:7]).flatten(1).T / (2 * steps.diagonal())).T
            weighted = change * (HUBER / size.clamp(min=HUBER)) / pixels / NOISE
            hessian = weighted @ change.T + torch.diag(prior**-2)
            slope = weighted @ here_off + gone / prior
        else:
            damping *= DAMPING[3]
        step = torch.linalg.solve(hessian + damping * torch.diag(hessian.diagonal()), slope)
        tried = pose - step.clamp(-LARGEST_UPDATE, LARGEST_UPDATE)
    return pose


def moved_off(picture: Tensor, window: Window) -> Tensor:
    """Mean absolute difference (2,) of a picture (3, n, n) of a `window` from what it would be one or two decimetres
    away."""
    picture = torch.cat([_blurred(picture), _clear(picture)])
    half = (window.right - window.left) / 2
    away, clear = _moved(picture, [(zoom, shift / half) for zoom, shift in MOVES]).split([3, 1], 1)
    shown = (clear > SURELY).float() * picture[3:]
    return _means(_off(away, picture[:3], shown), shown).mean(0)


def _half(picture: Tensor) -> Tensor:
    """(c, n, n) -> (c, n / 2, n / 2)."""
    return functional.avg_pool2d(picture[None], 2)[0]


class _View:
    """A pair of pictures, from any pose of the second."""

    def __init__(self, here: Tensor, there: Tensor, nearness: Tensor, window: Window, mount: CameraMount) -> None:
        self._here, self._clear = _blurred(here), _clear(here)
        self._there = torch.cat([_blurred(there), _clear(there)])
        self._nearness, self._mount = nearness, mount
        edges = here.new_tensor([[window.left, window.top], [window.right, window.bottom]])
        self._middle, self._half = edges.mean(0), (edges[1] - edges[0]) / 2
        rays = torch.from_numpy(np.stack(mount.rays(*window.rays(here.shape[-1])))).float()
        self._rays = rays / rays[:2].norm(dim=0)  # (3, n, n) ahead, to the left and up, of length 1 above the floor

    def differences(self, poses: Tensor) -> tuple[Tensor, Tensor]:
        """Of colours, and of tints, TINTED times (k, 5, n, n), with the second at `poses` (k, 3), and which pixels
        (k, 1, n, n) both show; those that they don't are 0."""
        at, shown = self._seen_from(poses)
        there = self._there.expand(len(poses), -1, -1, -1)
        seen = functional.grid_sample(there, at, padding_mode="border", align_corners=False)
        shown = shown * self._clear * (seen[:, 3:] > SURELY)
        return _off(self._here, seen[:, :3], shown), shown

    def _seen_from(self, poses: Tensor) -> tuple[Tensor, Tensor]:
        """Where pixels of the first are in the second (k, n, n, 2), for `grid_sample`, and which are (k, 1, n, n)."""
        x, y, yaw = poses[:, :, None, None].unbind(1)
        ahead, left, up = self._rays  # times the distance that is what is shown
        ahead, left = ahead - x * self._nearness, left - y * self._nearness
        c, s = yaw.cos(), yaw.sin()
        depth, right, down = self._mount.seen(c * ahead + s * left, c * left - s * ahead, up.expand_as(ahead))
        at = (torch.stack([right, down], -1) / depth.clamp(min=BEHIND)[..., None] - self._middle) / self._half
        return at, ((at.abs().amax(-1) < 1) & (depth > BEHIND)).float()[:, None]


def _off(a: Tensor, b: Tensor, shown: Tensor) -> Tensor:
    """Differences of colours, each as a share of the mean of what is `shown` (k, 1, n, n): exposure and white balance
    leave it as it is; and TINTED times those of what is red rather than blue, and green rather than both; (k, 5, n, n),
    0 where it is not shown."""
    red, green, blue = ((_shares(a, shown) - _shares(b, shown)) * shown).unbind(1)
    return torch.stack([red, green, blue, TINTED * (red - blue), TINTED * (green - (red + blue) / 2)], 1)


def _shares(picture: Tensor, shown: Tensor) -> Tensor:
    mean = (picture * shown).sum((-2, -1), keepdim=True) / shown.sum((-2, -1), keepdim=True).clamp(min=1.0)
    return picture / mean.clamp(min=DARKEST)


def _means(off: Tensor, shown: Tensor) -> Tensor:
    """Mean absolute difference of colours, and of tints (k, 2), of pairs' (k, 5, n, n), where they are `shown`."""
    sums = off.abs().sum((-2, -1)) / shown.sum((-2, -1)).clamp(min=1.0)
    return torch.stack([sums[:, :3].mean(-1), sums[:, 3:].mean(-1) / TINTED], -1)


def _moved(picture: Tensor, steps: list[tuple[float, float]]) -> Tensor:
    """A picture (c, n, n) after steps of zoom, and shift by a share of half its width (k, c, n, n)."""
    at = picture.new_tensor([[[1 / zoom, 0.0, shift], [0.0, 1 / zoom, 0.0]] for zoom, shift in steps])
    many = picture.expand(len(steps), -1, -1, -1)
    grid = functional.affine_grid(at, list(many.shape), align_corners=False)
    return functional.grid_sample(many, grid, padding_mode="border", align_corners=False)


def _clear(picture: Tensor) -> Tensor:
    """(1, n, n) 1 where a picture (3, n, n) shows something: neither the frame around what a narrow camera sees, nor
    beside it."""
    frame = (picture.amax(0, keepdim=True) < BLACK * picture.mean()).float()
    return 1 - functional.max_pool2d(frame[None], 2 * EDGE + 1, 1, EDGE)[0]


def _blurred(picture: Tensor) -> Tensor:
    """(3, n, n), so smooth that it may be looked up between its pixels."""
    for dim in (-2, -1):
        size = picture.shape[dim]
        first, last = picture.narrow(dim, 0, 1), picture.narrow(dim, size - 1, 1)
        wide = torch.cat([first, picture, last], dim)
        picture = (wide.narrow(dim, 0, size) + 2 * picture + wide.narrow(dim, 2, size)) / 4
    return picture
