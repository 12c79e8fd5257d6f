from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ami_ros.core.errors import AmiError
from ami_ros.core.installation import packaged
from ami_ros.simulation.world import World
from ami_ros.simulation.world_file import WorldLimits, check_geometry, load_world

Change = Callable[[dict[str, Any]], Any]


def write(folder: Path, change: Change | None = None) -> Path:
    values = yaml.safe_load(packaged("worlds")["two_rooms"].read_text())
    values = copy.deepcopy(values)
    if change is not None:
        change(values)
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


@pytest.mark.parametrize("name", ["home", "two_rooms", "empty"])
def test_packaged_worlds_load_under_their_own_name(name: str) -> None:
    assert load_world(name).name == name


def test_a_world_loads_from_a_path(tmp_path: Path) -> None:
    assert load_world(write(tmp_path)).size == (4.0, 3.0)


def test_worlds_of_an_installed_package_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "with space" / "share" / "ami_ros" / "worlds"
    folder.mkdir(parents=True)
    write(folder).rename(folder / "installed.yaml")
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"/nonexistent:{tmp_path / 'with space'}")
    assert load_world("installed").name == "two_rooms"


def test_home_walls_and_posters_all_look_different(home: Any) -> None:
    faces = [texture for wall in home.walls for texture in (wall.left, wall.right) if texture]
    assert len(set(faces)) == len(faces)
    assert len({poster.seed for poster in home.posters}) == len(home.posters) >= 30


BROKEN: dict[str, tuple[Change, str]] = {
    "unknown key": (lambda w: w.update(colour="red"), "unknown key 'colour'"),
    "missing key": (lambda w: w.pop("walls"), "'walls' is missing"),
    "too large": (lambda w: w.update(size=[1e6, 3.0]), "at most 500 m"),
    "no number": (lambda w: w["walls"][0].update(height=float("nan")), "NaN"),
    "infinite": (lambda w: w["walls"][0].update(height=float("inf")), "infinite"),
    "start far outside": (lambda w: w.update(start=[0.0, 0.0, 1e9, 1e9]), "far outside"),
    "wrong type": (lambda w: w.update(size="big"), "size"),
    "unknown texture": (lambda w: w["rooms"][0].update(floor="lava"), "unknown texture 'lava'"),
    "unknown pattern": (lambda w: w["textures"]["oak"].update(pattern="plaid"), "plaid"),
    "broken colour": (lambda w: w["textures"]["oak"].update(colors=["brown"]), "'#rrggbb'"),
    "door in no wall": (lambda w: w["doors"][0].update(start=[1.0, 1.0], end=[1.0, 2.0]), "lies in no wall"),
    "narrow door": (lambda w: w["doors"][0].update(end=[2.0, 1.5]), "at least 0.9 m"),
    "wall outside": (lambda w: w["walls"][0].update(end=[9.0, 0.0]), "outside the world's size"),
    "wall without length": (lambda w: w["walls"][0].update(end=[0.0, 0.0]), "no length"),
    "same name twice": (lambda w: w["walls"][0].update(name="middle"), "wall 'middle' occurs 2 times"),
    "poster on no wall": (lambda w: w["posters"][0].update(wall="roof"), "unknown wall 'roof'"),
    "poster off its wall": (lambda w: w["posters"][0].update(along=5.0), "beyond the wall"),
    "poster over a door": (lambda w: w["posters"][4].update(along=1.5), "covers door 'middle'"),
    "low furniture": (
        lambda w: w.update(furniture=[{"name": "rug", "shape": "box", "position": [1, 1], "size": [1, 1, 0.01]}]),
        "at least 0.3 m high",
    ),
    "furniture in a door": (
        lambda w: w.update(furniture=[{"name": "box", "shape": "box", "position": [2, 1.6], "size": [0.5, 0.5, 1]}]),
        "door 'middle' leads into something solid",
    ),
    "no place to start": (lambda w: w.update(start=[1.9, 0.2, 2.1, 0.9]), "start area"),
    "start inside out": (lambda w: w.update(start=[3.0, 1.0, 1.0, 2.0]), "start must be x_min"),
    "no rooms": (lambda w: w.update(rooms=[]), "at least one room"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_world_gets_one_line_that_names_the_file_and_the_fault(case: str, tmp_path: Path) -> None:
    change, expected = BROKEN[case]
    path = write(tmp_path, change)
    with pytest.raises(AmiError) as caught:
        load_world(path)
    message = str(caught.value)
    assert expected in message and str(path) in message and "\n" not in message


def test_of_each_kind_there_are_only_so_many_things(two_rooms: World) -> None:
    with pytest.raises(ValueError, match="it has 2 rooms; at most 1 can be simulated"):
        check_geometry(two_rooms, WorldLimits(things=1))


@pytest.mark.parametrize(
    "text",
    ["size: [1, 2", "\tname: x", "- just\n- a list", "", "name: !!python/object:os.system x", "\udcff\udcfe\x00"],
)
def test_a_file_that_is_no_world_gets_one_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(AmiError) as caught:
        load_world(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_an_unknown_world_is_answered_with_those_that_exist() -> None:
    with pytest.raises(AmiError, match="no world 'moon': known are empty, home, two_rooms"):
        load_world("moon")
