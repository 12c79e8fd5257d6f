"""kill -9 of a process that writes to a memory, again and again: is what it was told to be safe still there?

As a program it is that process: `memory_kill.py FILE` adds places for ever, ten at a time,
and reports the ids that are said to be on the disk.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

import numpy as np

from ami_ros.core.errors import AmiError
from ami_ros.memory.store import Store
from ami_ros.memory.types import Edge, PlaceRow

ENCODER, DIM = "killed@000000000000", 64
BATCH = 10
PATIENCE = 120.0  # [s] for the process to start


def kill_again_and_again(path: Path, rounds: int, seed: int) -> tuple[int, int]:
    """Kills a writer `rounds` times, each at a random moment of its work.

    Args:
        path: of a memory that does not exist yet.
        rounds: of kills, all on one file.
        seed: of the moments.

    Returns:
        How many places were acknowledged in all, and how many of them were lost or wrong.

    Raises:
        AmiError: the file could not be opened again, or the writer did not start.
    """
    rng = np.random.default_rng(seed)
    acknowledged: set[int] = set()
    for _ in range(rounds):
        acknowledged |= _kill_once(path, rng.uniform(0.02, 0.4))
    store = Store(path, ENCODER, DIM)
    try:
        stored = {p.id: p for p in store.load()[0]}
        intact = {
            i
            for i in acknowledged
            if i in stored
            and np.array_equal(stored[i].latent, place(i).latent)
            and store.thumbnail(i) == place(i).thumbnail
        }
    finally:
        store.close()
    return len(acknowledged), len(acknowledged - intact)


def _kill_once(path: Path, after: float) -> set[int]:
    """Runs a writer until `after` [s] of work; returns the ids that it said are safe."""
    with tempfile.TemporaryFile("w+") as output:
        writer = subprocess.Popen([sys.executable, __file__, str(path)], stdout=output)
        try:
            deadline = time.monotonic() + PATIENCE
            while not _lines(output):
                if writer.poll() is not None or time.monotonic() > deadline:
                    raise AmiError(f"the process that writes to {path} did not start")
                time.sleep(0.02)
            time.sleep(after)
        finally:
            writer.send_signal(signal.SIGKILL)
            writer.wait()
        spans = [line.split() for line in _lines(output)]
        return {i for first, last in spans for i in range(int(first), int(last) + 1)}


def _lines(output: IO[str]) -> list[str]:
    """What was written so far, but for a line that was cut off."""
    output.seek(0)
    return [line for line in output.read().splitlines(keepends=True) if line.endswith("\n")]


def place(number: int) -> PlaceRow:
    """A place whose contents follow from its id."""
    rng = np.random.default_rng(number)
    latent = rng.normal(size=DIM).astype(np.float32)
    return PlaceRow(number, latent, rng.normal(size=3), number, number, 1, thumbnail=rng.bytes(2000))


def write_for_ever(path: Path, output: IO[str]) -> None:
    """Adds places and ways until it is killed."""
    store = Store(path, ENCODER, DIM)
    places, _ = store.load()
    first = places[-1].id + 1 if places else 1
    while True:
        batch = range(first, first + BATCH)
        store.put_places(place(i) for i in batch)
        store.put_edges(Edge(i, i + 1, np.zeros(3)) for i in batch)
        store.flush()
        output.write(f"{first} {first + BATCH - 1}\n")
        output.flush()
        first += BATCH


if __name__ == "__main__":
    write_for_ever(Path(sys.argv[1]), sys.stdout)
