"""The pose graph of a large map, solved by a process of its own while the robot drives on; the result is merged.

What is around a new constraint is put straight at once (`pose_graph.relax`). A loop that is longer than what may move
then bends the map where it ends; only the whole map says where the bend belongs.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array, compose, relative
from ami_ros.places.index import PlaceIndex
from ami_ros.places.laser_model import LaserModel
from ami_ros.places.place_map import PlaceMap
from ami_ros.slam.pose_graph import PoseGraphConfig, driven_ways, optimise

GIVEN, FOUND = "given.npz", "found.npy"
NICE = 10  # of the process: the robot goes first


class WholeMap:
    """Solves one map again and again.

    Args:
        places: the map.
        config: of the optimisation.
    """

    def __init__(self, places: PlaceMap, config: PoseGraphConfig) -> None:
        self.places, self.config = places, config
        self._process: subprocess.Popen[bytes] | None = None
        self._wanted = False

    def ask(self) -> None:
        """The map has changed: it is solved, once what is under way is done."""
        self._wanted = True

    def stop(self) -> None:
        """What is under way is not wanted any more."""
        self._wanted = False
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._end()

    def step(self) -> bool:
        """Begins, or merges what has been found; False: there is nothing to do now."""
        if self._process is None:
            return self._wanted and self._begin()
        if self._process.poll() is None:
            return False
        found = Path(self._folder.name) / FOUND
        if self._process.returncode == 0 and self._removals == self.places.index.removals:
            self._merge(np.load(found))
        self._end()
        return True

    def _begin(self) -> bool:
        self._wanted, index = False, self.places.index
        edges = self.places.graph.edges.columns
        edges = edges[(edges["traversals"] > 0) | (edges["loop"] > 0)]
        try:
            self._folder = tempfile.TemporaryDirectory(prefix="ami_map_", ignore_cleanup_errors=True)
        except OSError:  # no room: what is near new constraints is straight anyway
            return False
        try:
            given = Path(self._folder.name) / GIVEN
            np.savez(given, ids=index.ids, poses=index.poses, edges=edges, config=[*_numbers(self.config)])
            command = [sys.executable, "-m", __name__, self._folder.name]
            quiet = subprocess.DEVNULL
            self._process = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet)
        except OSError:  # likewise, or no other process may run here
            self._end()
            return False
        self._known, self._removals = len(index), index.removals
        return True

    def _end(self) -> None:
        self._process = None
        self._folder.cleanup()

    def _merge(self, found: Array) -> None:
        """Moves places to where they were found (n, 3), and newer ones with a place that they are linked to."""
        index, table = self.places.index, self.places.graph.edges
        old, new = index.poses.copy(), np.concatenate([found, index.poses[self._known :]])
        for row in range(self._known, len(index)):
            ends = [index.row(other) for other in table.at(int(index.ids[row]))[::2]]
            anchor = min(ends, default=row)
            if anchor < row:
                new[row] = compose(new[anchor], relative(old[anchor], old[row]))
        self.places.move(np.arange(len(index)), new)


def _numbers(config: PoseGraphConfig) -> tuple[float, float, float, int]:
    return *config.way_sigma, config.robust, config.iterations


def solve(ids: NDArray[np.int64], poses: Array, edges: NDArray[np.void], config: PoseGraphConfig) -> Array:
    """Where places belong (n, 3), whose ids are (n,), and which are at `poses` (n, 3), linked by `edges` (m,)."""
    index = PlaceIndex(LaserModel())
    index.extend(ids, np.zeros((len(ids), LaserModel.spec.latent_dim), np.float32), poses)
    return optimise(poses, [driven_ways(index, edges, config)], config)


def main(folder: Path) -> None:
    """What the process does: reads GIVEN, writes FOUND."""
    os.nice(NICE)
    with np.load(folder / GIVEN) as given:
        sigma, turn, robust, iterations = given["config"].tolist()
        config = PoseGraphConfig(way_sigma=(sigma, turn), robust=robust, iterations=int(iterations))
        np.save(folder / FOUND, solve(given["ids"], given["poses"], given["edges"], config))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
