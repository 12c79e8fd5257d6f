"""Bits that flip, files that are cut off, power that is lost: nothing is silently wrong, and what is whole is kept."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import stat
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from ami_ros.core.errors import AmiError
from ami_ros.memory import database as checksums
from ami_ros.memory.store import Store
from ami_ros.memory.types import Edge, Experience, PlaceRow
from harness import memory_kill
from harness.processes import Children
from harness.waiting import wait_until

ENCODER, DIM, COUNT = "net@0123", 16, 120


def place(id: int) -> PlaceRow:
    rng = np.random.default_rng(id)
    known = Experience(np.diag([1.0, 2.0, 3.0]).astype(np.float32), np.full((24, 2), 0.25, np.float32))
    pose, latent = rng.normal(size=3), rng.normal(size=DIM).astype(np.float32)
    label = f"place {id}" if id % 10 == 0 else ""
    return PlaceRow(id, latent, pose, 1.5, 2.5, id, label, "", 2, -0.0, 0.5, rng.bytes(300), known)


def way(start: int) -> Edge:
    return Edge(start, start + 1, np.array([1.0, -0.0, 0.25]), start, 2.5, 0, 3.5)


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a memory of 120 places in a chain."""
    path = tmp_path_factory.mktemp("memory") / "home.memory"
    store = Store(path, ENCODER, DIM)
    store.put_places(place(i) for i in range(1, COUNT + 1))
    store.put_edges(way(i) for i in range(1, COUNT))
    store.close()
    return path.read_bytes()


def same(found: PlaceRow, given: PlaceRow) -> bool:
    numbers = ("created", "last_seen", "visits", "label", "note", "episode", "surprise", "keep_away")
    equal = all(getattr(found, name) == getattr(given, name) for name in numbers)
    return equal and bool((found.latent == given.latent).all() and (found.pose == given.pose).all())


def wrong(store: Store) -> list[str]:
    """What a memory gives that was not written."""
    places, ways = store.load()
    found = [f"place {p.id}" for p in places if not (0 < p.id <= COUNT and same(p, place(p.id)))]
    found += [
        f"way {w.start}"
        for w in ways
        if (w.start, w.stop, w.traversals, w.duration) != (w.start, w.start + 1, w.start, 2.5)
        or list(w.relative) != [1.0, 0.0, 0.25]
    ]
    found += [f"picture {p.id}" for p in places if store.thumbnail(p.id) not in (b"", place(p.id).thumbnail)]
    for place_id, known in store.experience([p.id for p in places]).items():
        commands = known.commands is None or (known.commands == 0.25).all()
        covariance = known.covariance is None or (known.covariance == place(1).experience.covariance).all()  # type: ignore[union-attr]
        if not (commands and covariance):
            found.append(f"experience {place_id}")
    return found


