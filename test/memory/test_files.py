"""Memories as files: saved, loaded, and named without leaving their folder."""

from __future__ import annotations

import sqlite3
import stat
import threading
from pathlib import Path

import numpy as np
import pytest

from ami_ros.core.errors import AmiError
from ami_ros.memory.files import memory_beside, named_file
from ami_ros.memory.place_memory import PlaceMemory
from ami_ros.memory.types import Code, Experience

from .conftest import Opener, Walker


def walked(memory: PlaceMemory) -> Walker:
    walker = Walker(memory)
    walker.look(b"picture")
    walker.loop(1.0)
    memory.remember("door", "a note")
    return walker


def same(a: PlaceMemory, b: PlaceMemory) -> bool:
    first, second = a.places(), b.places()
    return (
        np.array_equal(first.ids, second.ids)
        and np.allclose(first.poses, second.poses)
        and {tuple(e) for e in first.edges} == {tuple(e) for e in second.edges}
        and first.labels == second.labels
        and a.map.store.thumbnail(1) == b.map.store.thumbnail(1)
    )


def test_pictures_that_are_not_on_the_disk_yet_are_saved_too(tmp_path: Path, open_memory: Opener) -> None:
    memory, saved = open_memory(tmp_path / "own.memory"), tmp_path / "saved.memory"
    with memory.map.store._write_lock:  # as on a slow disk
        Walker(memory).look(b"picture")
        saving = threading.Thread(target=memory.save, args=(saved,))
        saving.start()
        saving.join(0.3)
    saving.join(30.0)
    assert open_memory(saved).map.store.thumbnail(1) == b"picture"


def test_what_is_saved_is_loaded_again_and_the_file_is_private(tmp_path: Path, open_memory: Opener) -> None:
    memory = open_memory()
    walked(memory)
    file = tmp_path / "folder" / "home.memory"
    assert memory.save(file) == file.stat().st_size > 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [p.name for p in file.parent.iterdir()] == ["home.memory"]
    other = open_memory(tmp_path / "own.memory")
    Walker(other, (3.0, 3.0, 0.0)).drive(1.0)
    with pytest.raises(AmiError, match="would be lost") as refused:
        other.load(file)
    assert refused.value.code == Code.WOULD_FORGET and len(other) > 1
    other.load(file, overwrite=True)
    assert same(memory, other) and other.location() is None
    other.close()
    assert same(memory, open_memory(tmp_path / "own.memory"))


def test_an_existing_file_is_overwritten_only_when_asked(tmp_path: Path, open_memory: Opener) -> None:
    memory = open_memory()
    walker = walked(memory)
    file = tmp_path / "home.memory"
    memory.save(file)
    walker.drive(1.0)
    with pytest.raises(AmiError, match="exists already") as refused:
        memory.save(file)
    assert refused.value.code == Code.FILE_EXISTS
    memory.save(file, overwrite=True)
    assert same(memory, open_memory(file))


def test_a_folder_that_cannot_be_written_leaves_everything_as_it_is(tmp_path: Path, open_memory: Opener) -> None:
    memory = open_memory()
    walked(memory)
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(AmiError, match="cannot write") as refused:
        memory.save(tmp_path / "file" / "home.memory")
    assert refused.value.code == Code.WRITE_FAILED


@pytest.mark.parametrize("content", ["nothing", "text", "another program's", "of the future"])
def test_what_is_no_memory_is_not_loaded_and_changes_nothing(tmp_path: Path, open_memory: Opener, content: str) -> None:
    memory = open_memory()
    walked(memory)
    before, file = memory.places(), tmp_path / "bad.memory"
    if content == "text":
        file.write_text("no database " * 500)
    elif content != "nothing":
        memory.save(file)
        with sqlite3.connect(file) as connection:
            number = "application_id = 5" if content == "another program's" else "user_version = 99"
            connection.execute(f"PRAGMA {number}")
        connection.close()
    for act in (memory.load, memory.merge):
        with pytest.raises(AmiError) as refused:
            act(file)
        assert refused.value.code == (Code.NOT_FOUND if content == "nothing" else Code.INVALID_INPUT)
    np.testing.assert_array_equal(memory.places().ids, before.ids)


