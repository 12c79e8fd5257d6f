"""Two pictures taken close together, aligned pixel by pixel: the pose of the second to centimetres, and how unlike both
are.

Maps of features tell a place to a decimetre. From there the pictures themselves tell more: each pixel of the first is
looked for in the second, by how near what it shows is, and the pose is that at which both are most alike (Lucas and
Kanade, IJCAI 1981; with what is known of depth Kerl, Sturm and Cremers, ICRA 2013). What differs then does not come
from where the cameras stood, so it also tells one room from another that is like it. How much it may differ the camera
says itself: as much as two of its own pictures that were taken from nearly one place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.camera import CameraMount, Window
from ami_ros.core.geometry import Array
from ami_ros.world_model.layers import Floats


@dataclass(frozen=True)
class AlignConfig:
    """How pixels are compared, and how much they may differ."""

    iterations: int = 8
    # What two pixels span at distance 1, below which pictures are aligned at their half size first: what is seen by so
    # narrow pixels moves by many of them.
    coarse: float = 0.1
    deltas: tuple[float, float, float] = (0.02, 0.02, 0.01)  # [m], [m], [rad] for derivatives
    prior: tuple[float, float, float] = (0.25, 0.25, 0.15)  # [m], [m], [rad] error of the guess: where pictures show
    # nothing of it, a pose stays there
    noise: float = 1e-3  # squared difference of pixels that weighs as much as one such error
    huber: float = 0.15  # difference of pixels beyond which they show different things
    tinted: float = 4.0  # times that differences of tints weigh more: they are smaller, and light does not change them
    largest_update: float = 0.1  # [m] or [rad] of one iteration
    damping: tuple[float, float, float, float] = (1e-2, 1e-3, 3.0, 10.0)  # at first, at least, less after a good step
    # by, more after a bad one by
    surely: float = 0.99  # how much of a pixel has to be outside of the frame
    behind: float = 0.05  # of its depth, below which what is shown lies beside the second camera or behind it
    # What one or two decimetres ahead, back and to the sides make of a picture at the distances of a room: zoom, and
    # shift at distance 1.
    moves: tuple[tuple[float, float], ...] = ((1.08, 0.0), (0.93, 0.0), (1.0, 0.0715), (1.0, -0.0715))
    usual: float = 1.3  # times what two pictures from nearly one place differ by, others may: samples of noise vary
    allowed: float = 0.2  # of what such a move makes of a picture, by which it may differ: nothing is aligned exactly
    grain: tuple[float, float] = (0.003, 0.001)  # what the least noise makes of colours, and of tints
    black: float = 0.02  # of the mean, below which a pixel may be of the frame around what a narrow camera sees


ALIGN = AlignConfig()


class Alignment(NamedTuple):
    """How two pictures fit."""

    pose: Floats  # (3,) x, y [m], yaw [rad] of the second in the frame of the first
    off: Floats  # (2,) mean absolute difference of the aligned pictures: of colours, and of tints

    def difference(self, moved: Floats, usual: Floats | None = None) -> float:
        """How unlike the pictures are: up to 1 where they are no more so than two of this camera from nearly one place.

        Those differ by `usual` (2,), the `off` of such a pair, most of it noise; None: as of a camera without noise. By
        `moved` (2,) the second picture differs from what it would be one or two decimetres away; see `moved_off`.
        What comes of noise and of places adds up as independent errors do. Of colours, or of tints by themselves, where
        that is more: rooms that are alike may differ by the tint of a wall alone, and where edges lie a little
        otherwise hides it from the first, for no tint changes.
        """
        allowed = np.square(ALIGN.allowed * moved) + np.square(ALIGN.grain)
        if usual is not None:
            allowed = allowed + np.square(ALIGN.usual * usual)
        return float((self.off / np.sqrt(allowed)).max())


def align(
    here: Floats, there: Floats, nearness: Floats, guess: Array, window: Window, mount: CameraMount | None = None,
    hidden: NDArray[np.bool_] | None = None,
) -> Alignment:  # fmt: skip
    """Aligns a pair of small pictures, by Levenberg and Marquardt's method on Huber's loss.

    Args:
        here: (3, n, n) colours, of any brightness: only shares of the mean of what both show are compared.
        there: likewise.
        nearness: (n, n) [1/m] of what each pixel of `here` shows, in the plane of the floor.
        guess: (3,) pose of the second camera in the frame of the first, right to some decimetres.
        window: what both pictures show.
        mount: how the camera is tilted, None: it is level; poses are in the plane of the floor.
        hidden: (n,) columns of `here` in which something stands that is no part of the place; None: none.
    """
    pose, mount = guess, mount or CameraMount()
    covered: NDArray[np.bool_] = np.zeros(here.shape[-1], np.bool_) if hidden is None else hidden
    if 2 * (window.right - window.left) / here.shape[-1] < ALIGN.coarse:
        half = _View(
            _half(here), _half(there), _half(nearness), window, mount, np.asarray(covered.reshape(-1, 2).any(1))
        )
        pose = _descend(half, guess, pose)
    view = _View(here, there, nearness, window, mount, covered)
    pose = _descend(view, guess, pose)
    return Alignment(pose.astype(np.float32), _means(*view.differences(pose[None]))[0])


def _descend(view: _View, guess: Array, start: Array) -> Array:
    """The pose (3,) at which pictures are most alike and that is not far from the `guess`, looked for from `start`."""
    prior, deltas, huber = np.array(ALIGN.prior), np.array(ALIGN.deltas), ALIGN.huber
    first, least, less, more = ALIGN.damping
    steps = np.diag(deltas)
    tried, pose, best, damping = start, start, float("inf"), first
    hessian, slope = np.eye(3), np.zeros(3)
    for _ in range(ALIGN.iterations):
        off, shown = view.differences(np.concatenate([tried[None], tried + steps, tried - steps]))
        here_off, weight = off[0].ravel(), 1 / (max(float(shown[0].sum()), 1.0) * ALIGN.noise)
        size, gone = np.abs(here_off), (tried - guess) / prior
        loss = np.where(size < huber, np.square(size) / 2, huber * (size - huber / 2)).sum()
        cost = weight * float(loss) + float(np.square(gone).sum()) / 2
        if cost < best:
            pose, best, damping = tried, cost, max(damping / less, least)
            change = (off[1:4] - off[4:]).reshape(3, -1)
            weighted = change * (huber / np.maximum(size, huber))
            per_delta = 1 / (2 * deltas)
            hessian = weight * np.outer(per_delta, per_delta) * (weighted @ change.T) + np.diag(prior**-2)
            slope = weight * per_delta * (weighted @ here_off) + gone / prior
        else:
            damping *= more
        step = np.linalg.solve(hessian + damping * np.diag(hessian.diagonal()), slope)
        tried = pose - step.clip(-ALIGN.largest_update, ALIGN.largest_update)
    return pose


def moved_off(picture: Floats, window: Window) -> Floats:
    """Mean absolute difference (2,) of a picture (3, n, n) of a `window` from what it would be one or two decimetres
    away."""
    half = (window.right - window.left) / 2
    seen = _seen(picture)
    away, still = _moved(seen, [(zoom, shift / half) for zoom, shift in ALIGN.moves]), _flat(seen)
    shown = (away[:, 3:] > ALIGN.surely) * still[3:]
    return np.asarray(_means(_off(away[:, :3], still[:3], shown), shown).mean(0))


def _half(picture: Floats) -> Floats:
    """(..., n, n) -> (..., n / 2, n / 2)."""
    half = picture.shape[-1] // 2
    return np.asarray(picture.reshape(*picture.shape[:-2], half, 2, half, 2).mean((-3, -1)))


def _flat(picture: Floats) -> Floats:
    """(c, n, n) -> (c, n * n)."""
    return picture.reshape(len(picture), -1)


class Interpolated:
    """A picture (c, n, n) that is looked up between its pixels, linearly; beyond its edge is what its edge shows."""

    def __init__(self, picture: Floats) -> None:
        self._last = picture.shape[-1] - 1
        right, below = (_beside(picture, 1, axis) - picture for axis in (2, 1))
        both = _beside(right, 1, 1) - right
        self._parts = [_flat(part) for part in (picture, right, below, both)]  # each (c, n * n)

    def __call__(self, across: Floats, down: Floats) -> Floats:
        """Its values (c, ...) at so many pixels (...) from the middle of the first one."""
        across, down = (at.clip(0, self._last) for at in (across, down))
        column, row = across.astype(np.intp), down.astype(np.intp)
        at = row * (self._last + 1) + column
        here, right, below, both = (part.take(at, axis=-1, mode="clip") for part in self._parts)
        across, down = across - column.astype(np.float32), down - row.astype(np.float32)
        return np.asarray(here + across * right + down * (below + across * both))


class _View:
    """A pair of pictures, from any pose of the second."""

    def __init__(
        self, here: Floats, there: Floats, nearness: Floats, window: Window, mount: CameraMount,
        hidden: NDArray[np.bool_],
    ) -> None:  # fmt: skip
        self._here, self._clear = _flat(_blurred(here)), (_clear(here) * ~hidden).reshape(1, -1) > 0
        self._there, self._size, self._mount = Interpolated(_seen(there)), here.shape[-1], mount
        ahead, left, up = mount.rays(*window.rays(self._size))
        level = np.hypot(ahead, left)  # rays are of length 1 above the floor: times the distance that is what is shown
        points = np.stack([ahead / level, left / level, up / level, nearness])
        self._points = _flat(points.astype(np.float32))  # (4, n * n) ahead, to the left and up, and nearness
        # Of `there`: how many pixels it has for 1 to the right or down, at distance 1, and where its axis is.
        self._pixels = self._size / (window.right - window.left), self._size / (window.bottom - window.top)
        self._axis = -window.left * self._pixels[0] - 0.5, -window.top * self._pixels[1] - 0.5

    def differences(self, poses: Array) -> tuple[Floats, Floats]:
        """Of colours, and of tints, which weigh more (k, 5, n * n), with the second at `poses` (k, 3), and which pixels
        (k, 1, n * n) both show; those that they don't are 0."""
        across, down, inside = self._seen_from(poses)
        seen = self._there(across, down).swapaxes(0, 1)
        shown = (inside[:, None] & self._clear & (seen[:, 3:] > ALIGN.surely)).astype(np.float32)
        return _off(self._here, seen[:, :3], shown), shown

    def _seen_from(self, poses: Array) -> tuple[Floats, Floats, NDArray[np.bool_]]:
        """Where pixels of the first are in the second, across and down (k, n * n) [px], and whether they are."""
        x, y, yaw = poses.T[..., None]
        ahead, left, up, near = np.eye(4)  # what of `_points` (k, 4) the following are made of
        c, s = np.cos(yaw), np.sin(yaw)
        ahead, left = ahead - x * near, left - y * near
        up = np.broadcast_to(up, left.shape)
        depth, right, down = self._mount.seen(c * ahead + s * left, c * left - s * ahead, up)
        parts = depth, self._pixels[0] * right + self._axis[0] * depth, self._pixels[1] * down + self._axis[1] * depth
        depth, across, down = np.stack(parts).astype(np.float32) @ self._points
        away = np.maximum(depth, np.float32(ALIGN.behind))
        across, down = across / away, down / away
        middle = (self._size - 1) / 2
        inside = np.maximum(np.abs(across - middle), np.abs(down - middle)) < self._size / 2
        return across, down, inside & (depth > ALIGN.behind)


