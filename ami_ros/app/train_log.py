"""What a training says while it runs: a bar, or lines where there is no terminal; warnings."""

from __future__ import annotations

import math

from rich.console import Console
from rich.progress import Progress

from ami_ros.learning.diagnosis import Diagnosis
from ami_ros.learning.trainer import Trainer

WATCHED = 0.2  # of the training, from where on a model that shows no sign of life is a warning
SHOWN = ("prediction", "relative_pose", "goal", "sight", "total")


class TrainingLog:
    """Takes what `Trainer.run` reports.

    Args:
        trainer: that reports.
        bar: for the progress.
        console: for warnings.
    """

    def __init__(self, trainer: Trainer, bar: Progress, console: Console) -> None:
        self._trainer, self._bar, self._console = trainer, bar, console
        self._task = bar.add_task("training", total=trainer.config.steps, completed=trainer.step)
        self._said: tuple[str, int] | None = None  # what was last told of where there is no terminal: phase, tenths

    def report(self, step: int, terms: dict[str, float]) -> None:
        """Of each step."""
        steps = self._trainer.config.steps
        if "phase" in terms:
            what, loss = next(iter(terms.items()))
            after = "" if math.isnan(loss) else f"  loss {loss:.3f}"
            self._bar.update(self._task, description=f"then  {what} {terms['phase']:.0%}{after}")
            self._tell(what, terms["phase"], f"{what} {terms['phase']:.0%}{after}")
            return
        shown = "  ".join(f"{name} {value:.3f}" for name, value in terms.items() if name in SHOWN)
        self._bar.update(self._task, completed=step, description=f"training  {shown}")
        self._tell("training", step / max(1, steps), f"step {step} of {steps}  {shown}")

    def _tell(self, what: str, share: float, line: str) -> None:
        """Prints a line for each tenth of what is done, into a file or a pipe, where a bar shows nothing."""
        now = what, int(10 * share)
        if not self._console.is_terminal and now != self._said:
            self._console.print(line, highlight=False, soft_wrap=True)
            self._said = now

    def watch(self, step: int, diagnosis: Diagnosis) -> None:
        """Of each checkpoint."""
        config = self._trainer.config
        if step >= WATCHED * config.steps:  # at first every model looks dead
            for complaint in diagnosis.complaints(config.spec.latent_dim):
                self._console.print(f"step {step}: {complaint}", style="yellow", soft_wrap=True)
