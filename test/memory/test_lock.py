"""One writer for each memory, and what becomes of it when the file gets another name or goes."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from ami_ros.core.errors import AmiError
from ami_ros.memory import replacing as lock
from ami_ros.memory.store import Store
from ami_ros.memory.types import PlaceRow
from harness.processes import Children

ENCODER, DIM = "net@0123", 4

# Puts the places that it is told of, acknowledged, until it is told to close.
WRITER = """
import sys, time, numpy as np
from pathlib import Path
from ami_ros.memory.types import PlaceRow
from ami_ros.memory.store import Store
store = Store(Path(sys.argv[1]), "net@0123", 4)
for i in map(int, sys.argv[2].split()):
    store.put_places([PlaceRow(i, np.full(4, i, np.float32), np.zeros(3), 0.0, 0.0, 1)])
    store.flush()
    print("there", i, flush=True)
while not Path(sys.argv[3]).exists():
    time.sleep(0.01)
store.close()
print("closed", flush=True)
"""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "PATIENCE", 0.1)


@pytest.fixture(autouse=True)
def others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that tests before have open are not looked at."""
    monkeypatch.setattr(lock, "_files", {})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home.memory"


def place(id: int) -> PlaceRow:
    return PlaceRow(id, np.full(DIM, id, np.float32), np.zeros(3), 0.0, 0.0, 1)


def ids(path: Path) -> list[int]:
    store = Store(path, ENCODER, DIM, read_only=True)
    try:
        assert store.notice == ""
        return [p.id for p in store.load()[0]]
    finally:
        store.close()


@pytest.mark.fault("two processes write to one memory")
def test_a_second_writer_is_refused_in_a_line_that_names_the_first_and_reading_goes_on(
    path: Path, children: Children
) -> None:
    writer = children.python("-c", WRITER, str(path), "1 2 3", str(path.with_name("end")))
    writer.wait_for_output("there 3")
    with pytest.raises(AmiError, match=rf"in use by process {writer.pid} \(.+\): end that") as refused:
        Store(path, ENCODER, DIM)
    assert "\n" not in str(refused.value) and str(path) in str(refused.value) and "can be read" in str(refused.value)
    assert ids(path) == [1, 2, 3]
    writer.send(signal.SIGKILL)
    writer.wait()
    store = Store(path, ENCODER, DIM)  # the lock has ended with its process
    store.put_places([place(4)])
    store.close()
    assert ids(path) == [1, 2, 3, 4]


def test_a_writer_that_ends_soon_is_waited_for(path: Path, children: Children, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "PATIENCE", 60.0)
    end = path.with_name("end")
    writer = children.python("-c", WRITER, str(path), "1", str(end))
    writer.wait_for_output("there 1")
    end.touch()
    store = Store(path, ENCODER, DIM)
    writer.wait_for_output("closed")
    store.put_places([place(2)])
    store.close()
    assert ids(path) == [1, 2]


def test_one_process_has_one_writer_too_and_gives_the_lock_back(path: Path) -> None:
    first = Store(path, ENCODER, DIM)
    reader = Store(path, ENCODER, DIM, read_only=True)
    with pytest.raises(AmiError, match="in use by process"):
        Store(path, ENCODER, DIM)
    first.close()
    second = Store(path, ENCODER, DIM)  # though the reader keeps the file open
    with pytest.raises(AmiError, match="in use by process"):
        Store(path, ENCODER, DIM)
    second.close()
    reader.close()
    assert not lock._files  # nothing stays open


def test_what_cannot_be_opened_keeps_no_lock(path: Path) -> None:
    Store(path, ENCODER, DIM).close()
    for _ in range(2):
        with pytest.raises(AmiError, match="belongs to the encoder"):
            Store(path, "other@0123", DIM)
    assert not lock._files
    Store(path, ENCODER, DIM).close()


