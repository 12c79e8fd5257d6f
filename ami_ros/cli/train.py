"""What `ami train` and `ami evaluate` do: recordings -> model folder, with progress; a model -> its figures."""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from ami_ros.bench.model_quality import measure_model
from ami_ros.bench.prediction import measure_prediction
from ami_ros.bench.report import hardware, write_json
from ami_ros.cli.datasets import complaints, open_dataset
from ami_ros.cli.options import EvaluateOptions, TrainOptions
from ami_ros.cli.progress import progress_bar
from ami_ros.core.config import dump_yaml, parse_yaml, with_settings
from ami_ros.core.errors import AmiError
from ami_ros.core.robots.description import RobotDescription, load_robot
from ami_ros.memory.fleet.recordings import is_dataset, is_fleet, open_data
from ami_ros.world_model.fit import check_model, learned_limits, preset_of
from ami_ros.world_model.learning import parallel
from ami_ros.world_model.learning.alignment import RATES
from ami_ros.world_model.learning.card import (
    find_data,
    read_provenance,
    write_card,
    write_measurements,
    write_provenance,
)
from ami_ros.world_model.learning.dataset import Dataset
from ami_ros.world_model.learning.held_out import BeforeAfter, Diagnosis, stand
from ami_ros.world_model.learning.phases import in_units_of, with_wider_limits
from ami_ros.world_model.learning.trainer import CHECKPOINT, PRESETS, Trainer, TrainingConfig, only_dynamics, only_heads
from ami_ros.world_model.learning.tub import tubs_at, usual_interval
from ami_ros.world_model.learning.windows import Joined, Recording
from ami_ros.world_model.model_files import write_atomically
from ami_ros.world_model.spec import InputSpec, ModelSpec
from ami_ros.world_model.torch_model import CONFIG, LoadedModel, load_model, save_model

VERSIONS = "versions.yaml"  # of the fleets' data sets that a training under way reads
# What a figure has to reach before a robot is trusted to a model: a limit, and whether it is the most or the least.
FLOORS: dict[str, tuple[float, Literal["at most", "at least"]]] = {
    "prediction_to_persistence_4_steps": (0.30, "at most"),  # imagination beats "nothing changes"
    "latent_rank": (10, "at least"),  # the latent has not collapsed
    "better_than_nothing_moves": (0.30, "at least"),  # the same a second ahead, of a recording without odometry
    "better_than_fading_to_the_mean": (0.05, "at least"),  # and that is not by giving up
    "better_than_other_commands": (0.05, "at least"),  # commands matter
    "surprise_auroc": (0.95, "at least"),  # it notices what cannot be
    "uncertainty_spearman": (0.5, "at least"),  # it knows when it errs
}


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
        """Of each step: on the bar, and as a line for each tenth of what is done where there is no terminal."""
        steps = self._trainer.config.steps
        if "phase" in terms:
            what, loss = next(iter(terms.items()))
            after = "" if math.isnan(loss) else f"  loss {loss:.3f}"
            if what != self._phase:
                self._phase = what
                self._bar.reset(self._task, total=100)
            self._bar.update(self._task, description=f"then  {what}{after}", completed=int(100 * terms["phase"]))
            share, line = terms["phase"], f"{what} {terms['phase']:.0%}{after}"
        else:
            names = ("prediction", "relative_pose", "goal", "sight", "total")
            shown = "  ".join(f"{name} {value:.3f}" for name, value in terms.items() if name in names)
            self._bar.update(self._task, completed=step, description=f"training  {shown}")
            what, share, line = "training", step / max(1, steps), f"step {step} of {steps}  {shown}"
        if not self._console.is_terminal and (what, int(10 * share)) != self._said:
            self._console.print(line, highlight=False, soft_wrap=True)
            self._said = what, int(10 * share)

    def watch(self, step: int, diagnosis: Diagnosis) -> None:
        """Of each checkpoint; in the first fifth every model looks dead."""
        config = self._trainer.config
        if step >= 0.2 * config.steps:
            for complaint in diagnosis.complaints(config.spec.latent_dim):
                self._console.print(f"step {step}: {complaint}", style="yellow", soft_wrap=True)


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
    """Trains and writes the model folder; goes on from the checkpoint there, if there is one.

    Under torchrun all processes train together, and the first one alone writes and speaks.

    Raises:
        AmiError: options that do not fit each other or the recordings; nothing to train on; a folder that cannot be
            used.
    """
    job, out = job_of(asked), asked.out
    cores = len(os.sched_getaffinity(0)) // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    torch.set_num_threads(asked.threads or max(1, cores))
    with parallel.processes():
        console = Console(emoji=False, stderr=True, quiet=parallel.rank() != 0)
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise AmiError(f"train: cannot write {out}: {error.strerror}; choose another --out") from error
        if (out / CONFIG).exists() and not (out / CHECKPOINT).exists():
            raise AmiError(f"train: {out} holds a finished model; choose another --out")
        try:
            _run(job, console)
        except OSError as error:
            reason = error.strerror or error
            raise AmiError(f"train: cannot write {out} ({reason}); make room and repeat the command") from error


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
    if begun is not None:  # of the preset count the heads, and that goals are sighted
        spec = begun.model.spec
        if _inputs(spec) != config.spec.inputs:
            why = f"{asked.start} has other inputs than preset {preset}; choose the one that it was made by"
            raise AmiError(f"train: {why}")
        code = spec.sight_code or config.spec.sight_code * (not spec.pair_size)
        config = replace(config, spec=replace(only_heads(config, spec).spec, sight_code=code))
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
    if asked.start is None and not preset and _lack_odometry(asked.recordings):
        preset, own = "camera", _camera_timing(asked.recordings)
    if not preset and asked.start is not None and (origin := read_provenance(asked.start)) is not None:
        preset = origin.preset
    if not preset:
        inputs = _inputs(begun.model.spec) if begun is not None else None
        preset = next((name for name, config in PRESETS.items() if config.spec.inputs == inputs), next(iter(PRESETS)))
    return preset, (*(f"spec.{key}={value}" for key, value in own.items()), *(asked.settings or ()))


