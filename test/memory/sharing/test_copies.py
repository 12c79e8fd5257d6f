"""The copies of other robots' memories in a folder."""

from __future__ import annotations

import socket
from pathlib import Path

import numpy as np
import pytest

from ami_ros.memory.sharing.replica import VERSION, Copies, copies_beside, robot_name
from ami_ros.memory.sharing.replica_writer import ReplicaWriter
from ami_ros.memory.sharing.rows import OwnRows
from ami_ros.memory.store import Store
from ami_ros.memory.types import PlaceRow

ENCODER, DIM = "an encoder", 4


def store(path: Path, count: int) -> Store:
    made = Store(path, ENCODER, DIM)
    latent = np.zeros(DIM, np.float32)
    made.put_places(PlaceRow(i, latent, np.zeros(3), 1.0, 1.0, 1) for i in range(1, count + 1))
    made.flush()
    return made


def test_only_copies_that_have_changed_are_named_and_other_files_never(tmp_path: Path) -> None:
    copies = Copies(tmp_path / "site")
    assert copies.changed() == []
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "notes.txt").write_text("mine")
    (tmp_path / "site" / ".hidden.memory").write_text("mine")
    one = store(tmp_path / "site" / "amr1.memory", 3)
    two = store(tmp_path / "site" / "amr2.memory", 3)
    assert [copy.robot for copy in copies.changed()] == ["amr1", "amr2"]
    assert copies.changed() == []
    two.put_places([PlaceRow(9, np.zeros(DIM, np.float32), np.zeros(3), 1.0, 1.0, 1)])
    two.wait()  # in the log beside the file
    assert [copy.robot for copy in copies.changed()] == ["amr2"]
    one.close()
    two.close()


def test_a_copy_is_whole_once_it_held_all(tmp_path: Path) -> None:
    copies, path = Copies(tmp_path), tmp_path / "amr1.memory"
    writer = ReplicaWriter(path, ENCODER, DIM)
    assert [copy.whole for copy in copies.changed()] == [False]
    writer.complete(7)
    assert writer.version == 7 and VERSION
    assert [copy.whole for copy in copies.changed()] == [True]
    writer.close()


def test_a_file_that_is_no_memory_is_named_and_not_whole(tmp_path: Path) -> None:
    (tmp_path / "amr1.memory").write_bytes(b"nothing of the kind")
    assert [(copy.robot, copy.whole) for copy in Copies(tmp_path).changed()] == [("amr1", False)]


def test_copies_lie_beside_the_memory(tmp_path: Path) -> None:
    assert copies_beside(tmp_path / "office.memory") == tmp_path / "office.memory.site"


@pytest.mark.parametrize(
    ("asked", "namespace", "name"),
    [("amr1", "/x", "amr1"), ("", "/fleet/amr1/", "fleet.amr1"), ("", "/", socket.gethostname())],
)
def test_a_robot_goes_by_its_name_its_namespace_or_its_computer(asked: str, namespace: str, name: str) -> None:
    assert robot_name(asked, namespace) == name


def test_a_memory_is_shared_only_once_its_writer_says_so(tmp_path: Path) -> None:
    path = tmp_path / "own.memory"
    own = OwnRows(path)
    assert own.rows() is None and own.identity() == ""
    memory = store(path, 3)
    assert own.rows() is None
    memory.begin_sharing()
    assert own.rows() is not None and own.changed() and not own.changed()
    first = own.identity()
    memory.begin_sharing()
    assert own.identity() == first != ""
    memory.begin_sharing(anew=True)
    assert own.identity() not in ("", first)
    own.close()
    memory.close()


def test_a_memory_that_was_put_in_the_place_of_the_old_one_is_read(tmp_path: Path) -> None:
    path = tmp_path / "own.memory"
    memory = store(path, 3)
    memory.begin_sharing()
    own = OwnRows(path)
    assert (rows := own.rows()) is not None and rows.digest()[0] == 3
    memory.close()
    other = store(tmp_path / "other.memory", 5)
    other.begin_sharing()
    other.close()
    (tmp_path / "other.memory").rename(path)
    assert (rows := own.rows()) is not None and rows.digest()[0] == 5
    own.close()
