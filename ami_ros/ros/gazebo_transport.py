"""gz.transport and gz.msgs for Python, whichever version of them is installed."""

from __future__ import annotations

import importlib
from functools import partial
from types import SimpleNamespace
from typing import Any

from ami_ros.errors import AmiError

# In the names of gz.transport and gz.msgs: Harmonic, Ionic, and Jetty, whose names have none.
VERSIONS = (("13", "10"), ("14", "11"), ("", ""))


def transport() -> SimpleNamespace:
    """`Node` and `SubscribeOptions` of gz.transport, and `message(module, name)` for the classes of gz.msgs.

    Raises:
        AmiError: neither version of them is installed.
    """
    why = ""
    for number, messages in VERSIONS:
        try:
            found = importlib.import_module(f"gz.transport{number}")
            importlib.import_module(f"gz.msgs{messages}")
        except ImportError as error:
            why = why or str(error)
            continue
        return SimpleNamespace(
            Node=found.Node,
            SubscribeOptions=found.SubscribeOptions,
            message=partial(_message, f"gz.msgs{messages}"),
        )
    raise AmiError(f"no gz.transport ({why}): apt install python3-gz-transport13, or use ros_gz_bridge")


def _message(package: str, module: str, name: str) -> Any:
    return getattr(importlib.import_module(f"{package}.{module}_pb2"), name)