def _inputs(spec: ModelSpec) -> InputSpec:
    """As presets have them, which know no camera."""
    return replace(spec.inputs, field_of_view=0.0, narrowest=0.0)


def _lack_odometry(recordings: Sequence[Path]) -> bool:
    """Whether none of these recordings has odometry: tubs, or data sets made of them."""
    return all(
        not open_data(path).card.has_odometry if is_dataset(path) else bool(tubs_at(path)) for path in recordings
    )


def _camera_timing(recordings: Sequence[Path]) -> dict[str, float | int]:
    """Period [s] and chunk of a model of tubs, which looks 0.5 s ahead at once: the usual period for cameras of 20 Hz,
    or one that slower cameras need."""
    slowest = 0.0
    for path in recordings:
        known = [open_data(path).period] if is_dataset(path) else map(usual_interval, tubs_at(path))
        slowest = max([slowest, *known])
    period = next((p for p in (0.1, 0.25) if slowest <= RATES.slow * p), 0.5)
    return {"period": period, "chunk": round(0.5 / period)}


def has_bfloat16() -> bool:
    """Whether this processor computes in bfloat16; elsewhere it is emulated, and slower than float32."""
    check = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(check and check())


def _run(job: Job, console: Console) -> None:
    asked, out = job.asked, job.asked.out
    config = replace(job.config, bfloat16=job.config.bfloat16 and has_bfloat16())
    new = open_datasets(asked.recordings, out, config.spec, console, job.robot)
    for complaint in (complaint for dataset in new for complaint in complaints(dataset)):
        console.print(complaint, style="yellow", soft_wrap=True)
    start = load_model(asked.start) if asked.start is not None else None
    old: list[Dataset] = []
    if asked.start is not None and (config.steps or asked.replay):
        old = _find_replay(asked.start, list(asked.replay or ()), new, out, console)
    config = replace(config, spec=with_camera(config.spec, [*new, *old]))
    with console.status("reading the pictures"):
        begun = start.model if start is not None else None
        if begun is not None and asked.dynamics:
            begun = in_units_of(begun, config.spec)
        budget = 0.0 if any(dataset.version for dataset in (*new, *old)) else None  # of what is streamed none is kept
        trainer = Trainer(config, _as_one(new), out, begun, _as_one(old) if old else None, budget)
    resumed = trainer.resume()
    began, first = time.monotonic(), trainer.step
    said = [f"{sum(map(len, new))} frames"]
    if old:
        said.append(f"{config.replay:.0%} of each batch from {sum(map(len, old))} old ones")
    said.append(f"{trainer.model.count_parameters() / 1e6:.2f} M parameters")
    said += [f"{parallel.count()} processes"] if parallel.count() > 1 else []
    said += [f"going on from step {trainer.step}"] if resumed else []
    console.print(", ".join(said), highlight=False, soft_wrap=True)
    with progress_bar(console) as bar:
        log = TrainingLog(trainer, bar, console)
        try:
            model = trainer.run(log.report, log.watch)
        except KeyboardInterrupt:
            console.print(f"stopped at step {trainer.step} of {config.steps}; repeat the command, and it goes on there")
            raise
    if parallel.rank() != 0:
        return
    comparisons = [
        BeforeAfter(name, stand(start.model, sampler) if start is not None else None, stand(model, sampler))
        for name, sampler in trainer.held_out.items()
        if config.steps or config.dynamics_steps
    ]
    minutes = (time.monotonic() - began) / 60
    loaded = save_model(out, job.name, model, start)
    write_provenance(out, job.preset, job.settings, config.steps, config.seed, [*new, *old])
    steps = config.steps + config.dynamics_steps - first
    write_card(out, loaded, config, _as_one(new), minutes, steps, torch.get_num_threads(), comparisons)
    trainer.forget()
    (out / VERSIONS).unlink(missing_ok=True)
    _tell(job, loaded, trainer, comparisons, minutes, sum(map(len, new)), console)


