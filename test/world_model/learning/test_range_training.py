"""How far off things are is learned from views; here of rooms with a wall, without a renderer."""

from __future__ import annotations

import math

import numpy as np
import torch

from ami_ros.simulation.world import Wall, World
from ami_ros.world_model import torch_layers
from ami_ros.world_model.learning.range_training import RangeConfig, fit_ranges, judge_ranges, ranges_in
from ami_ros.world_model.learning.views import Views
from ami_ros.world_model.picture_scan import BEARINGS, SIZE, RangeNetwork, bearings_of


def views(count: int, seed: int) -> tuple[Views, np.ndarray]:
    """Pictures of a dark wall that stands on a bright floor, nearer or farther, and how far it is in each direction."""
    rng = np.random.default_rng(seed)
    tangent, height = 1.0, 0.3
    distances = rng.uniform(0.6, 4.0, count)
    down = ((np.arange(SIZE) + 0.5) / SIZE * 2 - 1) * tangent
    foot = height / distances
    images = np.where(down[None, :, None, None] > foot[:, None, None, None], 200, 60)
    images = np.broadcast_to(images, (count, SIZE, SIZE, 3)).astype(np.uint8)
    zeros = np.zeros(count, np.int64)
    made = Views(
        images, np.ones((count, SIZE // 8, SIZE // 8), np.float16), np.zeros((count, 3)),
        np.tile([height, 0.0, 0.0], (count, 1)), np.ones((count, 2)), np.full(count, tangent),
        np.arange(count), zeros, zeros, tangent,
    )  # fmt: skip
    ranges = distances[:, None] / np.cos(bearings_of(tangent))
    return made, ranges.astype(np.float32)


def test_ranges_are_those_to_what_is_in_a_low_robots_way() -> None:
    corners = [(0.0, 0.0), (6.0, 0.0), (6.0, 4.0), (0.0, 4.0)]
    walls = tuple(Wall(f"wall{k}", corners[k], corners[k - 1]) for k in range(4))
    world = World("room", (6.0, 4.0), {}, (), walls)
    seen, _ = views(1, 0)
    seen.poses[0] = [2.0, 2.0, 0.0]
    found = ranges_in(world, seen)[0]
    ahead = found[BEARINGS // 2 - 1 : BEARINGS // 2 + 1]
    np.testing.assert_allclose(ahead, 4.0, atol=0.1)
    left = 2.0 / math.sin(bearings_of(1.0)[0])
    assert abs(found[0] - left) < 0.15 and abs(found[-1] - left) < 0.15


def test_it_learns_how_far_off_a_wall_is_by_its_foot() -> None:
    torch.manual_seed(0)
    network = torch_layers.network(RangeNetwork)
    shown, ranges = views(256, 1)
    others, truth = views(64, 2)
    before = judge_ranges(network.eval(), others, truth)
    losses: list[float] = []
    fit_ranges(network, shown, ranges, RangeConfig(steps=40, batch=16), lambda _, loss: losses.append(loss))
    after = judge_ranges(network, others, truth)
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])
    assert after.error_p50 < 0.6 * before.error_p50
    assert not any(p.requires_grad for p in network.parameters())