def test_a_memory_that_was_rescued_is_locked_too(path: Path) -> None:
    first = Store(path, ENCODER, DIM)
    first.put_places([place(i) for i in range(1, 30)])
    first.close()
    path.write_bytes(path.read_bytes()[:-8000])
    rescued = Store(path, ENCODER, DIM)
    assert "was damaged" in rescued.notice
    with pytest.raises(AmiError, match="in use by process"):
        Store(path, ENCODER, DIM)
    rescued.put_places([place(50)])
    rescued.flush()
    rescued.close()
    assert ids(path)[-1] == 50 and not lock._files


@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_what_is_no_file_is_refused_at_once_and_left_alone(path: Path, kind: str) -> None:
    os.mkfifo(path) if kind == "pipe" else path.mkdir()
    with pytest.raises(AmiError, match="cannot be opened"):
        Store(path, ENCODER, DIM)
    assert not lock._files and not path.is_file()


@pytest.mark.fault("two processes write to one memory")
def test_the_lock_stays_with_a_file_that_is_renamed_and_what_is_acknowledged_is_there(
    path: Path, children: Children
) -> None:
    moved, end = path.with_name("moved.memory"), path.with_name("end")
    writer = children.python("-c", WRITER, str(path), "1 2 3", str(end))
    writer.wait_for_output("there 3")
    path.rename(moved)
    with pytest.raises(AmiError, match="in use by process"):
        Store(moved, ENCODER, DIM)
    new = Store(path, ENCODER, DIM)  # another memory of the old name has nothing to do with it
    new.put_places([place(10)])
    new.flush()
    end.touch()
    writer.wait_for_output("closed")
    new.put_places([place(11)])
    new.close()
    assert ids(path) == [10, 11] and ids(moved) == [1, 2, 3]


def test_what_is_written_after_the_file_was_renamed_is_in_the_renamed_file(path: Path) -> None:
    moved = path.with_name("moved.memory")
    store = Store(path, ENCODER, DIM)
    store.put_places([place(1)])
    store.flush()
    path.rename(moved)
    store.put_places([place(2)])
    store.flush()
    assert ids(moved) == [1, 2]
    store.put_places([place(3)])
    store.close()
    assert ids(moved) == [1, 2, 3]


@pytest.mark.parametrize("by", ["erased", "replaced"])
def test_nothing_is_acknowledged_into_a_file_that_is_gone(path: Path, by: str) -> None:
    store = Store(path, ENCODER, DIM)
    store.put_places([place(1)])
    store.flush()
    if by == "erased":
        path.unlink()
    else:
        other = path.with_name("other")
        other.write_bytes(b"")
        other.rename(path)
    store.put_places([place(2)])
    with pytest.raises(AmiError, match=r"home\.memory was erased or replaced .* save it to another file"):
        store.flush()
    assert [p.id for p in store.load()[0]] == [1, 2]
    store.close()


def test_a_reader_sees_on_what_others_write_after_a_writer_beside_it_has_closed(path: Path, children: Children) -> None:
    # Closing a file drops the locks of the whole process on it; the next to close would take the log from the reader.
    writer = Store(path, ENCODER, DIM)
    writer.put_places([place(1)])
    writer.flush()
    reader = Store(path, ENCODER, DIM, read_only=True)
    assert len(reader.load()[0]) == 1
    writer.close()
    for k in range(2, 5):
        end = path.with_name("end")
        end.touch()
        child = children.python("-c", WRITER, str(path), str(k), str(end))
        assert child.wait() == 0, child.output()
        assert [p.id for p in reader.load()[0]] == list(range(1, k + 1))
    reader.close()


def test_two_that_write_in_turn_lose_nothing_that_either_was_told(path: Path, children: Children) -> None:
    end = path.with_name("end")
    end.touch()
    writers = [children.python("-c", WRITER, str(path), f"{k} {k + 10} {k + 20}", str(end)) for k in (1, 2, 3)]
    assert [writer.wait(60.0) for writer in writers] == [0, 0, 0], [writer.output() for writer in writers]
    assert ids(path) == sorted(k + n for k in (1, 2, 3) for n in (0, 10, 20))