def _tell(
    job: Job, loaded: LoadedModel, trainer: Trainer, comparisons: Sequence[BeforeAfter], minutes: float, frames: int,
    console: Console,
) -> None:  # fmt: skip
    """Prints how much of the time was computing, and how good the models are on what they were not trained on."""
    console.print(f"{trainer.compute_share:.1%} of the step time was computing, the rest waiting for data")
    table = Table("held out", "", "before", "after", box=None, padding=(0, 3, 0, 0))
    for row in (row for comparison in comparisons for row in comparison.rows()):
        table.add_row(*row)
    if comparisons:
        console.print(table)
    console.print(f"model {loaded.encoder_id} is in {job.asked.out}")
    if job.asked.json is not None:
        found: dict[str, Any] = {"encoder_id": loaded.encoder_id, "seed": trainer.config.seed, "frames": frames}
        found |= {"minutes": round(minutes, 2), "compute_share_ratio": round(trainer.compute_share, 4)}
        for comparison in comparisons:
            found |= comparison.figures()
        write_json(job.asked.json, found | hardware())


def open_datasets(
    recordings: list[Path], out: Path, spec: ModelSpec, console: Console, robot: RobotDescription | None = None
) -> list[Dataset]:
    """All data sets among `recordings`, and behind them one extracted from all recordings, kept in `out` / dataset.

    Of several processes the first one extracts, while the others wait.
    """
    datasets = [_as_it_began(path, out) for path in recordings if is_dataset(path)]
    bags = [path for path in recordings if not is_dataset(path)]
    if not bags:
        return datasets
    if parallel.rank() == 0:
        open_dataset(bags, out, spec, console, robot)
    parallel.wait_for_first()
    return [*datasets, open_dataset(bags, out, spec, console, robot)]


def _as_it_began(path: Path, out: Path) -> Dataset:
    """A data set; of a fleet's the version that this training began with, whatever robots add meanwhile.

    Processes that train together, and a command that is repeated after an interruption, so learn from the same rows.
    """
    if not is_fleet(path):
        return Dataset(path)
    file, name, known = out / VERSIONS, str(path.resolve()), dict[str, int]()
    if parallel.rank() == 0:
        known = parse_yaml(file.read_text("utf-8")) if file.is_file() else {}
        if name not in known:
            known[name] = open_data(path).version
            write_atomically(file, dump_yaml(known).encode())
    return open_data(path, int(parallel.from_first(b"%d" % known.get(name, 0))))


