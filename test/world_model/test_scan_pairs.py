"""Scans are compared without torch as the network does, and corridors by their doors, not by their walls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.core.installation import share
from ami_ros.core.scan_matching import Match, Matcher
from ami_ros.core.submaps import Submap, free_distance, points_of, submap_of
from ami_ros.world_model import torch_layers
from ami_ros.world_model.model_files import WEIGHTS, save_network
from ami_ros.world_model.scan_pairs import (
    FEATURES,
    NUMBERS,
    POINTS,
    ScanPairNetwork,
    load_scan_pairs,
    match_numbers,
    point_features,
)
from harness.carmen import RING, box, scan_at

HERE, THERE = np.array([14.5, 1.0, 0.9]), np.array([14.2, 1.2, 1.1])
# A corridor with recesses of doors every 2.5 m, of which one is wider.
DOORS = np.array(
    [
        *(wall for k in range(8) for wall in box(-9.0 + 2.5 * k, 1.0, -7.5 + 2.5 * k + 0.6 * (k == 3), 1.3)),
        (-11.0, -1.0, 11.0, -1.0),
        (-11.0, 1.3, 11.0, 1.3),
    ]
)


def submap(walls: Array, pose: Array) -> Submap:
    scan = scan_at(walls, pose, np.random.default_rng(1))
    return submap_of(points_of(scan), free_distance(scan))


def fitted(walls: Array, here: Array, there: Array, begun: Array) -> tuple[Submap, Submap, Match]:
    reference, other = submap(walls, here), submap(walls, there)
    match = Matcher(reference).fit(other, begun)
    assert match is not None
    return reference, other, match


def test_by_arrays_and_by_tensors_it_says_the_same(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = torch_layers.network(ScanPairNetwork).eval()
    save_network(tmp_path / WEIGHTS, network)
    reference, other, match = fitted(RING, HERE, THERE, np.zeros(3))
    points, numbers = point_features(reference, other, match), match_numbers(match)
    assert points.shape == (2, POINTS, FEATURES) and numbers.shape == (NUMBERS,)
    with torch.inference_mode():
        wanted = network(torch.from_numpy(points)[None], torch.from_numpy(numbers)[None]).numpy()
    np.testing.assert_allclose(load_scan_pairs(tmp_path).log_odds(reference, [(other, match)]), wanted, atol=1e-4)


def test_the_network_that_ships_knows_a_corridor_by_the_door_that_is_not_like_the_others() -> None:
    """The walls of both fits agree: nearly all points lie on one another."""
    here, there = np.zeros(3), np.array([0.4, 0.1, 0.05])
    reference, other, right = fitted(DOORS, here, there, there)
    wrong = Matcher(reference).fit(other, there + [2.5, 0.0, 0.0])
    assert wrong is not None and abs(wrong.pose[0] - 2.9) < 0.2 and wrong.support > 0.85
    said = load_scan_pairs(share("models", "scans")).log_odds(reference, [(other, right), (other, wrong)])
    assert said[0] > said[1] + 2.0


def test_there_is_nothing_to_say_of_nothing() -> None:
    network = load_scan_pairs(share("models", "scans"))
    assert network.log_odds(submap(RING, HERE), []).shape == (0,)


@pytest.mark.parametrize("content", [None, b"", b"what?"])
def test_what_is_no_such_network_is_refused_in_one_line(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "weights.safetensors").write_bytes(content)
    with pytest.raises(AmiError, match=r"no network that compares scans .*ami scans"):
        load_scan_pairs(tmp_path)
