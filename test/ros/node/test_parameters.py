"""Parameters reach the dataclass typed and in range, or are refused with one line."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from rclpy.node import Node
from rclpy.parameter import Parameter

from ami_ros.core.config import group, named, parameter
from ami_ros.core.errors import AmiError
from ami_ros.ros.node.parameters import declare, describe, watch
from harness.ros import RosPeer


@dataclass(frozen=True)
class Inner:
    rate: float = parameter(10.0, "How often.", "Hz", (0.1, 100.0), mutable=True)
    count: int = parameter(3, "How many.", limits=(1, 9))


@dataclass(frozen=True)
class Far:
    limit: float = 1.0  # [m/s] of the robot
    gain: float = 2.0  # of nothing


@dataclass(frozen=True)
class Core:
    """Knows nothing of nodes."""

    far: Far = field(default_factory=Far)
    margin: float = 0.1  # [m] kept free
    fixed: int = 1  # of all


@dataclass(frozen=True)
class Config:
    inner: Inner = field(default_factory=Inner)
    mode: Literal["fast", "slow"] = "slow"
    model: Path | None = None
    weights: tuple[float, ...] = (1.0, 2.0)
    verbose: bool = False
    core: Core = group(Core, mutable=("far",), lower=("far.limit",), higher=("margin",))


@dataclass(frozen=True)
class Shape:
    corners: Any = ""
    size: float = 1.0


@dataclass(frozen=True)
class Shapes:
    shapes: dict[str, Shape] = named("Names.")
    others: dict[str, Shape] = named("Names.")


def node_with(ros: RosPeer, **values: Any) -> Node:
    overrides = [Parameter(name.replace("__", "."), value=value) for name, value in values.items()]
    return ros.make_node("configured", parameter_overrides=overrides)


def test_defaults_are_those_of_the_dataclass(ros: RosPeer) -> None:
    assert declare(node_with(ros), Config) == Config()


def test_given_values_arrive_in_nested_fields(ros: RosPeer) -> None:
    node = node_with(ros, inner__rate=5, mode="fast", model="/m", weights=[3.0], verbose=True)
    assert declare(node, Config) == Config(Inner(rate=5.0), "fast", Path("/m"), (3.0,), True)
    assert node.get_parameter("inner.rate").value == 5.0


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"inner__rat": 5.0}, "unknown parameter 'inner.rat'"),
        ({"inner__rate": "quick"}, "must be of type float"),
        ({"inner__rate": 1000.0}, "must be 0.1 to 100.0"),
        ({"inner__count": 2.5}, "must be of type int"),
        ({"verbose": 1}, "must be of type bool"),
        ({"mode": "medium"}, "is not one of fast, slow"),
        ({"weights": 3.0}, "must be a list"),
    ],
)
def test_mistake_is_refused_in_one_line_that_names_it(ros: RosPeer, values: dict[str, Any], words: str) -> None:
    with pytest.raises(AmiError) as caught:
        declare(node_with(ros, **values), Config)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_descriptor_tells_unit_range_and_that_it_is_read_only(ros: RosPeer) -> None:
    node = node_with(ros)
    declare(node, Config)
    rate, count = node.describe_parameter("inner.rate"), node.describe_parameter("inner.count")
    assert rate.description == "How often. [Hz]" and not rate.read_only
    assert rate.floating_point_range[0].to_value == 100.0
    assert count.read_only and count.integer_range[0].from_value == 1
    assert "fast, slow" in node.describe_parameter("mode").additional_constraints


def changing(ros: RosPeer, allow: Callable[[Config], None] = lambda config: None) -> tuple[Node, list[Config]]:
    node = node_with(ros)
    declare(node, Config)
    seen: list[Config] = []
    watch(node, Config, allow, seen.append)
    return node, seen


def set_one(node: Node, name: str, value: Any) -> str:
    """Why it was refused; "" if it was not."""
    result = node.set_parameters([Parameter(name, value=value)])[0]
    return "" if result.successful else str(result.reason)


def test_mutable_parameter_can_change_and_only_within_its_range(ros: RosPeer) -> None:
    node, seen = changing(ros)
    assert not set_one(node, "inner.rate", 20.0)
    assert set_one(node, "inner.rate", 0.0) and set_one(node, "inner.count", 4)
    assert seen == [dataclasses.replace(Config(), inner=Inner(rate=20.0))]


def test_a_list_of_names_has_a_group_of_parameters_for_each(ros: RosPeer) -> None:
    node = node_with(ros, shapes=["box", "star"], box__size=3, star__corners=[1.0, 2.0], others=["dot"])
    found = declare(node, Shapes)
    assert found == Shapes({"box": Shape(size=3.0), "star": Shape([1.0, 2.0])}, {"dot": Shape()})
    assert node.get_parameter("box.size").value == 3.0 and node.get_parameter("dot.corners").value == ""


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"box__size": 3.0}, "unknown parameter 'box.size'"),
        ({"shapes": ["box"], "box__colour": 1}, "unknown parameter 'box.colour'"),
        ({"shapes": ["box"], "box__size": "large"}, "must be of type float"),
        ({"shapes": ["box"], "others": ["box"]}, "the name box is given twice"),
        ({"shapes": "box"}, "must be a list"),
    ],
)
def test_a_mistake_in_named_groups_is_refused_in_one_line(ros: RosPeer, values: dict[str, Any], words: str) -> None:
    with pytest.raises(AmiError, match=words):
        declare(node_with(ros, **values), Shapes)


def test_limits_can_be_made_tighter_than_at_start_and_never_looser(ros: RosPeer) -> None:
    node, seen = changing(ros)
    assert not set_one(node, "core.far.limit", 0.5) and not set_one(node, "core.far.limit", 1.0)
    assert "at most 1.0" in set_one(node, "core.far.limit", 1.1)
    assert not set_one(node, "core.margin", 0.2) and "at least 0.1" in set_one(node, "core.margin", 0.05)
    assert not set_one(node, "core.far.gain", 9.0) and set_one(node, "core.fixed", 2)
    assert seen[-1].core == Core(Far(limit=1.0, gain=9.0), margin=0.2)


def test_what_the_node_does_not_allow_is_not_set(ros: RosPeer) -> None:
    def allow(config: Config) -> None:
        raise AmiError("not now")

    node, seen = changing(ros, allow)
    assert set_one(node, "inner.rate", 20.0) == "not now"
    assert not seen and node.get_parameter("inner.rate").value == 10.0


def test_comments_of_fields_and_how_they_change_are_described(ros: RosPeer) -> None:
    node, _ = changing(ros)
    assert node.describe_parameter("core.margin").description == "[m] kept free"
    assert "at most" in node.describe_parameter("core.far.limit").additional_constraints
    changes = {one.name: one.change for one in describe(Config) if one.name.startswith("core")}
    assert changes == {"core.far.limit": "lower", "core.far.gain": "free", "core.margin": "higher", "core.fixed": "no"}
