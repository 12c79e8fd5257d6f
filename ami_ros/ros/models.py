"""The learned model of a process, loaded once however many nodes of the process use it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from ami_ros.errors import AmiError
from ami_ros.extras import importing
from ami_ros.world_model.by_torch import on_arrays
from ami_ros.world_model.identity import LoadedModel, identify_model, model_folder
from ami_ros.world_model.inference import load_inference

Loaded = TypeVar("Loaded")
_loaded: dict[tuple[Callable[..., Any], Path], tuple[list[tuple[int, int, int]], Any]] = {}  # files as they were, model
_lock = threading.RLock()


def shared_arrays(folder: Path | None) -> LoadedModel:
    """The model in `folder`; loaded again if its files are others by now.

    Raises:
        AmiError: no folder given, or one that `load_inference` refuses.
    """
    return _shared(_load_arrays, folder)


def shared_model(folder: Path | None) -> LoadedModel:
    """The same for those who learn, in evaluation mode.

    Raises:
        AmiError: no folder given, or one that `load_model` refuses, or torch is not installed.
    """
    with importing("train"):
        import torch  # here: processes that do not learn do without its 190 MB

    from ami_ros.world_model.checkpoint import load_model

    # One thread for each node's inference: more would compete for the cores.
    torch.set_num_threads(1)
    return _shared(load_model, folder)


def _shared(load: Callable[[Path], Loaded], folder: Path | None) -> Loaded:
    if folder is None:
        raise AmiError("parameter 'model' is not set; give the folder of a model, as ./ami train writes it")
    path = folder.expanduser().resolve()
    if (load, path) not in _loaded:
        path = model_folder(folder).resolve()
    with _lock:
        files = [(s.st_ino, s.st_size, s.st_mtime_ns) for s in map(Path.stat, sorted(path.glob("*")))]
        if (load, path) not in _loaded or _loaded[load, path][0] != files:
            _loaded[load, path] = files, load(path)
        found: Loaded = _loaded[load, path][1]
        return found


def _load_arrays(folder: Path) -> LoadedModel:
    if not identify_model(folder).spec.needs_torch:
        return load_inference(folder)
    loaded = shared_model(folder)
    return replace(loaded, model=on_arrays(loaded.model))
