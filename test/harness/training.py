"""What the tests of training share."""

from __future__ import annotations

from ami_ros.world_model.learning.dataset import Dataset
from ami_ros.world_model.torch_model import WorldModel


class Killed(Exception):
    """Stands for a kill between two steps."""


class Shortened:
    """A data set without its last episode."""

    def __init__(self, dataset: Dataset) -> None:
        self.period, self.scan = dataset.period, dataset.scan
        self.odometry, self.command, self.scanner = dataset.odometry, dataset.command, dataset.scanner
        self.episodes = dataset.episodes[:-1]
        self.load_images, self.images = dataset.load_images, dataset.images

    def __len__(self) -> int:
        return len(self.odometry)


def assert_equal(a: WorldModel, b: WorldModel) -> None:
    """All weights are the same to the bit."""
    for name, value in a.state_dict().items():
        assert value.equal(b.state_dict()[name]), name