def test_statistics_count_what_is_there(tmp_path: Path, open_memory: Opener) -> None:
    memory = open_memory(tmp_path / "own.memory")
    assert memory.statistics().places == memory.statistics().visits == 0
    walker = walked(memory)
    memory.map.store.flush()
    found = memory.statistics()
    assert found.places == len(memory) and found.ways == len(memory.places().edges)
    assert (found.labels, found.blocked) == (1, 0) and found.visits >= found.places
    assert found.first == pytest.approx(100.0) and found.last <= walker.time and found.size > 1000
    first, second = memory.places().edges[0]
    memory.map.failed(int(first), int(second), walker.time)
    assert memory.statistics().blocked == 1


@pytest.mark.parametrize("name", ["", "..", "../home", "/etc/passwd", "a/b", "a\\b", ".hidden", "x" * 65, "a\n", "ä"])
def test_a_name_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    with pytest.raises(AmiError, match="and no path") as refused:
        named_file(tmp_path, name)
    assert refused.value.code == Code.INVALID_INPUT


def test_names_are_files_of_the_folder(tmp_path: Path) -> None:
    assert named_file(tmp_path, "home-2.old") == tmp_path / "home-2.old.memory"
    with pytest.raises(AmiError, match="no folder"):
        named_file(None, "home")


@pytest.mark.parametrize("world", ["home", "worlds/home.yaml"])
def test_a_world_has_its_memory_beside_the_model(world: str) -> None:
    assert memory_beside(Path("models/onboard"), world) == Path("models/onboard/home.memory")


@pytest.mark.fault("memory saved onto its own file")
def test_saving_onto_the_file_in_use_keeps_it_open_and_loses_nothing(tmp_path: Path, open_memory: Opener) -> None:
    file = tmp_path / "home.memory"
    memory = open_memory(file)
    walked(memory)
    (tmp_path / "link.memory").symlink_to(file)
    assert memory.save(file) == memory.save(tmp_path / "link.memory", overwrite=True) > 0
    count = len(memory)
    memory.remember("learned later", overwrite=True)
    memory.close()
    again = open_memory(file)
    assert len(again) == count and "learned later" in again.places().labels.values()


def test_loading_the_file_in_use_changes_nothing(tmp_path: Path, open_memory: Opener) -> None:
    file = tmp_path / "home.memory"
    memory = open_memory(file)
    walked(memory)
    count = len(memory)
    memory.load(file, overwrite=True)
    assert len(memory) == count and memory.map.store.thumbnail(1)


def test_a_memory_that_cannot_be_taken_over_erases_nothing(tmp_path: Path, open_memory: Opener) -> None:
    memory, bad = open_memory(), tmp_path / "bad.memory"
    walked(memory)
    memory.save(bad)
    with sqlite3.connect(bad) as connection:
        connection.execute("UPDATE places SET x = 9e999")
    connection.close()
    count = len(memory)
    with pytest.raises(AmiError, match=r"nothing in .* can be read"):
        memory.load(bad, overwrite=True)
    assert len(memory) == count


def test_of_a_damaged_memory_what_is_whole_is_taken_over_and_that_is_said(tmp_path: Path, open_memory: Opener) -> None:
    memory, bad = open_memory(), tmp_path / "bad.memory"
    walked(memory)
    memory.save(bad)
    with sqlite3.connect(bad) as connection:
        connection.execute("UPDATE places SET x = 9e999 WHERE id = 2")
    connection.close()
    other = open_memory()
    other.load(bad)
    assert set(other.map.details) == set(memory.map.details) - {2}
    assert "was damaged" in other.map.store.notice and "the file is as it was" in other.map.store.notice


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("keep out")
    (tmp_path / "home.memory").symlink_to(tmp_path / "secret")
    with pytest.raises(AmiError, match="is a link") as refused:
        named_file(tmp_path, "home")
    assert refused.value.code == Code.INVALID_INPUT


def test_a_copy_has_what_was_commanded_from_each_place(tmp_path: Path, open_memory: Opener) -> None:
    memory = open_memory(tmp_path / "home.memory")
    walked(memory)
    commands = np.full((24, 2), 0.25, np.float32)
    memory.map.store.put_experience(1, Experience(commands=commands))
    memory.map.store.flush()
    memory.save(tmp_path / "copy.memory")
    other = open_memory()
    other.load(tmp_path / "copy.memory")
    np.testing.assert_array_equal(other.map.store.experience([1])[1].commands, commands)