def _off(a: Floats, b: Floats, shown: Floats) -> Floats:
    """Differences of colours (k, 3, n * n), each as a share of the mean of what is `shown` (k, 1, n * n): exposure and
    white balance leave it as it is; and those of what is red rather than blue, and green rather than both,
    times `tinted`; (k, 5, n * n), 0 where it is not shown."""
    off = np.empty((len(shown), 5, shown.shape[-1]), np.float32)
    off[:, :3] = (_shares(a, shown) - _shares(b, shown)) * shown
    red, green, blue = (off[:, colour] for colour in range(3))
    off[:, 3], off[:, 4] = ALIGN.tinted * (red - blue), ALIGN.tinted * (green - (red + blue) / 2)
    return off


def _shares(picture: Floats, shown: Floats) -> Floats:
    mean = (picture * shown).sum(-1, keepdims=True) / np.maximum(shown.sum(-1, keepdims=True), 1)
    return np.asarray(picture / np.maximum(mean, 1e-3))


def _means(off: Floats, shown: Floats) -> Floats:
    """Mean absolute difference of colours, and of tints (k, 2), of pairs' (k, 5, n * n), where they are `shown`."""
    sums = np.abs(off).sum(-1) / np.maximum(shown.sum(-1), 1)
    return np.stack([sums[:, :3].mean(-1), sums[:, 3:].mean(-1) / ALIGN.tinted], -1)


