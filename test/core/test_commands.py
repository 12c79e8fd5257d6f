"""Commands of a place as one row of numbers, as wide as the robot's commands are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ami_ros.core.commands import MAX_PACKED, as_chunks, pack, unpack
from ami_ros.memory.growth import LENGTH, CommandRecorder
from ami_ros.memory.store import Store
from ami_ros.memory.types import Experience, PlaceRow

WIDE = (np.arange(3 * LENGTH).reshape(LENGTH, 3) / 128).astype(np.float32)


@pytest.mark.parametrize("width", [2, 3])
def test_a_row_tells_how_wide_its_commands_are(width: int) -> None:
    commands = WIDE[:, :width]
    row = pack(commands)
    assert len(row) <= MAX_PACKED
    np.testing.assert_array_equal(unpack(row), commands)


def test_two_numbers_go_without_saying_as_in_older_files() -> None:
    np.testing.assert_array_equal(pack(WIDE[:, :2]), WIDE[:, :2].ravel())


@pytest.mark.parametrize("row", [[], [1.0], [0.1, np.nan], [np.nan, 4, 1, 2, 3, 4], [np.nan, 3, 1, 2], [np.nan] * 5])
def test_a_row_that_makes_no_sense_is_none(row: list[float]) -> None:
    assert unpack(row) is None


def test_a_file_keeps_commands_of_either_width_side_by_side(tmp_path: Path) -> None:
    path = tmp_path / "wide.memory"
    store = Store(path, "net@0123", 2)
    for number, commands in ((1, WIDE), (2, WIDE[:, :2])):
        latent = np.zeros(2, np.float32)
        store.put_places([PlaceRow(number, latent, np.zeros(3), 0, 0, 1, experience=Experience(commands=commands))])
    store.close()
    again = Store(path, "net@0123", 2, read_only=True)
    for number, commands in ((1, WIDE), (2, WIDE[:, :2])):
        np.testing.assert_array_equal(again.experience([number])[number].commands, commands)
    again.close()


def test_a_recorder_writes_as_many_numbers_as_the_model_takes() -> None:
    for width in (2, 3):
        recorder, whole = CommandRecorder(0.2, width), []
        recorder.observe(0.0, None)
        recorder.begin(7, 0.0)
        for k in range(1, LENGTH + 2):
            whole += recorder.observe(0.2 * k, (0.1, 0.2, 0.3))
        np.testing.assert_allclose(whole[0][1], np.tile((0.1, 0.2, 0.3)[:width], (LENGTH, 1)), atol=1e-6)


def test_candidates_of_other_widths_are_padded_and_cut() -> None:
    """A memory that was encoded anew may hold commands of another robot."""
    chunks = as_chunks([WIDE, WIDE[:, :2]], 2, 3, 3)
    assert chunks.shape == (2, 2, 3, 3) and not chunks[1, ..., 2].any()
    np.testing.assert_array_equal(chunks[0, ..., :2], chunks[1, ..., :2])
    np.testing.assert_array_equal(as_chunks([WIDE], 2, 3), chunks[:1, ..., :2])
