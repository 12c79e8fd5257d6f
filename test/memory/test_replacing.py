"""One memory takes the place of another: whole, at any moment, and without the log of the other."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ami_ros.core.errors import AmiError
from ami_ros.memory import replacing as lock
from ami_ros.memory.database import meta_of
from ami_ros.memory.files import write_copy
from ami_ros.memory.graph import GraphConfig
from ami_ros.memory.place_map import PlaceMap
from ami_ros.memory.replacing import successor_of, written_beside
from ami_ros.memory.store import Store
from ami_ros.memory.types import Code, Edge, PlaceRow
from harness.disk import Disk, Recorder, laid_out
from harness.exact_model import ExactModel, latent_of
from harness.processes import REPOSITORY, Children

ENCODER, DIM = "exact@0123456789ab", ExactModel().spec.latent_dim
OLD, NEW = 40, 120  # places

BEGIN = f"""
import os, sys
sys.path[:0] = [{str(REPOSITORY / "test")!r}, {str(REPOSITORY / "test" / "memory")!r}]
from pathlib import Path
from test_replacing import *
path = Path(sys.argv[1])
"""
# What the writer had committed is in the log of its file when it is killed.
KILLED = f"""{BEGIN}
store = Store(path, ENCODER, DIM)
store.put_places(place(i, "old") for i in range(1, OLD + 1))
store.put_edges(Edge(i, i + 1, np.zeros(3)) for i in range(1, OLD))
store.wait()
os._exit(0)
"""
SAVING = f"""{BEGIN}
places = remembered()
print("saving", flush=True)
write_copy(places, path, overwrite=True)
print("saved", flush=True)
"""
HALF = f"""{BEGIN}
with written_beside(path) as new:
    store = Store(new, ENCODER, DIM)
    store.put_places(place(i, "new") for i in range(1, NEW + 1))
    store.wait()
    os._exit(0)
"""
RESCUING = f"""{BEGIN}
print("opening", flush=True)
store = Store(path, ENCODER, DIM)
print("opened", len(store.load()[0]), flush=True)
os._exit(0)
"""
READING = f"""{BEGIN}
store = Store(path, ENCODER, DIM, read_only=True)
print("reads", len(store.load()[0]), flush=True)
while not Path(sys.argv[2]).exists():
    pass
print("still reads", len(store.load()[0]), store.notice, flush=True)
"""


def place(id: int, label: str) -> PlaceRow:
    pose = np.array([0.1 * id, 0.0, 0.0])
    return PlaceRow(id, latent_of(pose), pose, 1.0, 2.0, 1, f"{label} {id}", thumbnail=b"%d" % id * 100)


def remembered(count: int = NEW) -> PlaceMap:
    """A memory in RAM."""
    places = PlaceMap(ExactModel(), ENCODER, None, GraphConfig())
    places.adopt([place(i, "new") for i in range(1, count + 1)], [Edge(i, i + 1, np.zeros(3)) for i in range(1, count)])
    return places


def content(path: Path) -> list[str]:
    """The labels of a memory, whose rows are as they were written and of which nothing is said."""
    store = Store(path, ENCODER, DIM)
    try:
        rows, ways = store.load()
        assert store.notice == "" and len(ways) == len(rows) - 1
        assert all(store.thumbnail(row.id) == b"%d" % row.id * 100 for row in rows)
        return [row.label for row in rows]
    finally:
        store.close()


OLD_CONTENT = [f"old {i}" for i in range(1, OLD + 1)]
NEW_CONTENT = [f"new {i}" for i in range(1, NEW + 1)]


@pytest.fixture
def recorder(children: Children, tmp_path: Path) -> Recorder:
    (tmp_path / "noted").mkdir()
    return Recorder(children, tmp_path / "noted")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "disk").mkdir()
    return tmp_path / "disk" / "home.memory"


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a killed writer leaves: all of it is in the log."""
    folder = tmp_path_factory.mktemp("killed")
    subprocess.run([sys.executable, "-c", KILLED, str(folder / "home.memory")], check=True)
    return {name: (folder / name).read_bytes() for name in ("home.memory", "home.memory-wal")}


@pytest.fixture
def killed(path: Path, left: dict[str, bytes]) -> Path:
    for name, content in left.items():
        path.with_name(name).write_bytes(content)
    assert len(left["home.memory-wal"]) > 10_000
    return path


@pytest.mark.fault("memory saved over a file whose writer was killed")
def test_saving_over_a_file_with_a_log_leaves_the_old_or_the_new_one_after_any_call(
    recorder: Recorder, path: Path
) -> None:
    disk, rng, seen = Disk(path.parent), np.random.default_rng(0), {"old": 0, "new": 0}
    for call in recorder.record(path.parent, KILLED, str(path)):
        disk.step(call)
    for call in recorder.record(path.parent, SAVING, str(path)):
        disk.step(call)
        if call.kind == "w" and rng.random() > 0.02:  # most are in the new file, which has no name yet
            continue
        for files in (disk.killed(), disk.cut(None), disk.cut(rng)):
            with laid_out(files) as folder:
                found = content(folder / "home.memory")
            assert found == NEW_CONTENT or ("saved" not in disk.said and found == OLD_CONTENT), disk.said
            seen[found[0][:3]] += 1
    assert seen["old"] > 20 and seen["new"] > 10 and content(path) == NEW_CONTENT


