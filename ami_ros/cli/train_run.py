"""What `ami train` does: recordings -> model folder, with progress."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from ami_ros.bench.report import hardware, write_json
from ami_ros.cli.datasets import VERSIONS, as_one, camera_timing, find_replay, lack_odometry, open_datasets, with_camera
from ami_ros.cli.extract_run import complaints, progress_bar
from ami_ros.cli.train import TrainOptions
from ami_ros.core.config import with_settings
from ami_ros.core.errors import AmiError
from ami_ros.core.robots.description import RobotDescription, load_robot
from ami_ros.world_model.fit import check_model, learned_limits, preset_of
from ami_ros.world_model.learning import parallel
from ami_ros.world_model.learning.card import read_provenance, write_card, write_provenance
from ami_ros.world_model.learning.dataset import Dataset
from ami_ros.world_model.learning.held_out import BeforeAfter, Diagnosis, stand
from ami_ros.world_model.learning.phases import in_units_of, with_wider_limits
from ami_ros.world_model.learning.trainer import CHECKPOINT, PRESETS, Trainer, TrainingConfig, only_dynamics, only_heads
from ami_ros.world_model.spec import InputSpec, ModelSpec
from ami_ros.world_model.torch_model import CONFIG, LoadedModel, load_model, save_model

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
        self._phase = ""  # that the bar shows; a phase after the steps has a count and a time left of its own
        self._said: tuple[str, int] | None = None  # what was last told of where there is no terminal: phase, tenths

    def report(self, step: int, terms: dict[str, float]) -> None:
        """Of each step."""
        steps = self._trainer.config.steps
        if "phase" in terms:
            what, loss = next(iter(terms.items()))
            after = "" if math.isnan(loss) else f"  loss {loss:.3f}"
            if what != self._phase:
                self._phase = what
                self._bar.reset(self._task, total=100)
            self._bar.update(self._task, description=f"then  {what}{after}", completed=int(100 * terms["phase"]))
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


@contextmanager
def goes_on_later(console: Console) -> Iterator[None]:
    """Says after Ctrl-C that nothing is lost."""
    try:
        yield
    except KeyboardInterrupt:
        console.print("stopped; repeat the command, and it goes on where it was", soft_wrap=True)
        raise


@dataclass(frozen=True)
class Job:
    """What the user asked for, and what follows from it."""

    asked: TrainOptions
    preset: str
    settings: tuple[str, ...]  # in place of the preset's
    config: TrainingConfig
    robot: RobotDescription | None  # that recorded it
    name: str


def train(asked: TrainOptions) -> None:
    """`ami train`. Raises AmiError: options that do not fit each other or the recordings, and as `run`."""
    run(job_of(asked))


def job_of(asked: TrainOptions) -> Job:
    """Preset, settings and configuration of a training.

    Raises:
        AmiError: options that do not fit each other, the model to start from, or the robot.
    """
    if asked.replay and asked.start is None:
        raise AmiError("train: --replay goes with --from; give all data as recordings to begin anew")
    robot = load_robot(asked.robot) if asked.robot else None
    begun = load_model(asked.start) if asked.start is not None else None
    preset, settings = _preset(asked, robot, begun)
    if preset not in PRESETS:
        raise AmiError(f"train: no preset '{preset}'; known are {', '.join(PRESETS)}")
    config, name = replace(PRESETS[preset], seed=asked.seed), asked.name
    if begun is not None:
        config = _like(config, begun.model.spec, preset, asked.start)
    config = with_settings(config, settings, "train")
    if asked.steps:
        config = replace(config, steps=asked.steps)
    if asked.heads:
        if begun is None:
            raise AmiError("train: --heads needs the model that gets them: --from MODEL")
        config, name = only_heads(config, begun.model.spec), name or begun.name
    if asked.dynamics:
        if begun is None:
            raise AmiError("train: --dynamics needs the model that learns further: --from MODEL")
        wider = with_wider_limits(begun.model.spec, learned_limits(robot) if robot is not None else {})
        config, name = only_dynamics(config, wider, asked.steps), name or begun.name
    if robot is not None:
        check_model(robot, config.spec, str(asked.out))
    return Job(asked, preset, settings, config, robot, name or asked.out.resolve().name)


def _preset(
    asked: TrainOptions, robot: RobotDescription | None, begun: LoadedModel | None
) -> tuple[str, tuple[str, ...]]:
    """The preset that is asked for, else that of robot, recordings or model; and all settings in place of its own."""
    preset, own = asked.preset, dict[str, Any]()
    if robot is not None and asked.start is None:
        preset, own = preset or preset_of(robot), learned_limits(robot)
    if asked.start is None and not preset and lack_odometry(asked.recordings):
        preset, own = "camera", camera_timing(asked.recordings)
    if not preset:
        origin = read_provenance(asked.start) if asked.start is not None else None
        preset = origin.preset if origin is not None else _preset_like(begun.model.spec if begun is not None else None)
    return preset, (*(f"spec.{key}={value}" for key, value in own.items()), *(asked.settings or ()))


def _like(config: TrainingConfig, spec: ModelSpec, preset: str, start: Path | None) -> TrainingConfig:
    """A training of a model of `spec` that goes on; of the preset count the heads, and that goals are sighted."""
    if _inputs(spec) != config.spec.inputs:
        raise AmiError(f"train: {start} has other inputs than preset {preset}; choose the one that it was made by")
    code = spec.sight_code or config.spec.sight_code * (not spec.pair_size)
    return replace(config, spec=replace(only_heads(config, spec).spec, sight_code=code))


def _inputs(spec: ModelSpec) -> InputSpec:
    """As presets have them, which know no camera."""
    return replace(spec.inputs, field_of_view=0.0, narrowest=0.0)


def _preset_like(spec: ModelSpec | None) -> str:
    """The preset of models with the inputs of `spec`; the first where there is none."""
    fitting = [name for name, config in PRESETS.items() if spec is not None and config.spec.inputs == _inputs(spec)]
    return next(iter(fitting), next(iter(PRESETS)))


def has_bfloat16() -> bool:
    """Whether this processor computes in bfloat16; elsewhere it is emulated, and slower than float32."""
    check = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(check and check())


def run(job: Job) -> LoadedModel | None:
    """Trains and writes the model folder; goes on from the checkpoint there, if there is one.

    Under torchrun all processes train together, and the first one alone writes and speaks; the others return None.

    Raises:
        AmiError: nothing to train on, or a folder that cannot be used.
    """
    cores = len(os.sched_getaffinity(0)) // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    torch.set_num_threads(job.asked.threads or max(1, cores))
    with parallel.processes():
        console = Console(emoji=False, stderr=True, quiet=parallel.rank() != 0)
        try:
            job.asked.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise AmiError(f"train: cannot write {job.asked.out}: {error.strerror}; choose another --out") from error
        if (job.asked.out / CONFIG).exists() and not (job.asked.out / CHECKPOINT).exists():
            raise AmiError(f"train: {job.asked.out} holds a finished model; choose another --out")
        try:
            return _run(job, console)
        except OSError as error:
            reason = error.strerror or error
            raise AmiError(
                f"train: cannot write {job.asked.out} ({reason}); make room and repeat the command"
            ) from error


def _run(job: Job, console: Console) -> LoadedModel | None:
    config = replace(job.config, bfloat16=job.config.bfloat16 and has_bfloat16())
    new = open_datasets(job.asked.recordings, job.asked.out, config.spec, console, job.robot)
    for complaint in (complaint for dataset in new for complaint in complaints(dataset)):
        console.print(complaint, style="yellow", soft_wrap=True)
    start, old = None, []
    if job.asked.start is not None:
        start = load_model(job.asked.start)
    if job.asked.start is not None and (config.steps or job.asked.replay):
        origin, replay = read_provenance(job.asked.start), list(job.asked.replay or ())
        old = find_replay(job.asked.start, origin, replay, new, job.asked.out, console)
    config = replace(config, spec=with_camera(config.spec, [*new, *old]))
    with console.status("reading the pictures"):
        begun = start.model if start is not None else None
        if begun is not None and job.asked.dynamics:
            begun = in_units_of(begun, config.spec)
        streamed = any(dataset.version for dataset in (*new, *old))  # then no picture is kept
        budget = 0.0 if streamed else None
        trainer = Trainer(config, as_one(new), job.asked.out, begun, as_one(old) if old else None, budget)
    resumed = trainer.resume()
    began, first = time.monotonic(), trainer.step
    console.print(_beginning(trainer, new, old, resumed), highlight=False, soft_wrap=True)
    with progress_bar(console) as bar:
        log = TrainingLog(trainer, bar, console)
        try:
            model = trainer.run(log.report, log.watch)
        except KeyboardInterrupt:
            console.print(f"stopped at step {trainer.step} of {config.steps}; repeat the command, and it goes on there")
            raise
    if parallel.rank() != 0:
        return None
    comparisons = [
        BeforeAfter(name, stand(start.model, sampler) if start is not None else None, stand(model, sampler))
        for name, sampler in trainer.held_out.items()
        if config.steps or config.dynamics_steps
    ]
    minutes = (time.monotonic() - began) / 60
    loaded = save_model(job.asked.out, job.name, model, start)
    write_provenance(job.asked.out, job.preset, job.settings, config.steps, config.seed, [*new, *old])
    write_card(
        job.asked.out, loaded, config, as_one(new), minutes, config.steps + config.dynamics_steps - first,
        torch.get_num_threads(), comparisons,
    )  # fmt: skip
    trainer.forget()
    (job.asked.out / VERSIONS).unlink(missing_ok=True)
    _show(comparisons, trainer, console)
    console.print(f"model {loaded.encoder_id} is in {job.asked.out}")
    if job.asked.json is not None:
        known = {"encoder_id": loaded.encoder_id, "seed": config.seed, "frames": sum(map(len, new))}
        write_json(job.asked.json, known | _figures(comparisons, trainer, minutes) | hardware())
    return loaded


def _beginning(trainer: Trainer, new: list[Dataset], old: list[Dataset], resumed: bool) -> str:
    """One line about what is going to happen."""
    parts = [f"{sum(map(len, new))} frames"]
    if old:
        parts.append(f"{trainer.config.replay:.0%} of each batch from {sum(map(len, old))} old ones")
    parts.append(f"{trainer.model.count_parameters() / 1e6:.2f} M parameters")
    if parallel.count() > 1:
        parts.append(f"{parallel.count()} processes")
    if resumed:
        parts.append(f"going on from step {trainer.step}")
    return ", ".join(parts)


def _show(comparisons: list[BeforeAfter], trainer: Trainer, console: Console) -> None:
    """Prints how much of the time was computing, and how good the models are on what they were not trained on."""
    console.print(f"{trainer.compute_share:.1%} of the step time was computing, the rest waiting for data")
    table = Table("held out", "", "before", "after", box=None, padding=(0, 3, 0, 0))
    for row in (row for comparison in comparisons for row in comparison.rows()):
        table.add_row(*row)
    if comparisons:
        console.print(table)


def tell_quality(
    title: str, found: Mapping[str, Mapping[str, float]], known: Mapping[str, Any], json: Path | None, began: float,
    console: Console,
) -> None:  # fmt: skip
    """Prints figures of what was held out, a column for each kind of it, and writes them with what is `known`.

    Args:
        title: of the table.
        found: figures by name, of each kind; in JSON their names begin with the first word of the kind.
        known: of the run.
        json: where to write; None: nowhere.
        began: when learning did, on the steady clock [s].
        console: where to print.
    """
    table = Table(title, *found, box=None, padding=(0, 3, 0, 0))
    for name in next(iter(found.values())):
        table.add_row(name, *(f"{column[name]:.3g}" for column in found.values()))
    console.print(table)
    if json is not None:
        figures = {f"{kind.split()[0]}_{name}": v for kind, column in found.items() for name, v in column.items()}
        write_json(json, {**known, **figures, "minutes": round((time.monotonic() - began) / 60, 2)} | hardware())


def _figures(comparisons: list[BeforeAfter], trainer: Trainer, minutes: float) -> dict[str, float]:
    """What was printed, flat."""
    found: dict[str, float] = {"minutes": round(minutes, 2), "compute_share_ratio": round(trainer.compute_share, 4)}
    for comparison in comparisons:
        found |= comparison.figures()
    return found
