"""The store under kill -9 and on a full disk, with real processes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ami_ros.memory.store import Store
from ami_ros.memory.types import PlaceRow
from harness.memory_kill import kill_again_and_again
from harness.processes import Children

# The largest size that a file may have stands in for the end of the disk: both fail in the same call.
FILLER = """
import resource, sys, numpy as np
from pathlib import Path
from ami_ros.core.errors import AmiError
from ami_ros.memory.types import PlaceRow
from ami_ros.memory.store import Store
store = Store(Path(sys.argv[1]), "net@0123", 4)
place = lambda i: PlaceRow(i, np.full(4, i, np.float32), np.zeros(3), 0.0, 0.0, 1, thumbnail=b"x" * 2000)
store.put_places([place(i) for i in range(10)])
store.flush()
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
try:
    for i in range(10, 500):
        store.put_places([place(i)])
        store.flush()
except AmiError as error:
    print("stopped:", error)
store.put_places([place(1000)])
print("serves", len(store.load()[0]), store.error is not None)
if sys.argv[2] == "recovers":
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    store.flush()
    print("after all", len(store.load()[0]), store.error)
store.close()
"""


@pytest.mark.fault("memory killed while writing")
def test_no_acknowledged_place_is_lost_by_kill_9(tmp_path: Path) -> None:
    acknowledged, lost = kill_again_and_again(tmp_path / "memory.db", rounds=3, seed=0)
    assert lost == 0 < acknowledged


@pytest.mark.fault("disk full")
def test_a_full_disk_stops_the_writing_and_nothing_else(tmp_path: Path, children: Children) -> None:
    path = tmp_path / "memory.db"
    filler = children.python("-c", FILLER, str(path), "stays")
    assert filler.wait(30) == 0, filler.output()
    stopped, serves = filler.output().splitlines()[-2:]
    assert stopped.startswith("stopped: cannot write the memory") and "free space" in stopped
    count = int(serves.split()[1])
    assert serves == f"serves {count} True" and 10 <= count < 500
    store = Store(path, "net@0123", 4)
    store.put_places([PlaceRow(1000, np.zeros(4, np.float32), np.zeros(3), 0.0, 0.0, 1)])
    store.flush()
    assert [p.id for p in store.load()[0]] == [*range(count), 1000]
    store.close()


@pytest.mark.fault("disk full")
def test_what_a_full_disk_did_not_take_is_written_once_there_is_room(tmp_path: Path, children: Children) -> None:
    path = tmp_path / "memory.db"
    filler = children.python("-c", FILLER, str(path), "recovers")
    assert filler.wait(30) == 0, filler.output()
    serves, after = filler.output().splitlines()[-2:]
    stored = int(serves.split()[1])
    assert after == f"after all {stored + 1} None"  # what did not fit in the file was in the log; one came later
    store = Store(path, "net@0123", 4, read_only=True)
    assert [p.id for p in store.load()[0]] == [*range(stored), 1000]
    store.close()
