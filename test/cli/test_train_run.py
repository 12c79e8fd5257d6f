"""What a training shows while it runs."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

from rich.console import Console

from ami_ros.cli.progress import progress_bar
from ami_ros.cli.train import TrainingLog


def test_a_phase_after_the_steps_has_a_bar_and_a_time_left_of_its_own() -> None:
    trainer: Any = SimpleNamespace(config=SimpleNamespace(steps=3), step=0)
    console = Console(file=io.StringIO(), width=80)
    bar = progress_bar(console)
    log = TrainingLog(trainer, bar, console)
    log.report(3, {"total": 1.0})
    assert (bar.tasks[0].completed, bar.tasks[0].total) == (3, 3)
    log.report(3, {"sight": 2.0, "phase": 0.09})
    assert (bar.tasks[0].completed, bar.tasks[0].total) == (9, 100)
    log.report(3, {"heads": float("nan"), "phase": 0.5})
    assert (bar.tasks[0].completed, bar.tasks[0].description) == (50, "then  heads")
