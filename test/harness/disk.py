"""A disk that may lose power at any moment: what a child process does to a folder is noted call by call, and the folder
is made anew as a kill or a power cut after any of these calls could have left it.

What counts as lasting is what POSIX promises and no more: bytes of a file once the file was synced, names once their
folder was. Names change in order, as in a journal; bytes that were not synced may be there or not, in any selection.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from harness.processes import Children

HEAD = 25  # bytes before the data of a record, see disk_shim.c
SECTOR = 512  # bytes that a disk writes at once


@dataclass(frozen=True)
class Call:
    """One call of the child, see disk_shim.c."""

    kind: str  # write, truncate, file synced, directory synced, create, rename, link, unlink, mkdir, say
    id: int  # inode
    offset: int
    data: bytes

    @property
    def paths(self) -> list[str]:
        return self.data.decode().split("\n")


@dataclass
class _File:
    content: bytearray = field(default_factory=bytearray)  # with everything that was written
    lasting: bytes = b""
    pending: list[Call] = field(default_factory=list)


def _apply(content: bytearray, call: Call, share: slice = slice(None)) -> None:
    if call.kind == "t":
        content[call.offset :] = bytes(max(0, call.offset - len(content)))
        return
    data = call.data[share]
    start = call.offset + (share.start or 0)
    content.extend(bytes(max(0, start - len(content))))
    content[start : start + len(data)] = data


class Disk:
    """The folder, brought forward call by call.

    Attributes:
        said: what the child had written to its standard output.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._files: dict[int, _File] = {}
        self._names: dict[str, int] = {}  # now; 0: a folder
        self._lasting: dict[str, int] = {}
        self._pending: list[Call] = []  # changes of names since the last that was synced
        self._folders: dict[int, str] = {}
        self.said = ""

    def step(self, call: Call) -> None:
        """One call further."""
        if call.kind == "s":
            self.said += call.data.decode(errors="replace")
        elif call.kind in "wt":
            file = self._files.setdefault(call.id, _File())
            _apply(file.content, call)
            file.pending.append(call)
        elif call.kind == "f":
            file = self._files.setdefault(call.id, _File())
            file.lasting, file.pending = bytes(file.content), []
        elif call.kind == "d":  # of whichever folder: a journal has one order
            self._lasting, self._pending = dict(self._names), []
        else:
            if call.kind == "c":
                self._files[call.id] = _File()
            _rename(self._names, call)
            self._pending.append(call)

    def damage(self, name: str, content: bytes) -> None:
        """A file has another content, and always had."""
        file = self._files[self._names[os.path.join(self._folder, name)]]
        file.content, file.lasting, file.pending = bytearray(content), content, []

    def killed(self) -> dict[str, bytes]:
        """Path in the folder -> bytes: as a kill leaves it."""
        return self._made(self._names, lambda file: bytes(file.content))

    def cut(self, rng: np.random.Generator | None) -> dict[str, bytes]:
        """The same as a power cut leaves it: with nothing that was not synced, or with a random part of that."""
        names = dict(self._lasting)
        if rng is not None:
            for call in self._pending[: int(rng.integers(len(self._pending) + 1))]:
                _rename(names, call)
        return self._made(names, lambda file: self._part_of(file, rng))

    def _part_of(self, file: _File, rng: np.random.Generator | None) -> bytes:
        content = bytearray(file.lasting)
        for call in file.pending if rng is not None else []:
            chance = rng.integers(3) if rng is not None else 0
            if chance == 1:
                _apply(content, call)
            elif chance == 2 and call.kind == "w" and rng is not None:  # torn
                _apply(content, call, slice(0, int(rng.integers(len(call.data) // SECTOR + 1)) * SECTOR))
        return bytes(content)

    def _made(self, names: dict[str, int], content: object) -> dict[str, bytes]:
        made = {}
        for path, number in names.items():
            if number and not path.endswith("-shm"):  # which SQLite makes anew after a kill
                made[os.path.relpath(path, self._folder)] = content(self._files[number])  # type: ignore[operator]
        return made


def _rename(names: dict[str, int], call: Call) -> None:
    first, *rest = call.paths
    if call.kind == "c":
        names[first] = call.id
    elif call.kind == "m":
        names[first] = 0
    elif call.kind == "u":
        names.pop(first, None)
    elif call.kind == "l":
        names[rest[0]] = names[first]
    else:
        below = [name for name in names if name == first or name.startswith(f"{first}/")]
        for name in below:
            names[rest[0] + name.removeprefix(first)] = names.pop(name)


class Recorder:
    """Runs children whose calls are noted.

    Args:
        children: of the test.
        scratch: a folder for the library that notes, and for what it notes.
    """

    def __init__(self, children: Children, scratch: Path) -> None:
        self._children, self._scratch = children, scratch
        self._library = scratch / "disk_shim.so"
        source = Path(__file__).with_name("disk_shim.c")
        compiler = os.environ.get("CC", "cc")
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", self._library, source, "-ldl"], check=True)

    def record(self, folder: Path, code: str, *arguments: str) -> list[Call]:
        """The calls of a Python program in `folder`, whose files it or one that was recorded before has made."""
        log = self._scratch / "calls"
        log.unlink(missing_ok=True)
        noted = {"LD_PRELOAD": str(self._library), "AMI_DISK_LOG": str(log), "AMI_DISK_FOLDER": str(folder)}
        child = self._children.python("-c", code, *arguments, environment=noted)
        assert child.wait(120.0) == 0, child.output()
        return list(_read(log.read_bytes()))


def _read(noted: bytes) -> Iterator[Call]:
    start = 0
    while start < len(noted):
        number, offset, length = (int.from_bytes(noted[start + k : start + k + 8], "little") for k in (1, 9, 17))
        yield Call(chr(noted[start]), number, offset, noted[start + HEAD : start + HEAD + length])
        start += HEAD + length


@contextmanager
def laid_out(files: dict[str, bytes]) -> Iterator[Path]:
    """A folder with such a state, in RAM where there is room for it: a sync there costs nothing."""
    with tempfile.TemporaryDirectory(
        prefix="memory-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    ) as made:
        for name, content in files.items():
            path = Path(made) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        yield Path(made)
