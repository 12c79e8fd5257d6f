"""The learned model of a process, loaded once however many nodes of the process use it."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from ami_ros.errors import AmiError
from ami_ros.world_model.arrays import ByTorch
from ami_ros.world_model.identity import identify_model
from ami_ros.world_model.inference import InferenceModel
from ami_ros.world_model.inference_loading import LoadedArrays, load_inference
from ami_ros.world_model.spec import ModelSpec

if TYPE_CHECKING:
    from ami_ros.world_model.checkpoint import LoadedModel

_loaded: dict[Path, LoadedModel] = {}
_arrays: dict[Path, tuple[LoadedModel, LoadedArrays]] = {}  # of which model, and for whom
_files: dict[Path, list[tuple[int, int, int]]] = {}  # as they were when it was loaded
_lock = threading.RLock()


def shared_model(folder: Path | None) -> LoadedModel:
    """The model in `folder`, in evaluation mode; loaded again if its files are others by now.

    Raises:
        AmiError: no folder given, or one that `load_model` refuses.
    """
    import torch  # here: processes that neither search nor learn do without its 190 MB

    from ami_ros.world_model.checkpoint import load_model

    # One thread for each node's inference: more would compete for the cores.
    torch.set_num_threads(1)
    key = _key(folder)
    with _lock:
        files = [(s.st_ino, s.st_size, s.st_mtime_ns) for s in map(Path.stat, sorted(key.glob("*")))]
        if key not in _loaded or _files.get(key, files) != files:
            _loaded[key], _files[key] = load_model(key), files
        return _loaded[key]


def shared_arrays(folder: Path | None) -> LoadedArrays:
    """The same for those who do without torch. Where this process has torch, as the composed one, weights are shared.

    Raises:
        AmiError: as `shared_model`.
    """
    key = _key(folder)
    with _lock:
        if "torch" not in sys.modules and not _needs_torch(identify_model(key).spec):
            return load_inference(key)
        loaded = shared_model(key)
        if key not in _arrays or _arrays[key][0] is not loaded:
            _arrays[key] = loaded, _arrays_of(loaded)
        return _arrays[key][1]


def _key(folder: Path | None) -> Path:
    if folder is None:
        raise AmiError("parameter 'model' is not set; give the folder of a model, as ./ami train writes it")
    return folder.expanduser().resolve()


def _needs_torch(spec: ModelSpec) -> bool:
    """Encoders and predictors of other packages do."""
    return spec.predictor != "mlp" or (spec.image_encoder != "conv" and spec.inputs.image_size > 0)


def _arrays_of(loaded: LoadedModel) -> LoadedArrays:
    from ami_ros.world_model.checkpoint import count_parameters
    from ami_ros.world_model.model import WorldModel

    count, model = count_parameters(loaded.model), loaded.model
    if type(model) is not WorldModel or _needs_torch(model.spec):
        return LoadedArrays(ByTorch(model), loaded.encoder_id, loaded.sha256, count)
    weights = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    return LoadedArrays(InferenceModel(model.spec, weights), loaded.encoder_id, loaded.sha256, count)
