"""Training: a loop that can be stopped anywhere and goes on as if it had not been."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from ami_ros.errors import AmiError
from ami_ros.geometry import Array
from ami_ros.learning.curve import CURVE
from ami_ros.learning.diagnosis import Diagnosis, diagnose
from ami_ros.learning.goal_phase import fit_goals
from ami_ros.learning.head_phase import HeadConfig, fit_heads
from ami_ros.learning.objective import LossWeights, losses
from ami_ros.learning.odometry_gains import estimate_gains, with_gains
from ami_ros.learning.sight_phase import fit_sighting
from ami_ros.learning.windows import Recording, WindowConfig, WindowSampler
from ami_ros.world_model.checkpoint import write_atomically
from ami_ros.world_model.model import WorldModel
from ami_ros.world_model.spec import ModelSpec


@dataclass(frozen=True)
class TrainingConfig:
    """One training run."""

    steps: int = 3000  # of the optimiser
    batch: int = 48  # windows
    learning_rate: float = 1e-3  # at its highest, after the warm-up; it falls to zero along half a cosine
    weight_decay: float = 1e-4  # of AdamW
    goal_steps: int = 350  # of the last phase, for models whose goals have an encoder of their own
    sight_steps: int = 4000  # of the phase in which goals learn to be sighted, for models that compare pictures
    head_steps: int = 2000  # of the very last phase, for each head that a model learns on its finished latents
    gains_every: int = 1000  # steps after which the gains of each run's odometry are estimated anew; 0: never
    clip: float = 2.0  # norm of the gradient
    warm_up: int = 100  # steps
    checkpoint_every: int = 200  # steps
    seed: int = 0  # of weights and batches
    bfloat16: bool = False  # of the encoder alone; faster where the CPU has AMX
    spec: ModelSpec = field(default_factory=ModelSpec)
    windows: WindowConfig = field(default_factory=WindowConfig)
    weights: LossWeights = field(default_factory=LossWeights)
    heads: HeadConfig = field(default_factory=HeadConfig)


CHECKPOINT = "training.safetensors"

Report = Callable[[int, dict[str, float]], None]
Watch = Callable[[int, Diagnosis], None]


class Trainer:
    """Trains a world model on one recording.

    Every step draws its randomness from (seed, step) alone, so that a run resumed from a checkpoint follows
    the same curve.

    Args:
        config: of the run.
        recording: the data.
        folder: where checkpoints go (`CHECKPOINT`) and the curve (`curve.jsonl`).
        start: a model of the same spec, whose weights are the beginning.
    """

    def __init__(
        self, config: TrainingConfig, recording: Recording, folder: Path, start: WorldModel | None = None
    ) -> None:
        torch.manual_seed(config.seed)
        self.config, self.folder, self.recording = config, folder, recording
        self.sampler = WindowSampler(recording, config.spec, config.windows)
        if not len(self.sampler):
            needed = ((config.windows.starts - 1) * config.spec.chunk + 1) * config.spec.period
            raise AmiError(f"train: no episode lasts {needed:.1f} s without a gap; record longer stretches")
        self.model = WorldModel(config.spec)
        if start is not None:
            self._begin_with(start)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.step = 0
        self.gains = np.ones((len(self.sampler.episodes), 2))
        self._start = start

    def _begin_with(self, start: WorldModel) -> None:
        """Takes the weights of `start`, but for heads, which are learned anew."""
        theirs, ours = start.spec.without_learned_heads(), self.config.spec.without_learned_heads()
        if not theirs.sight_code and self.config.sight_steps:
            theirs = replace(theirs, sight_code=ours.sight_code)  # it gets what it lacks
        if theirs != ours:
            raise AmiError("train: the model to start from has another spec; choose the preset that it was made by")
        known = {name: value for name, value in start.state_dict().items() if not name.startswith("heads.")}
        self.model.load_state_dict(known, strict=False)

    @property
    def checkpoint(self) -> Path:
        """File with everything that resuming needs."""
        return self.folder / CHECKPOINT

    def run(self, report: Report, watch: Watch | None = None) -> WorldModel:
        """Trains to the end.

        Args:
            report: called with step and loss terms after each step.
            watch: called with step and diagnosis at each checkpoint.

        Returns:
            The model in evaluation mode.
        """
        while self.step < self.config.steps:
            self._know_gains()
            terms = self._advance()
            report(self.step, terms)
            if self.step % self.config.checkpoint_every == 0 or self.step == self.config.steps:
                diagnosis = diagnose(self.model, self.sampler, self.config.seed)
                self.save(terms | asdict(diagnosis))
                if watch:
                    watch(self.step, diagnosis)
        self._know_gains()
        config = self.config
        common = (config.learning_rate, config.seed, config.bfloat16)
        fit_goals(
            self.model, self.sampler, config.goal_steps, *common, lambda _, loss: report(config.steps, {"goal": loss})
        )
        fit_sighting(
            self.model,
            self.sampler,
            config.sight_steps,
            *common,
            lambda _, loss: report(config.steps, {"sight": loss}),
            fresh=self._start is None or self._start.sighting is None,
        )
        fit_heads(
            self.model, self.recording, self.sampler, config.head_steps, config.heads, config.seed,
            lambda what, share, loss: report(config.steps, {what: loss, "phase": share}),
        )  # fmt: skip
        return self.model.eval()

    def _know_gains(self) -> None:
        """Estimates each run's gains where that is due: by a model that has seen something, and before what follows."""
        every, step = self.config.gains_every, self.step
        if every and (step or self._start is not None) and (step % every == 0 or step == self.config.steps):
            gains = estimate_gains(self.model, self.sampler, self.config.seed)
            self._correct(gains)

    def _correct(self, gains: Array) -> None:
        """Takes labels from the odometry with these gains (episodes, 2)."""
        self.gains = gains
        self.sampler.correct(with_gains(self.sampler.recorded, self.sampler.episodes, gains))

    def _advance(self) -> dict[str, float]:
        config = self.config
        batch = self.sampler.batch(np.random.default_rng((config.seed, self.step)), config.batch)
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate * self._schedule()
        self.model.train()
        terms = losses(self.model, batch, config.weights, generator, config.bfloat16)
        total = torch.stack(list(terms.values())).sum()
        if not torch.isfinite(total):
            raise AmiError(
                f"train: the loss is not finite at step {self.step}; lower learning_rate or look at the data"
            )
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.clip)
        self.optimizer.step()
        self.step += 1
        return {name: float(value.detach()) for name, value in terms.items()} | {"total": float(total.detach())}

    def _schedule(self) -> float:
        """Linear warm-up, then half a cosine to zero."""
        config = self.config
        if self.step < config.warm_up:
            return (self.step + 1) / config.warm_up
        done = (self.step - config.warm_up) / max(1, config.steps - config.warm_up)
        return 0.5 * (1 + math.cos(math.pi * done))

    def save(self, terms: dict[str, float]) -> None:
        """Writes the checkpoint and a line of the curve with `terms`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        tensors = {f"model.{k}": v.contiguous() for k, v in self.model.state_dict().items()}
        for i, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{i}.{k}": v.contiguous() for k, v in state.items()}
        tensors["gains"] = torch.from_numpy(self.gains)
        write_atomically(self.checkpoint, save(tensors, {"step": str(self.step)}))
        with open(self.folder / CURVE, "a", encoding="utf-8") as file:
            file.write(json.dumps({"step": self.step} | terms) + "\n")

    def resume(self) -> bool:
        """Continues from the checkpoint in the folder, if there is one."""
        if not self.checkpoint.is_file():
            return False
        try:
            tensors = load_file(self.checkpoint)
        except (SafetensorError, OSError) as error:
            raise AmiError(f"train: {self.checkpoint} is damaged; delete it to begin anew") from error
        model = {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
        state: dict[int, dict[str, Any]] = {}
        for key, value in tensors.items():
            if key.startswith("optimizer."):
                _, index, name = key.split(".")
                state.setdefault(int(index), {})[name] = value
        try:
            self.model.load_state_dict(model)
        except RuntimeError as error:
            raise AmiError(
                f"train: {self.checkpoint} is of another model; choose another --out or delete it"
            ) from error
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        self.step = int(next(iter(state.values()))["step"]) if state else 0
        self._correct(tensors["gains"].numpy())
        return True
