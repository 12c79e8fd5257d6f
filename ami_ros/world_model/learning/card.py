"""What is written beside a model: its card for people, and where it comes from, by which a later training finds the
data again."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from ami_ros.core.config import dump_yaml, from_mapping, parse_yaml, to_mapping
from ami_ros.core.errors import AmiError
from ami_ros.core.installation import processor_name
from ami_ros.world_model.learning.dataset import Dataset
from ami_ros.world_model.learning.held_out import BeforeAfter
from ami_ros.world_model.learning.trainer import TrainingConfig
from ami_ros.world_model.learning.windows import Recording
from ami_ros.world_model.model_files import write_atomically
from ami_ros.world_model.torch_model import LoadedModel


@dataclass(frozen=True)
class Data:
    """A data set, by its place and its content."""

    path: str  # relative to the model's folder
    checksum: str
    frames: int
    version: int = 0  # of a fleet's data set


@dataclass(frozen=True)
class Provenance:
    """What made a model."""

    preset: str
    settings: tuple[str, ...]  # key=value, what replaced the preset's
    steps: int
    seed: int
    data: tuple[Data, ...]  # new data first, then what was replayed


def write_provenance(
    folder: Path, preset: str, settings: Sequence[str], steps: int, seed: int, datasets: Sequence[Dataset]
) -> None:
    """Writes `provenance.yaml` into a model's folder."""
    base = folder.resolve()
    data = tuple(Data(os.path.relpath(d.folder.resolve(), base), d.card.checksum, len(d), d.version) for d in datasets)
    origin = Provenance(preset, tuple(settings), steps, seed, data)
    write_atomically(folder / "provenance.yaml", dump_yaml(to_mapping(origin)).encode())


def read_provenance(folder: Path) -> Provenance | None:
    """The origin of the model in `folder`; None where nothing tells.

    Raises:
        AmiError: the file is there but not readable.
    """
    file = folder / "provenance.yaml"
    try:
        values = parse_yaml(file.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        raise AmiError(f"{file} cannot be read: {' '.join(str(error).split())}; remove it") from error
    return from_mapping(Provenance, values, str(file))


def find_data(
    folder: Path, origin: Provenance, open_data: Callable[[Path, int], Dataset]
) -> tuple[list[Dataset], list[str]]:
    """The data sets that the model in `folder` was made from, as far as they are there, and those that are not; each is
    opened by its path and its version."""
    found, missing = [], []
    for data in origin.data:
        path = Path(os.path.normpath(folder.resolve() / data.path))
        try:
            dataset = open_data(path, data.version)
        except AmiError:
            missing.append(str(path))
            continue
        if dataset.card.checksum == data.checksum:
            found.append(dataset)
        else:
            missing.append(f"{path} (it holds other data now)")
    return found, missing


def write_card(
    folder: Path, loaded: LoadedModel, config: TrainingConfig, recording: Recording, minutes: float, steps: int,
    threads: int, comparisons: Sequence[BeforeAfter] = (),
) -> None:  # fmt: skip
    """Writes card.md beside the weights.

    Args:
        folder: of the model.
        loaded: the model.
        config: of its training.
        recording: that it was trained on.
        minutes: spent on `steps`.
        steps: made in this call; fewer than configured after a resumption.
        threads: used.
        comparisons: on what was held out.
    """
    spec, inputs = config.spec, config.spec.inputs
    sensors = {
        f"image {inputs.image_size} px": inputs.image_size,
        f"scan of {inputs.scan_beams} beams": inputs.scan_beams,
    }
    heads = {f"ensemble of {spec.ensemble}": spec.ensemble}
    made = f"{config.steps + config.dynamics_steps:,} steps of {config.batch} windows"
    made += ", of what commands do alone" if config.dynamics_steps else ""
    driven = len(recording) * recording.period / 60
    lines = [
        f"# {loaded.name}",
        "",
        f"- encoder id: `{loaded.encoder_id}`",
        f"- made by: `./ami {shlex.join(sys.argv[1:])}`",
        f"- inputs: {', '.join(name for name, used in sensors.items() if used)}; latent of {spec.latent_dim}",
        f"- parameters: {loaded.model.count_parameters():,}",
        f"- learned heads: {', '.join(name for name, used in heads.items() if used) or 'none'}",
        f"- data: {len(recording):,} frames in {len(recording.episodes)} episodes, {driven:.0f} min of driving",
        f"- training: {made}, seed {config.seed}",
        f"- time: {minutes:.1f} min for {steps:,} steps on {threads} threads of {processor_name()}",
    ]
    rows = [row for comparison in comparisons for row in comparison.rows()]
    if rows:
        share = f"{config.held_out:.0%} of each episode, its end"
        lines += ["", f"On what was held out ({share}); before: the model that it started from.", ""]
        lines += ["| held out | figure | before | after |", "|---|---|---|---|"]
        lines += [f"| {' | '.join(row)} |" for row in rows]
    write_atomically(folder / "card.md", ("\n".join(lines) + "\n").encode())


def write_measurements(folder: Path, sample: str, figures: Mapping[str, object]) -> None:
    """Writes what `ami evaluate` measured into card.md, in place of what it had measured before.

    Args:
        folder: of the model.
        sample: what it was measured on.
        figures: by name, with units.
    """
    file = folder / "card.md"
    text = file.read_text("utf-8") if file.is_file() else ""
    title = "## Measured on recordings that it was not trained on"
    before = text.partition(f"\n{title}\n")[0].rstrip("\n")
    rows = [f"| {name} | {value:.3g} |" if isinstance(value, float) else f"| {name} | {value} |"
            for name, value in figures.items()]  # fmt: skip
    lines = ["", title, "", f"`./ami evaluate` on {sample}:", "", "| figure | value |", "|---|---|", *rows]
    write_atomically(file, ("\n".join([before, *lines]) + "\n").encode())
