"""Some episodes of a data set, as a data set: to train on some and to measure on others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ami_ros.learning.dataset import ARRAYS, Dataset, Progress


class Selection(Dataset):
    """Episodes of `whole`, whose rows are numbered anew; pictures stay where they are.

    Pictures that were decoded once are kept, for whoever trains several models on the same episodes.

    Args:
        whole: the data set.
        numbers: of the episodes, in their order.
    """

    def __init__(self, whole: Dataset, numbers: Sequence[int]) -> None:
        stretches = [np.arange(*whole.episodes[number]) for number in numbers]
        self.whole, self.rows = whole, np.concatenate(stretches)
        self.folder, self._images = whole.folder, whole._images
        self.card = replace(
            whole.card,
            frames=len(self.rows),
            episodes=len(numbers),
            minutes=round(len(self.rows) * whole.period / 60, 2),
        )
        for name in ARRAYS:
            setattr(self, name, np.asarray(getattr(whole, name))[self.rows])
        ends = np.cumsum([len(stretch) for stretch in stretches]).tolist()
        self.episodes = list(zip([0, *ends[:-1]], ends, strict=True))
        self._decoded: dict[int, NDArray[np.uint8]] = {}

    def load_images(self, size: int, progress: Progress | None = None) -> NDArray[np.uint8]:
        """As `Dataset.load_images`, decoded once for each size."""
        if size not in self._decoded:
            self._decoded[size] = super().load_images(size, progress)
        return self._decoded[size]


def split(whole: Dataset, every: int, first: int = 0) -> tuple[Selection, Selection]:
    """Episodes to train on, and every so many-th one to measure on.

    Args:
        whole: the data set.
        every: of so many episodes one is held out, the last of them.
        first: how many of the episodes are taken at all; 0: all.

    Raises:
        ValueError: there are fewer than `every` episodes, or `every` is less than 2.
    """
    numbers = range(len(whole.episodes))[: first or None]
    held_out = numbers[every - 1 :: every]
    if every < 2 or not held_out:
        raise ValueError(f"{len(numbers)} episodes cannot be split by holding out one of {every}")
    return Selection(whole, [n for n in numbers if n not in held_out]), Selection(whole, held_out)