def test_an_unharmed_memory_is_read_without_a_word(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "home.memory"
    path.write_bytes(content)
    store = Store(path, ENCODER, DIM)
    assert len(store.load()[0]) == COUNT and len(store.load()[1]) == COUNT - 1 and not wrong(store)
    assert len(store.experience(range(1, COUNT + 1))) == COUNT and store.notice == ""
    store.close()


@pytest.mark.fault("memory file damaged")
def test_one_flipped_bit_is_never_silently_wrong(tmp_path: Path, content: bytes) -> None:
    path, rng, noticed = tmp_path / "home.memory", np.random.default_rng(0), 0
    first = [int(rng.integers(100 * 8)) for _ in range(15)]  # the header of the file, which is small
    for bit in [*first, *(int(rng.integers(len(content) * 8)) for _ in range(85))]:
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            store = Store(path, ENCODER, DIM, read_only=True)
        except AmiError as error:  # a version or a kind of file that it then says it is
            assert bit < 800 and "\n" not in str(error), error
            assert path.read_bytes() == damaged
            continue
        assert wrong(store) == [], bit
        whole = len(store.load()[0]) == COUNT and len(store.load()[1]) == COUNT - 1
        assert whole or store.notice, bit
        assert len(store.load()[0]) >= COUNT - 25, bit  # at most a page is lost
        noticed += bool(store.notice)
        store.close()
    assert noticed > 50


@pytest.mark.parametrize("share", [0.35, 0.5, 0.65, 0.8, 0.95])
def test_of_a_file_that_is_cut_off_what_is_there_is_kept(tmp_path: Path, content: bytes, share: float) -> None:
    path, cut = tmp_path / "home.memory", content[: int(share * len(content))]
    path.write_bytes(cut)
    store = Store(path, ENCODER, DIM)
    assert len(store.load()[0]) > COUNT / 4 and wrong(store) == []
    assert "was damaged" in store.notice and "kept as" in store.notice and "\n" not in store.notice
    store.put_places([place(COUNT)])
    store.close()
    assert (tmp_path / "home.memory.damaged1").read_bytes() == cut
    again = Store(path, ENCODER, DIM)
    assert again.notice == "" and wrong(again) == [] and again.load()[0][-1].id == COUNT
    again.close()


def test_without_its_first_page_the_rest_is_read(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "home.memory"
    path.write_bytes(b"\xff" * 4096 + content[4096:])
    store = Store(path, ENCODER, DIM)
    assert len(store.load()[0]) == COUNT and len(store.load()[1]) == COUNT - 1 and wrong(store) == [] and store.notice
    store.close()


def test_rows_of_another_encoder_are_not_taken_for_its_own(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "home.memory"
    path.write_bytes(content.replace(ENCODER.encode(), b"net@0124"))  # what it says of itself, and that alone
    with pytest.raises(AmiError, match=r"nothing in .* can be read"):
        Store(path, "net@0124", DIM)
    store = Store(path, ENCODER, DIM)
    assert len(store.load()[0]) == COUNT and store.notice
    store.close()


def test_numbers_that_are_none_are_left_out_and_that_is_said(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "home.memory"
    path.write_bytes(content)
    with sqlite3.connect(path) as connection:
        checksums.register(connection, ENCODER, DIM)  # whoever wrote it knew how
        columns = "id, latent, x, y, yaw, created, last_seen, visits, label, note, episode, surprise, keep_away"
        nan = np.full(DIM, np.nan, np.float32).tobytes()
        connection.execute("UPDATE places SET x = 9e999 WHERE id = 3")
        connection.execute("UPDATE places SET latent = ? WHERE id = 5", (nan,))
        connection.execute("UPDATE edges SET duration = -9e999 WHERE start = 8")
        connection.execute(f"UPDATE places SET crc = place_crc({columns})")
        connection.execute(
            "UPDATE edges SET crc = edge_crc(start, stop, x, y, yaw, traversals, duration, failures, last_used)"
        )
    connection.close()
    store = Store(path, ENCODER, DIM)
    places, ways = store.load()
    assert {p.id for p in places} == set(range(1, COUNT + 1)) - {3, 5} and store.notice
    assert {2, 3, 4, 5, 8}.isdisjoint(w.start for w in ways)
    store.close()


def test_a_file_with_nothing_in_it_is_begun_anew_and_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "home.memory"
    path.touch()
    store = Store(path, ENCODER, DIM)
    assert "nothing in it" in store.notice and str(path) in store.notice
    store.close()
    again = Store(path, ENCODER, DIM)
    assert again.notice == ""
    again.close()
    new = Store(tmp_path / "new.memory", ENCODER, DIM)
    assert new.notice == ""
    new.close()


@pytest.mark.parametrize("damaged", [False, True])
@pytest.mark.parametrize(
    "evil",
    [
        "CREATE TRIGGER evil AFTER INSERT ON places BEGIN DELETE FROM places; END",
        "CREATE VIEW evil AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n",
    ],
)
def test_a_memory_that_brings_code_along_is_refused(tmp_path: Path, content: bytes, evil: str, damaged: bool) -> None:
    path = tmp_path / "home.memory"
    path.write_bytes(content)
    with sqlite3.connect(path) as connection:
        connection.execute(evil)
    connection.close()
    if damaged:
        path.write_bytes(path.read_bytes()[:-5000])
    for read_only in (False, True):
        with pytest.raises(AmiError, match="is no memory of places, for it has a"):
            Store(path, ENCODER, DIM, read_only)


@pytest.mark.parametrize("kind", ["text", "noise", "database"])
def test_what_is_no_memory_is_refused_and_left_alone(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "home.memory"
    if kind == "database":
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE songs (name TEXT)")
            connection.execute("INSERT INTO songs VALUES ('la')")
        connection.close()
    else:
        path.write_bytes(b"dear diary, " * 2000 if kind == "text" else np.random.default_rng(0).bytes(50_000))
    before = path.read_bytes()
    with pytest.raises(AmiError) as refused:
        Store(path, ENCODER, DIM)
    assert path.read_bytes() == before and "\n" not in str(refused.value)


def test_after_a_power_cut_at_any_moment_everything_acknowledged_is_there(tmp_path: Path, children: Children) -> None:
    path = tmp_path / "home.memory"
    writer = children.python(memory_kill.__file__, str(path))
    wait_until(writer.output, 60.0, "the first places")
    copies = []
    for k in range(12):
        time.sleep(0.03)
        writer.send(signal.SIGSTOP)
        wait_until(lambda: Path(f"/proc/{writer.pid}/stat").read_text().split()[2] == "T", what="its standing still")
        said = [line for line in writer.output().splitlines(keepends=True) if line.endswith("\n")]
        copy = tmp_path / f"copy{k}.memory"
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{path}{suffix}", f"{copy}{suffix}")
        copies.append((copy, int(said[-1].split()[1])))
        writer.send(signal.SIGCONT)
    rng = np.random.default_rng(0)
    for k, (copy, acknowledged) in enumerate(copies):
        if k % 3 == 2:  # the log reached the disk in part: it has nothing that was acknowledged
            log = Path(f"{copy}-wal")
            log.write_bytes(log.read_bytes()[: int(rng.integers(log.stat().st_size + 1))])
        store = Store(copy, memory_kill.ENCODER, memory_kill.DIM)
        places = store.load()[0]
        assert (store.notice == "" and len(places) >= acknowledged) or (k % 3 == 2 and store.notice)
        assert k % 3 == 2 or [p.id for p in places] == list(range(1, len(places) + 1))
        assert all((p.latent == memory_kill.place(p.id).latent).all() for p in places[-20:])
        store.close()


READ_ONLY = """
import os, sys, numpy as np
from pathlib import Path
from ami_ros.core.errors import AmiError
from ami_ros.memory.types import PlaceRow
from ami_ros.memory.store import Store
if os.getuid() == 0:  # who may do everything finds nothing read-only
    os.setgid(65534)
    os.setuid(65534)
store = Store(Path(sys.argv[1]), "net@0123", 16)
print("said:", store.error)
store.put_places([PlaceRow(1000, np.zeros(16, np.float32), np.zeros(3), 0.0, 0.0, 1)])
try:
    store.flush()
except AmiError as error:
    print("refused:", error)
print("serves", len(store.load()[0]))
store.close()
"""


@pytest.mark.fault("disk read-only")
def test_from_a_disk_that_is_read_only_it_serves_and_acknowledges_nothing(children: Children, content: bytes) -> None:
    folder = Path(tempfile.mkdtemp(prefix="memory-"))  # pytest lets nobody else into its own
    path = folder / "home.memory"
    path.write_bytes(content)
    path.chmod(0o444)
    folder.chmod(0o555)
    reader = children.python("-c", READ_ONLY, str(path))
    try:
        assert reader.wait(60) == 0, reader.output()
        kept = path.read_bytes()
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)
    said, refused, serves = reader.output().splitlines()[-3:]
    assert "cannot be changed" in said and refused.startswith("refused: the memory") and serves == f"serves {COUNT}"
    assert kept == content


def test_memories_are_read_by_their_owner_only(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "home.memory"
    store = Store(path, ENCODER, DIM)
    store.put_places([place(1)])
    store.flush()
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}
    store.close()
    path.write_bytes(content[: len(content) // 2])
    Store(path, ENCODER, DIM).close()
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}
