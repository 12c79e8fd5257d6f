"""Who a model is, what it expects, and how its files are read and written. No torch is needed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from ami_ros.core.config import parse_yaml
from ami_ros.core.errors import AmiError
from ami_ros.core.installation import names, share
from ami_ros.world_model.layers import Weights
from ami_ros.world_model.spec import ModelSpec, read_spec


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file so that a reader, or a power cut, sees the old content or the new one, never a mixture.

    Raises:
        OSError: it cannot be written; nothing is left of it.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(partial, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def save_network(path: Path, network: Any, precision: type = np.float32) -> None:
    """Writes the weights of a network that learns.

    Raises:
        OSError: as `write_atomically`.
    """
    weights = network.state_dict().items()
    write_atomically(path, save_arrays({name: np.array(w.numpy(), precision, order="C") for name, w in weights}))


FORMAT = 2  # of model folders


def check_format(folder: Path, version: object) -> None:
    """Raises AmiError if a folder was written in another format than this version of ami_ros reads."""
    if version != FORMAT:
        advice = "update ami_ros" if isinstance(version, int) and version > FORMAT else "train it again"
        raise AmiError(f"model {folder}: format {version!r} is not the {FORMAT} that this version reads; {advice}")


@dataclass(frozen=True)
class LoadedModel:
    """A model, and who it is."""

    model: Any  # a `latent_model.Model`, ready for use
    name: str
    sha256: str  # of all weights
    latents_sha256: str = ""  # of the weights without those of learned heads; "": as `sha256`

    @property
    def encoder_id(self) -> str:
        """`name@first 12 hex digits of the weights' SHA-256`; latents of different ids must never be compared.

        Learned heads, and how pictures are compared, do not count: they change neither latents nor what memory makes
        of them.
        """
        return f"{self.name}@{(self.latents_sha256 or self.sha256)[:12]}"


@dataclass(frozen=True)
class ModelIdentity:
    """Who a model is, as far as can be told without loading it."""

    encoder_id: str  # see `LoadedModel`
    spec: ModelSpec
    sha256: str  # of all weights


CONFIG, WEIGHTS, MODELS = "config.yaml", "weights.safetensors", "models"


def model_folder(named: str | Path) -> Path:
    """The folder of a model, which is named by its path or, if it comes with the package, by its name.

    Raises:
        AmiError: there is none, or a file of it is missing.
    """
    folder = Path(named).expanduser()
    if not folder.is_dir() and folder.parts == (folder.name,) and folder.name in shipped_models():
        folder = share(MODELS, folder.name)
    for file in (CONFIG, WEIGHTS):
        if not (folder / file).is_file():
            advice = f"give the folder that ./ami train wrote, or one of {', '.join(shipped_models())}"
            raise AmiError(f"model {named}: {file} is missing; {advice}")
    return folder


def shipped_models() -> list[str]:
    """Names of the models that come with the package."""
    return [name for name in names(MODELS, WEIGHTS) if name not in ("ranges", "scans")]  # these two are parts of others


def identify_model(named: str | Path) -> ModelIdentity:
    """Reads a model's configuration and checks that its weights are those it names; cheap, for it needs no torch.

    Args:
        named: as `model_folder` takes it.

    Raises:
        AmiError: files are missing, not readable or do not belong together.
    """
    spec, _, who = _read(model_folder(named))
    return ModelIdentity(who.encoder_id, spec, who.sha256)


def read_model(named: str | Path, make: Callable[[ModelSpec, Weights], Any]) -> LoadedModel:
    """Reads a model, refusing everything that is not exactly what was saved.

    Args:
        named: as `model_folder` takes it.
        make: makes it of its spec and its weights, by name; ValueError where these do not fit.

    Raises:
        AmiError: as `identify_model`, or the weights do not fit the configuration.
    """
    folder = model_folder(named)
    spec, content, who = _read(folder)
    try:
        weights = {name: w for name, w in load_arrays(content).items() if not name.startswith("heads.policy.")}
        return replace(who, model=make(spec, weights))
    except SafetensorError as error:
        raise AmiError(f"model {folder}: {WEIGHTS} is no file of weights ({error}); copy it again") from error
    except ValueError as error:
        raise AmiError(
            f"model {folder}: the weights do not fit {CONFIG}, they are another version's: {error}; "
            "use the version of ami_ros that wrote them, or train again"
        ) from error


def _read(folder: Path) -> tuple[ModelSpec, bytes, LoadedModel]:
    """Spec, the file of weights, and who it is, of a model that is not loaded yet."""
    try:
        values = parse_yaml((folder / CONFIG).read_text(encoding="utf-8"))
        version, name, expected, spec = (values[key] for key in ("format", "name", "sha256", "spec"))
        latents, content = values.get("latents_sha256"), (folder / WEIGHTS).read_bytes()
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise AmiError(
            f"model {folder}: {CONFIG} is not readable ({type(error).__name__}); train or copy it again"
        ) from error
    except OSError as error:
        raise AmiError(f"model {folder}: {error.strerror}") from error
    check_format(folder, version)
    digest = hashlib.sha256(content).hexdigest()
    if digest != expected:
        raise AmiError(
            f"model {folder}: {WEIGHTS} has hash {digest[:12]}, {CONFIG} says {str(expected)[:12]}; copy it again"
        )
    who = LoadedModel(None, str(name), digest, str(latents or ""))
    return read_spec(spec, f"model {folder}: {CONFIG}"), content, who
