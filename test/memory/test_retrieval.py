"""Which places look like a picture, by global descriptors."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ami_ros.memory.retrieval import Descriptors, descriptor_file, digest

COMMON = np.array([5.0, 5.0, 5.0], np.float32)  # what every picture of a building has in it
ROOMS = np.eye(3, dtype=np.float32)


def named(*ids: int) -> dict[int, bytes]:
    """The digests of their pictures."""
    return {place_id: digest(str(place_id).encode()) for place_id in ids}


def known() -> Descriptors:
    """Nine places, ids 10 to 18, three in each room."""
    made, rng = Descriptors(), np.random.default_rng(0)
    rows = COMMON + ROOMS.repeat(3, 0) + rng.normal(0.0, 0.05, (9, 3)).astype(np.float32)
    made.add(named(*range(10, 16)), rows[:6])
    made.add(named(*range(16, 19)), rows[6:])
    return made


def test_pictures_of_one_room_are_alike_whatever_all_have_in_common() -> None:
    ids, alike = known().likeness(COMMON + ROOMS)
    assert alike.shape == (3, 9)
    for room in range(3):
        best = ids[np.argsort(-alike[room])[:3]]
        assert sorted(best.tolist()) == [10 + 3 * room, 11 + 3 * room, 12 + 3 * room]
        assert np.sort(alike[room])[-3:].min() > 0.9 and np.sort(alike[room])[:6].max() < 0.0


def test_who_was_forgotten_or_replaced_is_not_found_as_they_were() -> None:
    made = known()
    made.likeness(COMMON[None])  # it keeps a table
    made.drop({10, 11, 99})
    made.add(named(12), COMMON[None] + ROOMS[2:])
    ids, alike = made.likeness(COMMON[None] + ROOMS[2:])
    assert 10 not in ids and 10 not in made and 12 in made
    assert set(ids[np.argsort(-alike[0])[:4]].tolist()) == {12, 16, 17, 18}


def test_nobody_is_alike_where_no_place_has_a_picture() -> None:
    made = Descriptors()
    for _ in range(2):
        ids, alike = made.likeness(np.stack([COMMON, COMMON]))
        assert ids.shape == (0,) and alike.shape == (2, 0)
        made.add(named(1), COMMON[None])
        made.clear()


def test_what_was_saved_is_found_by_its_picture_and_by_the_camera_that_took_it(tmp_path: Path) -> None:
    memory, made = tmp_path / "home.memory", known()
    memory.touch()
    made.file = descriptor_file(memory)
    assert not made.is_due, "nine are not worth it yet"
    made.save(b"camera 1")
    again = Descriptors()
    again.file = descriptor_file(memory)
    assert again.read(b"camera 1", 5, named(12)[12]) and 5 in again
    assert not again.read(b"camera 2", 6, named(12)[12]) and not again.read(b"camera 1", 6, named(99)[99])
    ids, alike = again.likeness(COMMON[None])
    assert ids.tolist() == [5] and np.isfinite(alike).all()


def test_what_a_place_showed_that_is_forgotten_is_no_more_in_the_file(tmp_path: Path) -> None:
    memory, made = tmp_path / "home.memory", known()
    memory.touch()
    made.file = descriptor_file(memory)
    made.save(b"camera 1")
    made.drop({12})
    assert not (tmp_path / "home.memory.descriptors").exists()
    made.save(b"camera 1")
    again = Descriptors()
    again.file = descriptor_file(memory)
    assert not again.read(b"camera 1", 12, named(12)[12]) and again.read(b"camera 1", 13, named(13)[13])
