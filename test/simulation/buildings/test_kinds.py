"""Names of buildings, and what nothing may be trained on."""

from __future__ import annotations

import pytest

from ami_ros.core.errors import AmiError
from ami_ros.simulation.buildings.kinds import (
    BARE,
    FIRST_TEST_SEED,
    HELD_OUT_KINDS,
    OPEN_KINDS,
    TRAINING_KINDS,
    building_name,
    refuse_test_buildings,
)
from ami_ros.world_model.learning.collection import CollectionConfig


def test_a_seed_alone_draws_a_kind_for_training_or_any_kind_for_tests() -> None:
    """Halls, other wide kinds and plain buildings are drawn by their name alone."""
    training = [building_name(f"building:{seed}") for seed in range(300)]
    tests = [building_name(f"building:{seed}") for seed in range(FIRST_TEST_SEED, FIRST_TEST_SEED + 200)]
    assert {name.kind for name in training} == set(TRAINING_KINDS) and {name.use for name in training} == {"training"}
    assert {name.kind for name in tests} == {*TRAINING_KINDS, *HELD_OUT_KINDS}
    assert {name.use for name in tests} == {"test"}
    named = [building_name(f"building:{kind}:7").use for kind in (*OPEN_KINDS, BARE)]
    assert named == ["training", "training", "test", "training"]
    assert building_name(f"building:bare:{FIRST_TEST_SEED}").use == "test"


@pytest.mark.parametrize(
    "world", [f"building:{FIRST_TEST_SEED}", "building:gallery:3", "building:ward:123456", "building:atrium:3"]
)
def test_nothing_is_trained_on_a_test_building(world: str) -> None:
    with pytest.raises(AmiError, match=f"collect: {world} is a building for tests"):
        refuse_test_buildings(world, "collect")
    for other in ("home", "building:7", f"building:ward:{FIRST_TEST_SEED - 1}"):
        refuse_test_buildings(other, "collect")


def test_a_collection_over_many_buildings_refuses_those_for_tests() -> None:
    with pytest.raises(AmiError, match="is a building for tests"):
        CollectionConfig("home", 100, buildings=f"{FIRST_TEST_SEED - 2}-{FIRST_TEST_SEED}")
    config = CollectionConfig("home", 100, robot="drawn", buildings="5-8")
    assert [config.world_of(run) for run in range(5)] == [f"building:{seed}" for seed in (5, 6, 7, 8, 5)]
    assert len({config.robot_of(run) for run in range(4)}) == 4 and len(config.run_lengths()) == 4


@pytest.mark.parametrize(
    "name", ["building:", "building:castle:3", "building:-1", "building:ward:x", "building:a:b:3", "building:²"]
)
def test_what_names_no_building_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(AmiError, match=r"names no building|there is no kind") as refusal:
        building_name(name)
    assert "\n" not in str(refusal.value)