def _moved(picture: Floats, steps: list[tuple[float, float]]) -> Floats:
    """A picture (c, n, n) after steps of zoom, and shift by a share of half its width (k, c, n * n)."""
    size = picture.shape[-1]
    middle = (size - 1) / 2
    down, across = np.indices((size, size), np.float32).reshape(2, -1) - middle
    zoom, shift = np.array(steps, np.float32).T[..., None]
    found = Interpolated(picture)(across / zoom + shift * (size / 2) + middle, down / zoom + middle)
    return found.swapaxes(0, 1)


def _seen(picture: Floats) -> Floats:
    """(4, n, n) a picture (3, n, n), so smooth that it may be looked up between its pixels, and where it shows
    something."""
    return np.concatenate([_blurred(picture), _clear(picture)])


def _clear(picture: Floats) -> Floats:
    """(1, n, n) 1 where a picture (3, n, n) shows something: neither the frame around what a narrow camera sees, nor
    beside it."""
    frame = picture.max(0, keepdims=True) < ALIGN.black * picture.mean()
    for axis in (1, 2):
        frame = np.logical_or.reduce([_beside(frame, by, axis) for by in range(-2, 3)])
    return np.asarray(~frame, np.float32)


def _blurred(picture: Floats) -> Floats:
    """(3, n, n), so smooth that it may be looked up between its pixels."""
    for axis in (1, 2):
        picture = (_beside(picture, -1, axis) + 2 * picture + _beside(picture, 1, axis)) / 4
    return picture


def _beside(picture: Any, by: int, axis: int) -> Any:
    """What the pixels show that are so many beside each along an axis; beyond the edge, what its edge shows."""
    return picture.take(np.arange(by, by + picture.shape[axis]), axis, mode="clip")
