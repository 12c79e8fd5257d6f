"""Codes of places: made once, kept in a file beside the memory, and no others used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ami_ros.core.camera import CameraMount, Window
from ami_ros.memory import place_map, recognition
from ami_ros.memory.place_memory import MemoryConfig, PlaceMemory
from ami_ros.memory.store import Store
from ami_ros.memory.types import View
from harness.colours import AHEAD, BLUE, RED, colour, goal, model_of_colours, walked_from_red_through_blue
from harness.exact_model import latent_of

from .conftest import ENCODER, LIGHT, Walker, pose_error


@pytest.fixture
def model() -> Any:
    return model_of_colours()


@pytest.fixture
def walker(model: Any, path: Path) -> Iterator[Walker]:
    yield from walked_from_red_through_blue(model, path)


def test_places_are_encoded_once(walker: Walker, model: Any) -> None:
    walker.memory.find_route(goal(RED))
    walker.memory.find_route(goal(BLUE))
    walker.memory.find_route(goal(RED))
    assert 0 < model.pairs.encoded <= len(walker.memory)


def test_a_question_only_compares_what_was_encoded_as_places_came(walker: Walker, model: Any) -> None:
    for _ in range(len(walker.memory)):
        walker.memory.prepare()
    encoded = model.pairs.encoded
    assert encoded == len(walker.memory)
    walker.memory.prepare()
    route = walker.memory.find_route(goal(RED, near=1.0))
    assert model.pairs.encoded == encoded and pose_error(route.goal_pose, AHEAD) < 0.05


def test_a_question_encodes_some_places_and_the_next_goes_on(
    walker: Walker, model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recognition, "RECOGNITION", replace(recognition.RECOGNITION, encoded=2))
    for most in range(2, len(walker.memory), 2):
        walker.memory.find_route(goal(RED, near=1.0))
        assert model.pairs.encoded == most, "a building's pictures take longer than signs of life may"
    for _ in range(2):
        route = walker.memory.find_route(goal(RED, near=1.0))
    assert model.pairs.encoded == len(walker.memory) and pose_error(route.goal_pose, AHEAD) < 0.05


def test_a_place_with_the_id_of_a_forgotten_one_is_known_by_its_own_picture(walker: Walker, model: Any) -> None:
    memory = walker.memory
    walker.drive(1.0, thumbnail=colour(RED))
    last = int(memory.map.index.ids.max())
    memory.prepare(len(memory))
    assert memory.map.recogniser is not None
    memory.map.forget([last])
    pose = np.array([9.0, 0.0, 0.0])
    assert memory.map.add(99.0, latent_of(pose), pose, colour(BLUE)) == last
    encoded = model.pairs.encoded
    memory.prepare(len(memory))
    assert model.pairs.encoded == encoded + 1
    alike = memory.map.recogniser.alike([last], np.array(BLUE, np.float32))
    assert alike is not None and alike[0] > 0.9


def encoded_by_a_restart(model: Any, path: Path) -> int:
    """Pictures of places that memory encodes when it begins again; one more shows what makes codes."""
    before = model.pairs.encoded
    memory = PlaceMemory(model, ENCODER, path, MemoryConfig(filter=LIGHT))
    while memory.prepare():
        pass
    encoded = model.pairs.encoded - before
    memory.close()
    return int(encoded) - 1


def test_a_restart_encodes_no_picture_again_and_recognises_the_same(walker: Walker, model: Any, path: Path) -> None:
    """It took 30 s of one core, in which images waited for their commands, and goals were lost."""
    walker.memory.prepare(len(walker.memory))
    before = walker.memory.find_route(goal(RED, near=1.0))
    walker.memory.close()
    assert encoded_by_a_restart(model, path) == 0
    again = Walker(PlaceMemory(model, ENCODER, path, MemoryConfig(filter=LIGHT)))
    again.look()
    again.drive(1.0)
    encoded = model.pairs.encoded
    after = again.memory.find_route(goal(RED, near=1.0))
    assert model.pairs.encoded <= encoded + 1 and np.allclose(after.goal_pose, before.goal_pose)
    again.memory.close()


@pytest.mark.parametrize("what", ["camera mount", "window", "model", "file"])
def test_codes_that_were_made_otherwise_are_made_again(walker: Walker, model: Any, path: Path, what: str) -> None:
    walker.memory.prepare(len(walker.memory))
    places = len(walker.memory)
    walker.memory.close()
    if what == "camera mount":
        model.pairs.mount = CameraMount(z=0.3)
    elif what == "window":
        model.pairs.window = Window.square(0.5)
    elif what == "model":
        code = model.pairs.code
        model.pairs.code = lambda images: code(images) * 1.01
    else:
        path.with_name(f"{path.name}.codes").write_bytes(b"no codes")
    assert encoded_by_a_restart(model, path) == places - (what == "file"), "a broken file is not asked"
    assert encoded_by_a_restart(model, path) == 0, "and kept"


def test_of_a_picture_that_changed_the_old_code_is_not_used(walker: Walker, model: Any, path: Path) -> None:
    walker.memory.prepare(len(walker.memory))
    walker.memory.close()
    store = Store(path, ENCODER, walker.memory.map.latent_dim)
    rows, _ = store.load()
    store.put_places([replace(rows[0], thumbnail=colour((30, 220, 30)))])
    store.close()
    memory = PlaceMemory(model, ENCODER, path, MemoryConfig(filter=LIGHT))
    assert memory.map.recogniser is not None
    for rgb, expected in (((30, 220, 30), True), (RED, False)):
        alike = memory.map.recogniser.alike([rows[0].id], np.array(rgb, np.float32))
        assert alike is not None and (alike[0] > 0.5) == expected
    memory.close()


def test_what_is_forgotten_is_in_no_file(walker: Walker, path: Path) -> None:
    """A code contains a small picture of the place."""
    codes = path.with_name(f"{path.name}.codes")
    walker.memory.prepare(len(walker.memory))
    assert walker.memory.map.recogniser is not None
    walker.memory.map.recogniser.save()
    whole = codes.stat().st_size
    walker.memory.forget(ids=[1])
    assert not codes.exists()
    walker.memory.map.recogniser.save()
    assert 0 < codes.stat().st_size < whole, "the others are kept"


def test_places_whose_codes_find_no_room_are_found_all_the_same(
    walker: Walker, model: Any, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a large memory RAM holds some codes. The rest was chosen by latents, so narrow pictures were not found."""
    monkeypatch.setattr(recognition, "KEPT", 4)
    walker.look(colour(RED))  # the newest, and the oldest
    while walker.memory.prepare():
        pass
    recogniser, places = walker.memory.map.recogniser, len(walker.memory)
    assert recogniser is not None and len(recogniser._codes) == 4
    view = View(latent_of(AHEAD), np.array(RED, np.float32))
    (found,) = recogniser.candidates(walker.memory.map.index, [view])
    assert sorted(found.rows.tolist()) == list(range(places)) and model.pairs.encoded >= places
    walker.memory.close()
    assert encoded_by_a_restart(model, path) <= 1, "what stands in the files is not made again"


