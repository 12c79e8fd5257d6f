"""A recording as the bus: the parts perceive, are surprised and remember as on the robot; work takes no time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ami_ros.core.commands import of_width
from ami_ros.core.images import decode_image
from ami_ros.core.scan import Mount, Scan
from ami_ros.memory.place_memory import PlaceMemory
from ami_ros.memory.types import Location
from ami_ros.runtime.graph import AgentConfig
from ami_ros.runtime.memory import MemoryPart
from ami_ros.runtime.part import ATTENTION, CMD_VEL, IMAGE, LOCATION, MOVING_THINGS, ODOM, SCAN, Motion, Part, Port
from ami_ros.runtime.perception import FollowedModel, PerceptionPart
from ami_ros.runtime.planner import Percepts
from ami_ros.runtime.simulated_bus import SimulatedBus, Timing
from ami_ros.runtime.world_model import WorldModelPart
from ami_ros.world_model.by_torch import on_arrays
from ami_ros.world_model.learning.dataset import Dataset
from ami_ros.world_model.learning.windows import check_inputs
from ami_ros.world_model.perception import Perception

Progress = Callable[[int, int], None]  # rows done, and of how many


class Watcher(Part):
    """Tells what moves, as the planner does on the robot."""

    name = "watcher"
    works = False
    takes: tuple[Port, ...] = (ODOM, SCAN.taken(frame="base_link"))
    gives: tuple[Port, ...] = (MOVING_THINGS,)

    def __init__(self, bus: Any) -> None:
        super().__init__(bus)
        self._percepts = Percepts()

    def on_odom(self, stamp: float, motion: Motion) -> None:
        self._percepts.take_odometry(stamp, *motion, self.bus.now())

    def on_scan(self, stamp: float, scan: Scan) -> None:
        if (things := self._percepts.take_scan(stamp, scan)) is not None:
            self.bus.give(MOVING_THINGS, stamp, things)


class RecordedBus:
    """Perception, world model and memory on a data set.

    Args:
        model: of the encoder that `memory` is for.
        encoder_id: its name.
        memory: grows.
        dataset: with pose by odometry, and all that the model takes.
        config: of the parts.
        hear: told where memory believes the robot to be, moment by moment.

    Raises:
        AmiError: the recording lacks an input of the model, or has another period.
    """

    def __init__(
        self,
        model: Any,
        encoder_id: str,
        memory: PlaceMemory,
        dataset: Dataset,
        config: AgentConfig | None = None,
        hear: Callable[[Location], None] = lambda location: None,
    ) -> None:
        check_inputs(dataset, model.spec)
        self._model, self._encoder_id, self._memory = on_arrays(model), encoder_id, memory
        self._dataset, self._config, self._hear = dataset, config or AgentConfig(), hear
        self._mount = dataset.scanner or Mount()
        self.refused: dict[str, str] = {}  # by part and kind, what it said last of what it refused, or wondered at

    def play(self, minutes: float, progress: Progress = lambda done, total: None) -> None:
        """Lives through the first `minutes` of it (0: all). In each episode the robot is switched on anew."""
        data = self._dataset
        total = len(data) if minutes <= 0 else min(len(data), round(minutes * 60 / data.period))
        done = 0
        for start, stop in data.episodes:
            if done == total:
                break
            bus = self._wired(float(data.stamp[start]))
            for row in range(start, min(stop, start + total - done)):
                bus.run_until(float(data.stamp[row]))
                self._give(bus, row)
                done += 1
                progress(done, total)
            bus.run_until(bus.time + data.period)
            self.refused |= bus.refused
        self._memory.finish()

    def _wired(self, now: float) -> SimulatedBus:
        """The parts as they are when the robot is switched on."""
        config, width = self._config, self._model.spec.command_dim
        bus = SimulatedBus(Timing.none(), now=now, convert=self._converted)
        perception = PerceptionPart(bus.seat("perception"), self._followed(), config)
        world_model = WorldModelPart(bus.seat("world_model"), self._followed(), Perception(self._model), config)
        memory = MemoryPart(bus.seat("memory"), self._memory, config, width)
        for part in (Watcher(bus.seat("watcher")), perception, world_model, memory):
            bus.add(part).restart()
        bus.give(ATTENTION, now, False)  # nobody compares pictures here
        bus.watch(LOCATION, lambda stamp, location: self._hear(location))
        return bus

    def _followed(self) -> FollowedModel:
        return FollowedModel(self._model, self._encoder_id)

    def _converted(self, port: Port, value: Any) -> Any:
        """A scan for who wants it in base_link."""
        return self._mount.in_base(value) if isinstance(value, Scan) and port.frame == "base_link" else value

    def _give(self, bus: SimulatedBus, row: int) -> None:
        """What the robot's drivers gave at a row."""
        data, inputs = self._dataset, self._model.spec.inputs
        stamp, command = float(data.stamp[row]), tuple(map(float, data.command[row]))
        bus.give(ODOM, stamp, Motion(data.odometry[row], tuple(map(float, data.velocity[row]))))
        if data.scan.shape[1]:
            ranges = np.array(data.scan[row])
            bus.give(SCAN, stamp, Scan(ranges, 0.0, 2 * np.pi / len(ranges)))
        if inputs.image_size:
            image = decode_image(data.jpeg(row))
            bus.give(IMAGE, stamp, lambda: image)
        if np.isfinite(command).all():
            bus.give(CMD_VEL, stamp, of_width(command, self._model.spec.command_dim))
