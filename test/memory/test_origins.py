"""Ids of places that several robots share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ami_ros.memory.types import OWN, is_own, key_of, local_id

from .conftest import Opener, Walker


@given(st.text(max_size=40))
def test_keys_are_exact_in_a_double_and_never_0(robot: str) -> None:
    assert 0 < key_of(robot) < 1 << 20
    foreign = local_id(OWN - 1, robot, "another robot than that")
    assert foreign == int(float(foreign)) and not is_own(foreign)


def test_a_key_stays_what_it_is_from_version_to_version() -> None:
    assert key_of("robot_1") == 0xBEBAF


def test_ids_lead_there_and_back() -> None:
    theirs = np.array([1, 7, OWN - 1])
    here = local_id(theirs, "anna", "bert")
    assert (here == key_of("anna") * OWN + theirs).all() and not is_own(here).any()
    np.testing.assert_array_equal(local_id(here, "bert", "anna"), theirs)
    np.testing.assert_array_equal(local_id(here, "bert", "carla"), here)  # a third robot calls them the same
    for i, j in zip(theirs.tolist(), here.tolist(), strict=True):
        assert local_id(i, "anna", "bert") == j and local_id(j, "carla", "anna") == i
    np.testing.assert_array_equal(local_id(theirs, "anna", "anna"), theirs)


def test_a_robot_gives_its_own_places_ids_of_its_own_beside_those_of_others(open_memory: Opener) -> None:
    memory = open_memory()
    walker = Walker(memory, (0.0, 0.0, 0.0), 1)
    walker.look()
    foreign = memory.map.details[1]
    memory.map.adopt([replace(foreign, id=local_id(1, "anna", "bert"), pose=np.array([9.0, 9.0, 0.0]))], [])
    walker.drive(1.6)
    own = memory.map.index.ids[is_own(memory.map.index.ids)]
    assert sorted(own.tolist()) == list(range(1, len(memory)))