def with_camera(spec: ModelSpec, datasets: Sequence[Dataset]) -> ModelSpec:
    """The spec, knowing the camera that all pictures were brought to, where that is known.

    Raises:
        AmiError: some were brought to another camera than others, or than the model's.
    """
    fields = (*(d.field_of_view for d in datasets), spec.inputs.field_of_view)
    known = {round(field, 6): field for field in fields if field}  # the spec's own digits stay
    if len(known) > 1:
        names = ", ".join(f"{field:g}" for field in sorted(known))
        raise AmiError(f"pictures are of different cameras (field_of_view {names} rad): extract all with the same one")
    return replace(spec, inputs=replace(spec.inputs, field_of_view=max(known.values(), default=0.0)))


def _as_one(datasets: list[Dataset]) -> Recording:
    """Several data sets as one recording."""
    return datasets[0] if len(datasets) == 1 else Joined(datasets)


def _find_replay(start: Path, replay: list[Path], new: list[Dataset], out: Path, console: Console) -> list[Dataset]:
    """The old data of the model in `start`: those named, else what its folder remembers; without what is `new`.

    Args:
        start: the model's folder.
        replay: data sets that the user names.
        new: what is trained on anyway.
        out: folder of the training.
        console: for what is missing.
    """
    missing: list[str] = []
    if replay:
        old = [_as_it_began(path, out) for path in replay]
    elif (origin := read_provenance(start)) is not None:
        old, missing = find_data(start, origin, open_data)
    else:
        old, missing = [], [f"what {start} learned from (it does not say)"]
    for what in missing:
        console.print(f"not replayed, as it is not there: {what}; name it by --replay", style="yellow", soft_wrap=True)
    known = {dataset.card.checksum for dataset in new}
    return [dataset for dataset in old if dataset.card.checksum not in known]


def evaluate(asked: EvaluateOptions) -> None:
    """`ami evaluate`: prints figures of a model on recordings, and writes them where they are asked for.

    Raises:
        AmiError: recordings that cannot be read or lack commands, or a card that cannot be written.
    """
    torch.set_num_threads(1)  # small networks: on a busy machine two threads wait for each other
    loaded, console = load_model(asked.model), Console(emoji=False)
    with tempfile.TemporaryDirectory(prefix="ami-evaluate-") as scratch:
        dataset = open_dataset(asked.recordings, Path(scratch), loaded.model.spec, console)
        if not dataset.card.has_command:
            why = f"{asked.recordings[0]} has no commands, and predictions need them: record them, too"
            raise AmiError(f"evaluate: {why}")
        figures = _measured(loaded, dataset, asked, console)
    title = f"{loaded.encoder_id} on {asked.recordings[0]}, seed {asked.seed}"
    table = Table("figure", "value", "floor", title=title)
    for name, value in figures.items():
        rule = style = ""
        if name in FLOORS and isinstance(value, int | float):
            limit, side = FLOORS[name]
            rule = f"{side} {limit:g}"
            style = "green" if (value <= limit if side == "at most" else value >= limit) else "red"
        table.add_row(name, f"{value:.3g}" if isinstance(value, float) else str(value), rule, style=style)
    console.print(table)
    if asked.card:
        sample = f"{figures['tested_frames']:,} of {figures['frames']:,} frames, seed {asked.seed}"
        try:
            write_measurements(asked.model, f"`{asked.recordings[0].resolve().name}`, {sample}", figures)
        except OSError as error:
            raise AmiError(f"evaluate: cannot write the card of {asked.model} ({error.strerror})") from error
    if asked.json is not None:
        write_json(asked.json, {"encoder_id": loaded.encoder_id, "seed": asked.seed} | figures | hardware())


def _measured(loaded: LoadedModel, dataset: Dataset, asked: EvaluateOptions, console: Console) -> dict[str, object]:
    """The figures of `measure_model`, or of `measure_prediction` for a recording without odometry."""
    with progress_bar(console) as bar:
        tasks: dict[str, TaskID] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what)
            bar.update(tasks[what], completed=done, total=total)

        if dataset.card.has_odometry:
            return dict(measure_model(loaded.model, dataset, asked.seed, asked.frames, report))
        origin = read_provenance(asked.model)
        learned, missing = find_data(asked.model, origin, open_data) if origin is not None else ([], ["its provenance"])
        for what in missing:
            text = f"{what} is not there: if the model was trained on this recording, the figures are of what it knows"
            console.print(text, style="yellow", soft_wrap=True)
        return dict(measure_prediction(loaded.model, dataset, learned, asked.seed, report))
