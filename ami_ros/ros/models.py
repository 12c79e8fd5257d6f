"""The learned model of a process, loaded once however many nodes of the process use it."""

from __future__ import annotations

import threading
from pathlib import Path

from ami_ros.errors import AmiError
from ami_ros.world_model.checkpoint import LoadedModel, load_model

_loaded: dict[Path, LoadedModel] = {}
_lock = threading.Lock()


def shared_model(folder: Path | None) -> LoadedModel:
    """The model in `folder`, in evaluation mode.

    Raises:
        AmiError: no folder given, or one that `load_model` refuses.
    """
    import torch

    if folder is None:
        raise AmiError("parameter 'model' is not set; give the folder of a model, as ./ami train writes it")
    # One thread for each node's inference: more of them would take the cores from each other.
    torch.set_num_threads(1)
    key = folder.expanduser().resolve()
    with _lock:
        if key not in _loaded:
            _loaded[key] = load_model(key)
        return _loaded[key]
