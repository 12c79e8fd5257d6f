"""Mappings into frozen dataclasses: what is taken, and what is refused in one line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
import yaml

from ami_ros.core.config import dump_yaml, from_mapping, parse_yaml, to_mapping, with_settings
from ami_ros.core.errors import AmiError


@dataclass(frozen=True)
class Wheel:
    radius: float
    spokes: int = 8

    def __post_init__(self) -> None:
        if self.radius <= 0:
            raise ValueError(f"radius must be positive, not {self.radius}")


@dataclass(frozen=True)
class Cart:
    name: str
    wheel: Wheel = field(default_factory=lambda: Wheel(0.1))
    spares: tuple[Wheel, ...] = ()
    size: tuple[float, float] = (1.0, 2.0)
    load: float | None = None
    kind: Literal["box", "flat"] = "box"
    fast: bool = False
    notes: dict[str, float] = field(default_factory=dict)


FULL: dict[str, Any] = {
    "name": "blue",
    "wheel": {"radius": 0.2, "spokes": 6},
    "spares": [{"radius": 1}, {"radius": 2.5}],
    "size": [3, 4.5],
    "load": 7,
    "kind": "flat",
    "fast": True,
    "notes": {"weight": 3},
}


def test_nested_values_become_dataclasses() -> None:
    cart = from_mapping(Cart, FULL)
    assert cart.wheel == Wheel(0.2, 6) and cart.spares == (Wheel(1.0), Wheel(2.5))
    assert cart.size == (3.0, 4.5) and isinstance(cart.size[0], float) and isinstance(cart.load, float)
    assert (cart.kind, cart.fast, cart.notes) == ("flat", True, {"weight": 3.0})


def test_what_is_left_out_has_its_default() -> None:
    assert from_mapping(Cart, {"name": "a"}) == Cart("a")
    assert from_mapping(Cart, {"name": "a", "load": None}).load is None


def test_plain_values_come_back_as_the_same_configuration() -> None:
    cart = from_mapping(Cart, FULL)
    plain = to_mapping(cart)
    assert plain["spares"] == [{"radius": 1.0, "spokes": 8}, {"radius": 2.5, "spokes": 8}]
    assert from_mapping(Cart, plain) == cart


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": "red"}, r"cart\.yaml: unknown key 'colour'; known are name, wheel, .*notes"),
        ({"wheel": {"radius": 1.0, "rim": 2}}, r"cart\.yaml: wheel: unknown key 'rim'"),
        ({"wheel": {}}, r"wheel: 'radius' is missing"),
        ({"wheel": {"radius": -1.0}}, r"wheel: radius must be positive, not -1\.0"),
        ({"wheel": 3}, r"wheel: expected a mapping, found 3"),
        ({"spares": [{"radius": 1.0}, {"radius": "x"}]}, r"spares\[1\]: radius: expected float, found 'x'"),
        ({"spares": "ab"}, r"spares: expected a list, found 'ab'"),
        ({"size": [1.0]}, r"size: expected 2 values, found 1"),
        ({"name": 5}, r"name: expected str, found 5"),
        ({"name": None}, r"name: expected str, found None"),
        ({"fast": 1}, r"fast: expected bool, found 1"),
        ({"load": True}, r"load: expected float, found True"),
        ({"wheel": {"radius": 1.0, "spokes": 2.5}}, r"spokes: expected int, found 2\.5"),
        ({"kind": "round"}, r"kind: 'round' is not one of box, flat"),
        ({"notes": {"weight": "much"}}, r"notes\.weight: expected float, found 'much'"),
        ({"notes": [1]}, r"notes: expected a mapping, found \[1\]"),
    ],
)
def test_wrong_values_are_refused_in_one_line_that_names_them(change: dict[str, Any], message: str) -> None:
    with pytest.raises(AmiError, match=message) as refused:
        from_mapping(Cart, {**FULL, **change}, "cart.yaml")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("values", [None, [], "name: blue", 3])
def test_what_is_no_mapping_is_refused(values: Any) -> None:
    with pytest.raises(AmiError, match=r"configuration: expected a mapping"):
        from_mapping(Cart, values)


def test_a_required_value_must_be_there() -> None:
    with pytest.raises(AmiError, match="'name' is missing"):
        from_mapping(Cart, {"fast": True})


def test_settings_replace_values_by_dotted_keys_and_keep_the_rest() -> None:
    cart = from_mapping(Cart, FULL)
    changed = with_settings(cart, ["wheel.radius=1e-1", "load=null", "size=[5, 6]", "notes={height: 2}", "fast=false"])
    assert changed.wheel == Wheel(0.1, 6) and changed.load is None and changed.size == (5.0, 6.0)
    assert changed.notes == {"height": 2.0} and not changed.fast
    assert (changed.name, changed.kind, changed.spares) == (cart.name, cart.kind, cart.spares)
    assert with_settings(cart, []) == cart


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("wheel.radius", "is not of the form key=value"),
        ("wheel.colour=1", "unknown key 'colour'"),
        ("motor.power=1", "unknown key 'motor'"),
        ("name.first=1", "unknown key 'name'"),
        ("wheel.spokes=many", "expected int"),
        ("wheel.radius=-1", "must be positive"),
        ("size=[", "is not a value"),
    ],
)
def test_a_wrong_setting_is_one_line(setting: str, message: str) -> None:
    with pytest.raises(AmiError, match=message) as raised:
        with_settings(from_mapping(Cart, FULL), [setting], "train")
    assert str(raised.value).startswith("train") and "\n" not in str(raised.value)


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + k)}: &{chr(98 + k)} [{', '.join([f'*{chr(97 + k)}'] * 9)}]\n" for k in range(9)
)


@pytest.mark.parametrize(
    "text",
    [
        LAUGHS,
        "a: &a [*a]",
        "[" * 100_000,
        "{a: " * 5000,
        "- " * 3000 + "x",
        "a: " + "9" * 5000,
        "a: 2020-99-99",
        "? [a]\n: b",
        "!!python/object/apply:os.system [ls]",
        "\x00",
        "a: [",
        "a: !!int x",
        "a: 1:" + "9:" * 9,
    ],
)
def test_a_hostile_text_is_no_yaml_and_costs_nothing(text: str) -> None:
    with pytest.raises(yaml.YAMLError):
        parse_yaml(text)


def test_what_is_written_is_read_again_though_it_stands_in_several_places() -> None:
    shared = {"rate": [1.0, 2.0]}
    values = {"zebra": shared, "ant": shared, "text": "1e-3", "none": None}
    assert parse_yaml(dump_yaml(values)) == values and list(parse_yaml(dump_yaml(values))) == list(values)
