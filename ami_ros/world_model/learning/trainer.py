"""Training: a loop that can be stopped anywhere and goes on as if it had not been."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.core.signals import HeldSignals
from ami_ros.world_model.learning import parallel
from ami_ros.world_model.learning.descent import Descent, pack, unpack
from ami_ros.world_model.learning.held_out import Diagnosis, Episodes, diagnose, split_off, split_recordings
from ami_ros.world_model.learning.objective import LossWeights, losses
from ami_ros.world_model.learning.odometry_gains import estimate_gains, with_gains
from ami_ros.world_model.learning.phases import HeadConfig, encode_all, fit_dynamics, fit_heads, fit_sighting
from ami_ros.world_model.learning.windows import Batch, Joined, Recording, Source, WindowConfig, WindowSampler
from ami_ros.world_model.model_files import write_atomically
from ami_ros.world_model.spec import InputSpec, ModelSpec
from ami_ros.world_model.torch_model import WorldModel


class Prefetcher:
    """Values by number, each made while the one before is in use.

    Args:
        make: gives the value of a number; called on a thread of its own, one call at a time.
        stop: the number behind the last one.

    Attributes:
        waited: how long `take` had to wait so far [s].
    """

    def __init__(self, make: Callable[[int], Any], stop: int) -> None:
        self._make, self._stop = make, stop
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="prefetch")
        self._coming: tuple[int, Future[Any]] | None = None
        self.waited = 0.0

    def take(self, number: int) -> Any:
        """The value of `number`; the next one is begun. What `make` raises comes out here."""
        began = time.perf_counter()
        if self._coming is None or self._coming[0] != number:
            self._coming = number, self._thread.submit(self._make, number)
        value = self._coming[1].result()
        self.waited += time.perf_counter() - began
        following = number + 1
        self._coming = (following, self._thread.submit(self._make, following)) if following < self._stop else None
        return value

    def forget(self) -> None:
        """What was made ahead is of no use any more; returns when nothing is being made."""
        if self._coming is not None:
            wait([self._coming[1]])
            self._coming = None

    def close(self) -> None:
        """Ends the thread; what it is making is finished and dropped."""
        self._thread.shutdown(cancel_futures=True)


@dataclass(frozen=True)
class TrainingConfig:
    """One training run."""

    steps: int = 3000  # of the optimiser; more: better, longer
    batch: int = 48  # windows in a step, over all processes; larger: steadier, slower
    learning_rate: float = 1e-3  # at its highest, after the warm-up, falling to zero along half a cosine
    weight_decay: float = 1e-4  # of AdamW; larger: smaller weights
    sight_steps: int = 4000  # of learning to locate goals, for models that compare pictures; more: more exact, longer
    dynamics_steps: int = 0  # of learning further what commands do, on latents that stay; 0: not
    head_steps: int = 2000  # of the last phase, for each learned head
    gains_every: int = 1000  # steps between two estimates of each run's odometry gains; 0: never
    clip: float = 2.0  # largest norm of the gradient; smaller: steadier, slower
    warm_up: int = 100  # steps until the learning rate is reached
    checkpoint_every: int = 200  # steps between checkpoints; smaller loses less to an interruption
    seed: int = 0  # of weights and batches
    held_out: float = 0.05  # share of each episode, its end, that is measured and never trained on
    held_out_at: Literal["episodes", "recordings"] = "episodes"  # whose end; recordings: of each bag or tub as a whole
    replay: float = 0.5  # share of windows from old data when going on from a model; larger forgets less
    bfloat16: bool = False  # for the encoder alone; faster where the CPU has AMX
    spec: ModelSpec = field(default_factory=ModelSpec)
    windows: WindowConfig = field(default_factory=WindowConfig)
    weights: LossWeights = field(default_factory=LossWeights)
    heads: HeadConfig = field(default_factory=HeadConfig)

    def __post_init__(self) -> None:
        if not (0 <= self.held_out < 1 and 0 <= self.replay < 1):
            raise ValueError("held_out and replay are shares: at least 0, and less than 1")


CHECKPOINT = "training.safetensors"
NEW, OLD = "new", "old"  # data

Report = Callable[[int, dict[str, float]], None]


class Trainer:
    """Trains a world model on one recording.

    Every step draws its randomness from (seed, step) alone, so that a run resumed from a checkpoint follows
    the same curve, and several processes (see `parallel`) follow that of one.

    Args:
        config: of the run.
        recording: the data.
        folder: where checkpoints go (`CHECKPOINT`) and the curve (`curve.jsonl`).
        start: a model of the same spec, whose weights are the beginning.
        old: data that the start learned from, to be replayed.
        budget: memory for the pictures [B]; None: half of what is free.

    Attributes:
        held_out: what is never trained on, of `NEW` and of `OLD` data where their episodes are long enough; with
            odometry as it was recorded, which no model has had a say in.
        compute_share: of the time of all steps so far; the rest was spent waiting for batches.
    """

    def __init__(
        self, config: TrainingConfig, recording: Recording, folder: Path, start: WorldModel | None = None,
        old: Recording | None = None, budget: float | None = None,
    ) -> None:  # fmt: skip
        torch.manual_seed(config.seed)
        self.config, self.folder, self.checkpoint = config, folder, folder / CHECKPOINT
        self.recording = recording if old is None else Joined([recording, old])
        self.part = parallel.share_of(config.batch) if parallel.count() > 1 else None
        self._check_labels()
        self.sampler, self.held_out = self._samplers(recording, budget)
        self.model = WorldModel(config.spec)
        if start is not None:
            self._begin_with(start)
        parallel.share_statistics(self.model)
        parameters = self.model.parameters()
        self.optimizer = torch.optim.AdamW(parameters, lr=config.learning_rate, weight_decay=config.weight_decay)
        self.step = 0
        self.gains = np.ones((len(self.sampler.episodes), 2))
        self._start = start
        self.compute_share = 1.0

    def _begin_with(self, start: WorldModel) -> None:
        """Takes the weights of `start`, but for heads, which are learned anew."""
        theirs, ours = start.spec.without_learned_heads(), self.config.spec.without_learned_heads()
        if not theirs.sight_code and self.config.sight_steps:
            theirs = replace(theirs, sight_code=ours.sight_code)  # it gets what it lacks
        if theirs != ours:
            raise AmiError("train: the model to start from has another spec; choose the preset that it was made by")
        known = {name: value for name, value in start.state_dict().items() if not name.startswith("heads.")}
        self.model.load_state_dict(known, strict=False)

    def _samplers(self, recording: Recording, budget: float | None) -> tuple[WindowSampler, dict[str, WindowSampler]]:
        """What is trained on, and what is held out."""
        config, spec = self.config, self.config.spec
        least = (config.windows.starts - 1) * spec.chunk + 1
        parts = {NEW: self._split(recording, least)}
        if self.recording is not recording:
            assert isinstance(self.recording, Joined)
            parts[OLD] = self._split(self.recording.parts[1], least, int(self.recording.starts[1]))
        shares = {NEW: 1 - config.replay, OLD: config.replay}
        sources = [Source(kept, shares[name]) for name, (kept, _) in parts.items()]
        sampler = WindowSampler(self.recording, spec, config.windows, sources, budget)
        if not len(sampler.within(sources[:1])):
            seconds = least * spec.period
            raise AmiError(f"train: no episode lasts {seconds:.1f} s without a gap; record longer stretches")
        ends = {name: sampler.within([Source(held)]) for name, (_, held) in parts.items() if held}
        return sampler, {name: end for name, end in ends.items() if len(end)}

    def _split(self, recording: Recording, least: int, first: int = 0) -> tuple[Episodes, Episodes]:
        """What is trained on and what is held out, as rows that count from `first`."""
        if self.config.held_out_at == "recordings":
            halves = split_recordings(recording, self.config.held_out)
        else:
            halves = split_off(recording.episodes, self.config.held_out, least)
        kept, held = ([(first + start, first + stop) for start, stop in half] for half in halves)
        return kept, held

    def _check_labels(self) -> None:
        """Raises AmiError where the data lack what is to be learned from."""
        if not np.isfinite(self.recording.command).all():
            raise AmiError("train: the data have no commands, and a world model learns what those do: record them, too")
        poses = ("relative_pose", "imagined_pose", "motion")
        wanted = [name for name in poses if getattr(self.config.weights, name)]
        if wanted and not np.isfinite(self.recording.odometry).all():
            raise AmiError("train: the data have no odometry, so relative poses cannot be learned: use --preset camera")

    def run(self, report: Report, watch: Callable[[int, Diagnosis], None] | None = None) -> WorldModel:
        """Trains to the end; of several processes the first one alone writes, watches and fits the last phase.

        Args:
            report: called with step and loss terms after each step.
            watch: called with step and diagnosis at each checkpoint.

        Returns:
            The model in evaluation mode.
        """
        batches = Prefetcher(self._batch, self.config.steps)
        began, signals = time.perf_counter(), HeldSignals()
        try:
            with signals.held(insists=True):
                while self.step < self.config.steps:
                    if signals.came:
                        if parallel.rank() == 0 and self.step:
                            self.save()
                        signals.act()
                    if self._know_gains():
                        batches.forget()
                    terms = self._advance(batches.take(self.step))
                    self.compute_share = 1 - batches.waited / (time.perf_counter() - began)
                    report(self.step, terms)
                    is_due = self.step % self.config.checkpoint_every == 0 or self.step == self.config.steps
                    if is_due and parallel.rank() == 0:
                        diagnosis = diagnose(self.model, self.sampler, self.config.seed)
                        self.save(terms | asdict(diagnosis))
                        if watch:
                            watch(self.step, diagnosis)
        finally:
            batches.close()
        self._know_gains()
        if parallel.rank() == 0:
            self._finish(report)
        return self.model.eval()

    def _finish(self, report: Report) -> None:
        """What is learned once the latents stand."""
        config, model, spec = self.config, self.model.eval(), self.config.spec
        if not (spec.sight_code and config.sight_steps) and not spec.ensemble and not config.dynamics_steps:
            return

        def how(phase: str, steps: int, rate: float = config.learning_rate, file: str = "") -> Descent:
            def tell(done: int, loss: float) -> None:
                report(config.steps, {phase: loss, "phase": done / steps})

            return Descent(steps, rate, tell, self.folder / f"training_{file or phase}.safetensors")

        given = model, self.sampler, encode_all(
            model, self.sampler, lambda share: report(config.steps, {"encoding": math.nan, "phase": share})
        )  # fmt: skip
        fresh = self._start is None or self._start.sighting is None
        fit_sighting(*given, config.seed, config.bfloat16, how("sight", config.sight_steps), fresh)
        if config.dynamics_steps:
            way = how("dynamics", config.dynamics_steps)
            fit_dynamics(*given, config.batch, config.weights, config.seed, way)
        way = how("ensemble", config.head_steps, config.heads.learning_rate, "heads")
        fit_heads(*given, config.heads.batch, config.seed, way)

    def _know_gains(self) -> bool:
        """Estimates each run's gains where that is due: by a model that has seen something, and before what follows.

        Returns whether it did; batches from before have other labels.
        """
        every, step = self.config.gains_every, self.step
        is_due = bool(every and (step or self._start) and (step % every == 0 or step == self.config.steps))
        if is_due:
            self._correct(estimate_gains(self.model, self.sampler, self.config.seed))
        return is_due

    def _correct(self, gains: Array) -> None:
        """Takes labels from the odometry with these gains (episodes, 2)."""
        self.gains = gains
        self.sampler.odometry = with_gains(self.sampler.recorded, self.sampler.episodes, gains)

    def _batch(self, step: int) -> Batch:
        return self.sampler.batch(np.random.default_rng((self.config.seed, step)), self.config.batch, self.part)

    def _advance(self, batch: Batch) -> dict[str, float]:
        config = self.config
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate
        self.model.train()
        terms = losses(self.model, batch, config.weights, config.bfloat16)
        values = torch.stack(list(terms.values()))
        shown = parallel.average(values.detach())
        if not torch.isfinite(shown).all():
            raise AmiError(
                f"train: the loss is not finite at step {self.step}; lower learning_rate or look at the data"
            )
        self.optimizer.zero_grad(set_to_none=True)
        values.sum().backward()
        parallel.average_gradients(self.model.parameters())
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.clip)
        self.optimizer.step()
        self.step += 1
        return dict(zip(terms, shown.tolist(), strict=True)) | {"total": float(shown.sum())}

    @property
    def learning_rate(self) -> float:
        """Of the next step: linear warm-up, then half a cosine to zero."""
        config = self.config
        if self.step < config.warm_up:
            return config.learning_rate * (self.step + 1) / config.warm_up
        done = (self.step - config.warm_up) / max(1, config.steps - config.warm_up)
        return config.learning_rate * 0.5 * (1 + math.cos(math.pi * done))

    def save(self, terms: dict[str, float] | None = None) -> None:
        """Writes the checkpoint, with everything that resuming needs, and a line of the curve with `terms`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self.checkpoint, pack(self.model, self.optimizer, self.step, self.gains))
        if terms is not None:
            with open(self.folder / "curve.jsonl", "a", encoding="utf-8") as file:
                file.write(json.dumps({"step": self.step} | terms) + "\n")

    def forget(self) -> None:
        """The model is written: what resuming needs is of no use any more."""
        for file in self.folder.glob("training*.safetensors"):
            file.unlink()

    def resume(self) -> bool:
        """Continues from the checkpoint in the folder (that of the first process), if there is one."""
        is_there = parallel.rank() == 0 and self.checkpoint.is_file()
        content = parallel.from_first(self.checkpoint.read_bytes() if is_there else b"")
        if not (content or is_there):
            return False
        episodes = len(self.sampler.episodes)
        self.step, gains = unpack(content, self.model, self.optimizer, episodes, self.checkpoint)
        self._correct(gains)
        return True