@pytest.mark.fault("memory file damaged")
def test_a_rescue_that_is_killed_after_any_call_loses_nothing_that_could_be_read(
    recorder: Recorder, path: Path
) -> None:
    before = recorder.record(path.parent, KILLED, str(path))
    with path.open("r+b") as file:
        file.write(bytes([0, 255]))  # of the file; the log has all the places
    disk, rng, last = Disk(path.parent), np.random.default_rng(0), ""
    for call in before:
        disk.step(call)
    disk.damage("home.memory", path.read_bytes())
    for call in recorder.record(path.parent, RESCUING, str(path)):
        disk.step(call)
        if call.kind == "w" and rng.random() > 0.05:
            continue
        for files in (disk.killed(), disk.cut(None), disk.cut(rng)):
            with laid_out(files) as folder:
                store = Store(folder / "home.memory", ENCODER, DIM)
                assert [p.label for p in store.load()[0]] == OLD_CONTENT, disk.said
                store.close()
        last = disk.said
    assert f"opened {OLD}" in last


def test_saving_over_a_file_that_another_process_writes_to_is_refused(
    killed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "PATIENCE", 0.1)
    other = Store(killed, ENCODER, DIM)
    with pytest.raises(AmiError, match="in use by process") as refused:
        write_copy(remembered(), killed, overwrite=True)
    assert refused.value.code == Code.WRITE_FAILED
    other.put_places([place(OLD + 1, "old")])
    other.put_edges([Edge(OLD, OLD + 1, np.zeros(3))])
    other.close()
    assert content(killed) == [*OLD_CONTENT, f"old {OLD + 1}"]
    assert [file.name for file in killed.parent.iterdir()] == [killed.name]


def test_who_reads_the_old_file_goes_on_and_who_opens_it_anew_reads_the_new_one(
    killed: Path, children: Children
) -> None:
    end = killed.with_name("end")
    reader = children.python("-c", READING, str(killed), str(end))
    reader.wait_for_output(f"reads {OLD}")
    write_copy(remembered(), killed, overwrite=True)
    assert content(killed) == NEW_CONTENT
    end.touch()
    assert reader.wait() == 0 and f"still reads {OLD}" in reader.output(), reader.output()
    assert content(killed) == NEW_CONTENT


def test_saving_onto_a_link_replaces_what_it_leads_to_and_its_log(killed: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.memory"
    link.symlink_to(killed)
    write_copy(remembered(), link, overwrite=True)
    assert link.is_symlink() and content(killed) == content(link) == NEW_CONTENT


def test_saving_onto_one_of_two_names_of_a_file_leaves_the_other_as_it_was(killed: Path, tmp_path: Path) -> None:
    Store(killed, ENCODER, DIM).close()
    other = tmp_path / "other.memory"
    os.link(killed, other)
    write_copy(remembered(), killed, overwrite=True)
    assert content(killed) == NEW_CONTENT and content(other) == OLD_CONTENT


def test_saving_over_what_is_no_memory_takes_its_place(path: Path) -> None:
    path.write_bytes(b"no memory")
    path.with_name("home.memory-journal").write_bytes(b"of another" * 200)
    write_copy(remembered(), path, overwrite=True)
    assert content(path) == NEW_CONTENT and [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("what", ["missing", "empty"])
def test_a_log_beside_a_memory_that_is_new_is_not_taken_for_its_own(killed: Path, what: str) -> None:
    log = killed.with_name("home.memory-wal").read_bytes()
    killed.unlink() if what == "missing" else killed.write_bytes(b"")
    store = Store(killed, ENCODER, DIM)
    assert store.load() == ([], []) and store.notice
    store.close()
    aside = killed.with_name("home.memory.damaged1-wal")
    assert aside.read_bytes() == log and (what == "empty" or str(aside) in store.notice)
    assert {file.name for file in killed.parent.iterdir()} == {killed.name, aside.name}


@pytest.mark.parametrize("who", ["writer", "reader", "meta", "saver"])
def test_a_replacement_that_was_cut_short_is_finished_by_whoever_comes_first(killed: Path, who: str) -> None:
    write_copy(remembered(), killed.with_name("other"), overwrite=False)
    killed.with_name("other").rename(successor_of(killed))  # as a kill leaves it
    if who == "meta":
        assert meta_of(killed) == (ENCODER, DIM)
    elif who == "saver":
        with pytest.raises(AmiError, match="exists already"):
            write_copy(remembered(10), killed, overwrite=False)
    else:
        Store(killed, ENCODER, DIM, read_only=who == "reader").close()
    assert not successor_of(killed).exists() and content(killed) == NEW_CONTENT


def test_a_file_that_appears_while_another_is_saved_is_not_overwritten_unasked(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = remembered()
    wait = places.store.wait
    monkeypatch.setattr(places.store, "wait", lambda: (wait(), path.write_bytes(b"of somebody else")))
    with pytest.raises(AmiError, match="exists already") as refused:
        write_copy(places, path, overwrite=False)
    assert refused.value.code == Code.FILE_EXISTS and path.read_bytes() == b"of somebody else"


def test_a_saved_memory_needs_no_log_and_can_be_read_where_nothing_may_be_written(path: Path) -> None:
    write_copy(remembered(), path, overwrite=False)
    with sqlite3.connect(f"file:{path}?immutable=1", uri=True) as connection:
        assert connection.execute("SELECT count(*) FROM places").fetchone() == (NEW,)
    connection.close()


def test_a_kill_or_an_error_under_way_leaves_no_half_of_a_new_memory(tmp_path: Path) -> None:
    path = tmp_path / "new.memory"
    subprocess.run([sys.executable, "-c", HALF, str(path)], check=True)
    assert not path.exists()
    with pytest.raises(ZeroDivisionError), written_beside(path) as new:
        new.write_bytes(bytes(1 // 0))
    assert not path.exists()
    with written_beside(path) as new:
        Store(new, ENCODER, DIM).close()
    assert meta_of(path) == (ENCODER, DIM)
    with pytest.raises(AmiError, match="exists already"), written_beside(path):
        raise AssertionError("not written")
