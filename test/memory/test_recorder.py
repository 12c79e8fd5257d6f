"""What was driven from a place is recorded by the model's period, whatever the rhythm of the moments."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.core.commands import as_chunks
from ami_ros.memory.growth import LENGTH, CommandRecorder

PERIOD = 0.2


def drive(recorder: CommandRecorder, start: float, stop: float, every: float) -> dict[int, np.ndarray]:
    """The linear command is the time at which a stretch ends, so that each can be told."""
    whole: dict[int, np.ndarray] = {}
    for stamp in np.arange(start, stop + 1e-9, every):
        whole |= dict(recorder.observe(float(stamp), (stamp, 0.5)))
    return whole


def test_commands_from_the_place_on_are_kept_once_there_are_enough() -> None:
    recorder = CommandRecorder(PERIOD)
    drive(recorder, 0.0, 1.0, PERIOD)
    recorder.begin(7, 1.0)
    assert drive(recorder, 1.2, 5.6, PERIOD) == {}
    commands = drive(recorder, 5.8, 6.0, PERIOD)[7]
    np.testing.assert_allclose(commands[:, 0], 1.2 + PERIOD * np.arange(LENGTH), atol=1e-6)
    assert (commands[:, 1] == 0.5).all()
    assert drive(recorder, 6.2, 20.0, PERIOD) == {}


def test_moments_may_come_faster_or_slower_than_the_models_period() -> None:
    for every in (0.1, 0.4):
        recorder = CommandRecorder(PERIOD)
        drive(recorder, 0.0, 1.0, every)
        recorder.begin(7, 1.0)
        (commands,) = drive(recorder, 1.0 + every, 8.0, every).values()
        middles = 1.0 + PERIOD * (np.arange(LENGTH) + 0.5)
        assert (np.abs(commands[:, 0] - middles) <= every).all()


@pytest.mark.parametrize("command", [None, (np.nan, 0.0)])
def test_a_stretch_of_which_nothing_is_known_ends_the_recording(command: tuple[float, float] | None) -> None:
    recorder = CommandRecorder(PERIOD)
    drive(recorder, 0.0, 1.0, PERIOD)
    recorder.begin(7, 1.0)
    recorder.observe(1.2, command)
    assert drive(recorder, 1.4, 9.0, PERIOD) == {}


def test_a_gap_between_moments_and_time_that_runs_back_end_it_too() -> None:
    for later in (3.0, 0.5):
        recorder = CommandRecorder(PERIOD)
        drive(recorder, 0.0, 1.0, PERIOD)
        recorder.begin(7, 1.0)
        assert drive(recorder, later, later + 9.0, PERIOD) == {}


def test_sequences_have_the_shape_of_a_search() -> None:
    commands = np.arange(12, dtype=np.float32).reshape(6, 2)
    chunks = as_chunks([commands, commands + 1], steps=3, chunk=3)
    assert chunks.shape == (2, 3, 3, 2)
    np.testing.assert_array_equal(chunks[0].reshape(-1, 2)[:6], commands)
    assert (chunks[0].reshape(-1, 2)[6:] == commands[-1]).all()
    np.testing.assert_array_equal(as_chunks([commands], 1, 3)[0, 0], commands[:3])
    assert as_chunks([], 7, 3).shape == (0, 7, 3, 2)
