"""The method of a model that has learned more in the building: `ami train TOUR --from MODEL`, of what a robot recorded.

Its latents are others, so that what was remembered meanwhile is encoded anew (`memory.reencoding`).
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ami_ros.errors import AmiError
from ami_ros.evaluation.closed_loop import ClosedLoop
from ami_ros.evaluation.loop_config import LoopConfig
from ami_ros.geometry import Array, compose, relative
from ami_ros.learning.bag_writer import BagWriter
from ami_ros.learning.collection import write_moment, write_picture
from ami_ros.parts.planner import Thought
from ami_ros.places.reencoding import reencode
from ami_ros.simulation.simulator import Simulator
from ami_ros.slam.place_memory import PlaceMemory
from ami_ros.world_model.checkpoint import load_model

PERIOD = 0.2  # [s] between what is recorded, as by `ami collect`
STEPS = 800  # of training: ten minutes on one core, of an AMD EPYC

Learn = Callable[[Path, Path, Path], None]  # model to go on from, tour, and a folder for what comes of it


def learn_more(model: Path, tour: Path, out: Path, *options: str, steps: int = STEPS) -> None:
    """Learns as a user would, on one core. Raises AmiError if it cannot."""
    command = [sys.executable, "-m", "ami_ros.app", "train", str(tour), "--from", str(model), "--out", str(out)]
    done = subprocess.run([*command, "--steps", str(steps), "--threads", "1", *options], capture_output=True, text=True)
    if done.returncode:
        raise AmiError(f"the specialist could not learn: {(done.stderr.strip() or 'it said nothing').splitlines()[-1]}")


class Tour:
    """Records what the robot of a loop senses and is told, while it explores.

    Args:
        loop: its robot; somebody else drives it.
        folder: for all that comes of it.

    Attributes:
        bag: the recording.
        memory: file of what was remembered meanwhile.
        model: folder for the specialist.
        truths: the true poses (3,) of the places, by id.
    """

    def __init__(self, loop: ClosedLoop, folder: Path) -> None:
        self.bag, self.memory, self.model = folder / "tour", folder / "memory.db", folder / "model"
        self.truths: dict[int, Array] = {}
        self._loop, self._writer = loop, BagWriter(self.bag)
        self._written = -np.inf
        loop.watch = self._note

    def close(self, truths: dict[int, Array]) -> None:
        """The tour is over, and places were founded in `truths`."""
        self._loop.watch = None
        self._writer.close()
        self._loop.memory.save(self.memory)
        self.truths = dict(truths)

    def _note(self, thought: Thought | None) -> None:
        """A control period has ended."""
        loop, seen = self._loop, self._loop.seen
        self._writer.command("cmd_vel", loop.simulator.time, *loop.sent)
        if seen is None or seen.stamp - self._written < PERIOD - 1e-3:
            return
        self._written = seen.stamp
        if seen.image is not None:  # as the model's camera would have taken it, so that none is described
            write_picture(self._writer, seen)
        write_moment(self._writer, loop.simulator.description, seen, loop.truth_at(seen.stamp))


class Specialist:
    """Drives with what was learned and remembered on a tour.

    Args:
        tour: that is over, and was learned from.
        simulator: the robot.
        config: of the stack.
        seed: of search.
    """

    def __init__(self, tour: Tour, simulator: Simulator, config: LoopConfig, seed: int) -> None:
        loaded, file = load_model(tour.model), tour.memory.with_name("own.db")
        reencode(tour.memory, loaded, file, lambda done, count: None)
        memory = PlaceMemory(loaded.model, loaded.encoder_id, file, config.agent.memory)
        self._truths = {i: truth for i, truth in tour.truths.items() if i in memory.map.index}
        self.loop = ClosedLoop(loaded, simulator, memory, config, seed)

    def carry(self, pose: Array) -> None:
        """Puts the robot to `pose` (3,) of the world, and tells it where in its map that is."""
        self.loop.simulator.place(pose)
        index, truths = self.loop.memory.map.index, np.array(list(self._truths.values()))
        nearest = list(self._truths)[int(np.hypot(*(truths[:, :2] - pose[:2]).T).argmin())]
        self.loop.memory.set_initial_pose(
            compose(index.poses[index.row(nearest)], relative(self._truths[nearest], pose))
        )

    def close(self) -> None:
        """Its memory is of no more use."""
        self.loop.memory.close()
