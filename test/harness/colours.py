"""A model that recognises colours, and pictures of one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ami_ros.core.camera import CameraMount, Window
from ami_ros.core.images import encode_jpeg
from ami_ros.memory.place_memory import MemoryConfig, PlaceMemory
from ami_ros.memory.types import GoalQuery
from ami_ros.world_model.array_pairs import Compared
from harness.exact_model import ExactModel, latent_of
from harness.walker import ENCODER, LIGHT, Walker

RED, BLUE = (220, 30, 30), (30, 30, 220)
AHEAD = np.array([0.5, 0.0, 0.0])  # where a picture was taken, seen from a place of its colour


class Colours:
    """Recognises pictures of one colour, as taken AHEAD of each other; a code is a colour."""

    size = 16
    calibration = torch.tensor([1.0, 1.0, 2.2, 2.2])  # relied on from 0.9 on
    mount = CameraMount()

    def __init__(self) -> None:
        self.encoded, self.full = 0, 1.0
        self.window = Window.square(1.0)

    def code(self, images: Tensor) -> Tensor:
        self.encoded += len(images)
        return images.float().mean((2, 3))

    def cells_of(self, code: Tensor) -> Tensor:
        return code[..., None, :]

    def forward(self, here: Tensor, there: Tensor, columns: Tensor | None = None) -> Compared:
        same = (here - there).abs().amax(-1) < 30
        pose = torch.tensor([*AHEAD[:2], 1.0, 0.0]).expand(len(here), -1)
        return Compared(pose, torch.full((len(here),), 0.1), 0.99 * same.float())


def colour(rgb: tuple[int, int, int]) -> bytes:
    return encode_jpeg(np.full((16, 16, 3), rgb, np.uint8))


def goal(rgb: tuple[int, int, int], near: float = 0.3) -> GoalQuery:
    return GoalQuery(latent_of(np.array([near, 0.0, 0.0])), picture=np.array(rgb, np.float32))


def model_of_colours() -> Any:
    """An exact model that recognises colours."""
    found = ExactModel()
    found.pairs = Colours()  # type: ignore[assignment]
    return found


def walked_from_red_through_blue(model: Any, path: Path) -> Iterator[Walker]:
    """It went 3 m ahead through what is blue; where it began was red."""
    memory = PlaceMemory(model, ENCODER, path, MemoryConfig(filter=LIGHT))
    walker = Walker(memory)
    walker.look(colour(RED))
    walker.drive(3.0, thumbnail=colour(BLUE))
    yield walker
    memory.close()
