"""Some episodes of a data set, as a data set."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.learning.dataset import ARRAYS, Dataset
from ami_ros.learning.selection import Selection, split


def test_rows_of_a_selection_are_those_of_its_episodes(dataset: Dataset) -> None:
    part = Selection(dataset, [4, 1])
    rows = np.concatenate([np.arange(*dataset.episodes[4]), np.arange(*dataset.episodes[1])])
    assert len(part) == len(rows) == part.card.frames and part.card.episodes == 2
    assert part.period == dataset.period and part.card.minutes == pytest.approx(
        len(rows) * dataset.period / 60, abs=0.01
    )
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(part, name), getattr(dataset, name)[rows])
    first = dataset.episodes[4][1] - dataset.episodes[4][0]
    assert part.episodes == [(0, first), (first, len(rows))]
    assert part.jpeg(first) == dataset.jpeg(dataset.episodes[1][0])
    np.testing.assert_array_equal(part.load_images(16), dataset.images(rows, 16))
    assert part.load_images(16) is part.load_images(16) is not part.load_images(32)


def test_what_is_held_out_is_not_trained_on(dataset: Dataset) -> None:
    training, held_out = split(dataset, every=3)
    assert [len(part.episodes) for part in (training, held_out)] == [4, 2]
    assert set(training.episode.tolist()) == {0, 1, 3, 4} and set(held_out.episode.tolist()) == {2, 5}
    few, one = split(dataset, every=2, first=3)
    assert set(few.episode.tolist()) == {0, 2} and set(one.episode.tolist()) == {1}


@pytest.mark.parametrize(("every", "first"), [(7, 0), (1, 0), (4, 3)])
def test_a_split_without_one_side_is_refused(dataset: Dataset, every: int, first: int) -> None:
    with pytest.raises(ValueError, match="cannot be split"):
        split(dataset, every, first)
