"""Episodes of an environment are a recording to learn from, and a data set that goals come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ami_ros.errors import AmiError
from ami_ros.evaluation.swm.episodes import Episodes, draw_tasks
from ami_ros.evaluation.swm.tasks import PIXELS


def make_episodes(scale: float = 50.0) -> Episodes:
    """Two episodes, of 30 and 4 rows, that tell their rows apart."""
    parts: list[dict[str, NDArray[Any]]] = []
    for length, first in ((30, 0), (4, 100)):
        rows = np.arange(first, first + length)
        pixels = np.zeros((length, PIXELS, PIXELS, 3), np.uint8) + rows[:, None, None, None].astype(np.uint8)
        parts.append({"pixels": pixels, "state": np.stack([rows, 2 * rows], 1), "action": np.stack([rows, -rows], 1)})
    return Episodes.of(parts, scale)


def test_positions_are_scaled_to_metres_and_the_heading_stays() -> None:
    odometry = make_episodes().odometry
    np.testing.assert_allclose(odometry[10], [10 / 50, 20 / 50, 0])


def test_without_a_scale_no_position_is_told() -> None:
    assert not make_episodes(scale=0.0).odometry.any()


def test_starts_have_a_row_at_the_offset_in_the_same_episode() -> None:
    starts = make_episodes().starts(25)
    assert starts.tolist() == [[0, step] for step in range(5)]


def test_a_chunk_begins_at_its_step_of_its_episode() -> None:
    (chunk,) = make_episodes().load_chunk(np.array([1]), np.array([1]), np.array([4]))
    assert chunk["state"][:, 0].tolist() == [101, 102, 103]
    assert chunk["pixels"].shape == (3, 3, PIXELS, PIXELS)
    assert chunk["pixels"][0, 0, 0, 0] == 101


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    episodes = make_episodes()
    episodes.save(tmp_path / "e.npz")
    again = Episodes.load(tmp_path / "e.npz", 50.0)
    np.testing.assert_array_equal(again.pixels, episodes.pixels)
    np.testing.assert_array_equal(again.command, episodes.command)
    assert again.episodes == episodes.episodes


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "e.npz").write_bytes(b"no episodes")
    with pytest.raises(AmiError, match=r"e\.npz holds no episodes"):
        Episodes.load(tmp_path / "e.npz", 50.0)


def test_tasks_follow_from_their_seed_and_are_different() -> None:
    episodes = make_episodes()
    tasks = draw_tasks(episodes, 4, 25, seed=3)
    np.testing.assert_array_equal(tasks, draw_tasks(episodes, 4, 25, seed=3))
    assert len(np.unique(tasks, axis=0)) == 4


def test_more_goals_than_there_are_is_an_error() -> None:
    with pytest.raises(AmiError, match="5 starts"):
        draw_tasks(make_episodes(), 6, 25, seed=0)
