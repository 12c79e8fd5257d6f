"""What changes now and then and is larger: the map, places, pictures. A page gets one when its version is new."""

from __future__ import annotations

import threading
from base64 import b64encode
from collections.abc import Mapping
from typing import Any


class Documents:
    """Values for the page by name, each with a version. Any thread may call it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[str, tuple[int, dict[str, Any]]] = {}

    def put(self, name: str, value: dict[str, Any]) -> None:
        """Replaces a document; `value` as JSON has it, finite."""
        with self._lock:
            version = self._values[name][0] + 1 if name in self._values else 1
            self._values[name] = version, value

    def newer(self, seen: Mapping[str, int]) -> dict[str, tuple[int, dict[str, Any]]]:
        """The documents of which a page that has seen these versions does not have the newest."""
        with self._lock:
            return {name: entry for name, entry in self._values.items() if entry[0] != seen.get(name)}

    def get(self, name: str) -> dict[str, Any] | None:
        """The newest, if there is one."""
        with self._lock:
            return self._values[name][1] if name in self._values else None


def data_url(picture: bytes) -> str:
    """A JPEG or PNG as a page shows it without asking for it."""
    kind = "png" if picture.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{b64encode(picture).decode()}"
