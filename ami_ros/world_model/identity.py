"""Who a model is and what it expects, without loading it; and how its files are written. No torch is needed."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from safetensors.numpy import save as save_arrays

from ami_ros.config import parse_yaml
from ami_ros.errors import AmiError
from ami_ros.share import names, share
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
class ModelIdentity:
    """Who a model is, as far as can be told without loading it."""

    encoder_id: str
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
    folder = model_folder(named)
    config, weights = folder / CONFIG, folder / WEIGHTS
    try:
        values = parse_yaml(config.read_text(encoding="utf-8"))
        check_format(folder, values["format"])
        name, digest, spec = values["name"], values["sha256"], values["spec"]
        latents = values.get("latents_sha256") or digest  # learned heads do not count for who a model is
        found = hashlib.sha256(weights.read_bytes()).hexdigest()
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise AmiError(f"model {folder}: config.yaml is not readable; train it or copy it again") from error
    except OSError as error:
        raise AmiError(f"model {folder}: {error.strerror}") from error
    if found != digest:
        raise AmiError(f"model {folder}: weights.safetensors is not the file that config.yaml names; copy it again")
    return ModelIdentity(f"{name}@{latents[:12]}", read_spec(spec, f"model {folder}: config.yaml"), digest)