# Training configurations that are known to work, by the robot's sensors.
PRESETS: dict[str, TrainingConfig] = {
    # Forward camera and laser scan. Ten minutes on two cores; the model that ships has had two and a half times as many
    # steps (its card has the command).
    "onboard": TrainingConfig(
        steps=1600, sight_steps=1600, head_steps=1000, bfloat16=True,
        spec=ModelSpec(inputs=InputSpec(image_size=64, scan_beams=72), sight_code=64, ensemble=3),
    ),
    # A camera alone, with neither odometry nor laser: tubs of Donkeycar. Commands are throttle and steering, -1 to 1.
    "camera": TrainingConfig(
        steps=1000, sight_steps=0, head_steps=600, gains_every=0, held_out=0.1, held_out_at="recordings", bfloat16=True,
        windows=WindowConfig(starts=4, mirror=True),
        weights=LossWeights(vicreg=4.0, relative_pose=0.0, imagined_pose=0.0, motion=0.0),
        spec=ModelSpec(
            inputs=InputSpec(image_size=64, scan_beams=0), period=0.1, chunk=5, max_linear=1.0, max_angular=1.0,
            ensemble=3,
        ),
    ),
    # A laser alone: the same without pictures, and so without what compares them.
    "laser": TrainingConfig(
        steps=1600, head_steps=1000, bfloat16=True,
        spec=ModelSpec(inputs=InputSpec(image_size=0, scan_beams=72), ensemble=3),
    ),
}  # fmt: skip


def only_heads(config: TrainingConfig, spec: ModelSpec) -> TrainingConfig:
    """A training that leaves a finished model of `spec` as it is and learns the heads that `config` names."""
    heads = replace(spec, ensemble=config.spec.ensemble, ensemble_width=config.spec.ensemble_width)
    return replace(config, steps=0, sight_steps=0, gains_every=0, spec=heads)


def only_dynamics(config: TrainingConfig, spec: ModelSpec, steps: int) -> TrainingConfig:
    """A training that learns further what commands do, and then the heads anew, on the latents of a model of `spec`;
    0 steps: as many as are usual, for more of them learn the buildings by heart."""
    return replace(only_heads(config, spec), dynamics_steps=steps or 300, batch=96, learning_rate=3e-4)
