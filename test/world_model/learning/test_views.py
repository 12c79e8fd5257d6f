"""People in the pictures that comparing is learned from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.world_file import load_world
from ami_ros.world_model.learning.views import PeopleInViews, ViewConfig, Views, take_views

FEW = ViewConfig(groups=4, members=2, robots=2)


@pytest.fixture(scope="module")
def alone() -> Views:
    return take_views(load_world("building:3"), replace(FEW, people=0.0), 3)


@pytest.fixture(scope="module")
def crowded() -> Views:
    return take_views(load_world("building:3"), replace(FEW, people=1.0), 3)


def test_people_stand_in_front_of_what_is_seen_from_the_same_places(alone: Views, crowded: Views) -> None:
    assert (alone.poses == crowded.poses).all() and (alone.cameras == crowded.cameras).all()
    off = alone.depth.astype(float) - crowded.depth.astype(float)
    hidden = off > 0.05
    assert hidden.any((1, 2)).mean() > 0.6, "somebody is seen in most pictures"
    assert off.min() > -0.05, "nothing comes to light because of them"
    assert (np.abs(alone.images.astype(int) - crowded.images).max((1, 2, 3)) > 20)[hidden.sum((1, 2)) > 3].all()


def test_nobody_stands_inside_of_things_and_the_share_of_pictures_is_kept() -> None:
    people, space, rng = (
        PeopleInViews(0.35, 3),
        FreeSpace(load_world("building:3"), radius=0.2),
        np.random.default_rng(0),
    )
    poses = [space.sample_pose(rng) for _ in range(400)]
    found = [people.stances(pose, space) for pose in poses]
    assert sum(stances is not None for stances in found) / len(found) == pytest.approx(people.share, abs=0.08)
    for pose, stances in zip(poses, found, strict=True):
        for x, y, *_ in [] if stances is None else stances[stances[:, 0] > -100]:
            assert space.free(np.array([x, y, 0.0]))
            assert 0.35 - 1e-9 <= np.hypot(x - pose[0], y - pose[1]) <= 3.5 + 1e-9
