"""Power that is lost, and kills, at any moment of a writer's work: what was acknowledged is there afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ami_ros.core.errors import AmiError
from ami_ros.memory.store import Store
from harness.disk import Disk, Recorder, laid_out
from harness.processes import Children

ENCODER, DIM = "net@0123", 16

# Says after each step how many places of which version must be there from now on.
WRITER = """
import sys, numpy as np
from pathlib import Path
from ami_ros.memory.types import PlaceRow
from ami_ros.memory.store import Store
from ami_ros.memory.types import Edge
def place(i, visits):
    rng = np.random.default_rng(i)
    latent, pose = rng.normal(size=16).astype(np.float32), rng.normal(size=3)
    return PlaceRow(i, latent, pose, 1.0, 2.0, visits, thumbnail=rng.bytes(700))
store = Store(Path(sys.argv[1]), "net@0123", 16)
print("begun", flush=True)
for batch in range(6):
    ids = range(10 * batch + 1, 10 * batch + 11)
    store.put_places(place(i, 1) for i in ids)
    store.put_edges(Edge(i, i + 1, np.zeros(3)) for i in ids)
    store.flush()
    print("there", ids[-1], flush=True)
store.put_places(place(i, 2) for i in range(1, 61))
store.flush()
print("visited 60", flush=True)
print("erasing 20", flush=True)
store.erase(range(1, 21))
print("erased 20", flush=True)
store.put_places(place(i, 3) for i in range(61, 91))
store.close()
print("closed 90", flush=True)
"""


@pytest.fixture
def recorder(children: Children, tmp_path: Path) -> Recorder:
    (tmp_path / "noted").mkdir()
    return Recorder(children, tmp_path / "noted")


def promised(said: str) -> dict[int, int]:
    """Place id -> least number of visits, by what a writer said."""
    visits: dict[int, int] = {}
    for line in said.splitlines():
        match line.split():
            case ["there", last]:
                visits |= {i: 1 for i in range(1, int(last) + 1)}
            case ["visited", last]:
                visits |= {i: 2 for i in range(1, int(last) + 1)}
            case ["erasing", last]:
                visits = {i: n for i, n in visits.items() if i > int(last)}
            case ["closed", last]:
                visits |= {i: 3 for i in range(61, int(last) + 1)}
    return visits


def states(disk: Disk, rng: np.random.Generator) -> Iterator[tuple[str, dict[str, bytes]]]:
    yield "killed", disk.killed()
    yield "power cut", disk.cut(None)
    yield "power cut, some written", disk.cut(rng)


def broken_promises(files: dict[str, bytes], said: str) -> list[str]:
    with laid_out(files) as folder:
        path = folder / "home.memory"
        if "begun" not in said and not path.exists():
            return []
        store = Store(path, ENCODER, DIM)
        try:
            found = {p.id: p for p in store.load()[0]}
            broken = [f"place {i} is gone" for i in promised(said).keys() - found.keys()]
            broken += [f"place {i} is old" for i, n in promised(said).items() if i in found and found[i].visits < n]
            for i, place in found.items():
                rng = np.random.default_rng(i)
                sound = (place.latent == rng.normal(size=DIM).astype(np.float32)).all()
                sound &= (place.pose == rng.normal(size=3)).all()
                picture, stored = rng.bytes(700), store.thumbnail(i)
                broken += [] if sound and stored in (picture, b"") else [f"place {i} is wrong"]
                broken += [f"the picture of place {i} is gone"] if i in promised(said) and not stored else []
            if "erased" in said:
                broken += [f"place {i} is back" for i in found if i <= 20]
            if store.notice and said:
                broken.append(f"told: {store.notice}")
            return broken
        finally:
            store.close()


@pytest.mark.fault("power cut, or kill, at any moment of a memory's work")
def test_what_was_acknowledged_outlives_a_power_cut_after_any_call(recorder: Recorder, tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    disk, rng, tried = Disk(folder), np.random.default_rng(0), 0
    for call in recorder.record(folder, WRITER, str(folder / "home.memory")):
        disk.step(call)
        if call.kind in "sfdrcu" or rng.random() < 0.1:  # else it differs by a page
            for what, files in states(disk, rng):
                assert broken_promises(files, disk.said) == [], (what, call.kind, disk.said)
                tried += 1
    assert "closed" in disk.said and tried > 100


@pytest.mark.fault("memory's log cut off or lost")
def test_a_log_that_is_cut_off_takes_nothing_that_was_acknowledged_without_a_word(
    recorder: Recorder, tmp_path: Path
) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    disk, rng, log, whole, told = Disk(folder), np.random.default_rng(0), "home.memory-wal", 0, 0
    for call in recorder.record(folder, WRITER, str(folder / "home.memory")):
        disk.step(call)
        files = disk.killed()
        if "there" not in disk.said or (not files.get(log) and call.kind != "s"):
            continue
        share = rng.choice([0.0, 0.9, rng.random()])
        content = files.pop(log, b"")
        content = content[: int(share * len(content))]
        if share:
            files[log] = content
        try:
            broken = broken_promises(files, disk.said)
        except AmiError as error:
            broken = [f"told: {error}"]
        is_told = any(line.startswith("told") for line in broken)
        assert is_told or not broken, (call.kind, share, disk.said, broken)
        # Between two acknowledgements the log may be on its way to the file; then it can only be told.
        assert call.kind != "s" or not broken, (share, disk.said, broken)
        assert not any("wrong" in line or "back" in line for line in broken), (share, disk.said, broken)
        whole, told = whole + (not broken), told + is_told
    assert whole > 50 and told, (whole, told)