def test_many_new_codes_are_saved_before_the_robot_stops(
    walker: Walker, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Robots are switched off, some before all is encoded; but the file is not written again for each place."""
    codes = path.with_name(f"{path.name}.codes")
    walker.memory.prepare(4)
    walker.memory.prepare(4)
    assert not codes.exists(), "a few"
    monkeypatch.setattr(recognition, "RECOGNITION", replace(recognition.RECOGNITION, unsaved=3))
    assert walker.memory.prepare(0) is False and codes.exists()
    while walker.memory.prepare():
        pass
    assert walker.memory.map.recogniser is not None
    walker.memory.map.recogniser.save()
    saved = codes.stat().st_mtime_ns
    walker.drive(0.5, thumbnail=colour(RED))
    while walker.memory.prepare():
        pass
    assert codes.stat().st_mtime_ns == saved


def test_a_copy_reads_pictures_from_where_it_was_copied_which_it_opens_once(
    walker: Walker, model: Any, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walker.memory.save(saved := path.with_name("saved.db"))
    opened = list[Path | None]()

    class Opened(Store):
        def __init__(self, path: Path | None, *rest: Any, **how: Any) -> None:
            opened.append(path)
            super().__init__(path, *rest, **how)

    monkeypatch.setattr(place_map, "Store", Opened)
    copy = PlaceMemory.copy_of(model, ENCODER, saved, MemoryConfig(filter=LIGHT, learning=False))
    follower = Walker(copy)
    follower.look()
    follower.drive(1.0)
    assert pose_error(copy.find_route(goal(RED, near=1.0)).goal_pose, AHEAD) < 0.1
    assert opened == [None, saved], "opening reads and checks the whole file"
    copy.close()


def test_a_copy_reads_the_codes_of_what_it_copies_and_leaves_them(walker: Walker, model: Any, path: Path) -> None:
    walker.memory.prepare(len(walker.memory))
    walker.memory.close()
    codes = path.with_name(f"{path.name}.codes")
    content, encoded = codes.read_bytes(), model.pairs.encoded
    copy = PlaceMemory.copy_of(model, ENCODER, path, MemoryConfig(filter=LIGHT))
    while copy.prepare():
        pass
    assert model.pairs.encoded == encoded + 1
    copy.forget(ids=[1])
    copy.close()
    assert codes.read_bytes() == content
