"""Codes and descriptors of pictures, and the files that keep them."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path

import numpy as np
import pytest

from ami_ros.memory.retrieval import Code, CodeFile, Descriptors, descriptor_file, digest
from harness.processes import Children

CAMERA, OTHER = b"camera 1", b"camera 2"
CODES = {digest(b"%d" % k): np.full(40, k, np.float16) for k in range(5)}


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    path = tmp_path / "home.memory"
    path.touch(0o600)
    return path


def codes_of(memory: Path) -> Path:
    return memory.with_name("home.memory.codes")


def found(memory: Path, made_by: bytes = CAMERA) -> dict[bytes, Code]:
    """What is found after a restart."""
    file = CodeFile(memory)
    known = {picture: file.find(made_by, picture) for picture in CODES}
    file.close()
    return {picture: code for picture, code in known.items() if code is not None}


def same(codes: dict[bytes, Code], expected: dict[bytes, Code] = CODES) -> bool:
    return codes.keys() == expected.keys() and all((codes[k] == expected[k]).all() for k in codes)


def write(memory: Path, codes: dict[bytes, Code] = CODES, made_by: bytes = CAMERA) -> None:
    file = CodeFile(memory)
    file.write(made_by, codes)
    file.close()


def test_what_was_written_is_found_by_its_picture_and_by_what_made_it(memory: Path) -> None:
    file = CodeFile(memory)
    assert file.find(CAMERA, next(iter(CODES))) is None and not codes_of(memory).exists()
    file.write(CAMERA, CODES)
    assert same({picture: file.find(CAMERA, picture) for picture in CODES})  # type: ignore[misc]
    file.close()
    assert same(found(memory)) and not found(memory, OTHER)
    assert [path.name for path in sorted(memory.parent.iterdir())] == ["home.memory", "home.memory.codes"]
    assert stat.S_IMODE(codes_of(memory).stat().st_mode) == 0o600, "a code contains a small picture"


def test_a_damaged_file_costs_codes_but_gives_no_wrong_one(memory: Path) -> None:
    write(memory)
    whole = codes_of(memory).read_bytes()
    rng = np.random.default_rng(0)
    for size in (*range(0, len(whole), 7), len(whole) + 1):
        codes_of(memory).write_bytes((whole + b"\0")[:size])
        assert found(memory) == {}
    for bit in rng.choice(8 * len(whole), 400, replace=False).tolist():
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        codes_of(memory).write_bytes(flipped)
        after = found(memory)
        assert len(after) in (0, 4, 5) and same(after, {k: CODES[k] for k in after})
    for strange in (b"", b"\0" * len(whole), rng.bytes(len(whole)), b"AMICODE1" + b"\xff" * 100):
        codes_of(memory).write_bytes(strange)
        assert found(memory) == {}
    write(memory)
    assert same(found(memory)), "they are made again"


def test_a_file_that_is_cut_off_while_it_is_in_use_kills_nobody(memory: Path) -> None:
    """Mapped into memory, it would end the process."""
    write(memory)
    file = CodeFile(memory)
    os.truncate(codes_of(memory), 100)
    assert all(file.find(CAMERA, picture) is None for picture in CODES)
    file.close()


def test_a_file_that_others_could_have_written_is_not_trusted(memory: Path, tmp_path: Path) -> None:
    write(memory)
    codes_of(memory).chmod(0o622)
    assert not found(memory)
    codes_of(memory).chmod(0o600)
    assert same(found(memory))
    if os.geteuid() == 0:
        os.chown(codes_of(memory), 65534, -1)
        assert not found(memory)
        os.chown(memory, 65534, -1)
        assert same(found(memory)), "whose memory it is may write its codes"
    codes_of(memory).rename(tmp_path / "elsewhere")
    codes_of(memory).symlink_to(tmp_path / "elsewhere")
    assert not found(memory)
    write(memory)
    assert same(found(memory)) and not codes_of(memory).is_symlink()


def test_writing_follows_no_trap_and_leaves_nothing_where_it_fails(memory: Path, tmp_path: Path) -> None:
    new, victim = memory.with_name(".home.memory.codes.new"), tmp_path / "victim"
    victim.write_text("precious")
    new.symlink_to(victim)
    write(memory)
    assert same(found(memory)) and victim.read_text() == "precious" and not new.exists()
    codes_of(memory).unlink()
    (codes_of(memory) / "folder").mkdir(parents=True)
    write(memory)
    assert not found(memory) and not new.exists()


def test_a_memory_that_is_gone_or_is_only_copied_gets_no_codes(memory: Path) -> None:
    copied = CodeFile(memory, writes=False)
    copied.write(CAMERA, CODES)
    assert not codes_of(memory).exists()
    write(memory)
    copied.erase()
    assert same(found(memory))
    codes_of(memory).unlink()
    memory.unlink()
    write(memory)
    assert not codes_of(memory).exists()


READ_ONLY = """
import os, sys, numpy as np
from pathlib import Path
from ami_ros.memory.retrieval import CodeFile
if os.getuid() == 0:  # who may do everything finds nothing read-only
    os.setgid(65534)
    os.setuid(65534)
file = CodeFile(Path(sys.argv[1]))
file.write(b"camera 1", {b"0" * 16: np.zeros(40, np.float16)})
file.erase()
print("found", file.find(b"camera 1", b"0" * 16))
"""


def test_in_a_folder_that_is_read_only_nothing_is_written_or_told(children: Children) -> None:
    folder = Path(tempfile.mkdtemp(prefix="memory-"))  # pytest lets nobody else into its own
    (folder / "home.memory").touch()
    folder.chmod(0o555)
    process = children.python("-c", READ_ONLY, str(folder / "home.memory"))
    try:
        assert process.wait(60) == 0, process.output()
        assert process.output().splitlines() == ["found None"] and len(list(folder.iterdir())) == 1
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)


def test_codes_of_another_camera_stay_for_the_same_pictures_while_there_is_room(
    memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until its camera is known, a robot makes codes that it needs again after the next start."""
    write(memory)
    *rest, gone = CODES
    fewer = {picture: CODES[picture] + np.float16(0.5) for picture in rest}
    write(memory, fewer, OTHER)
    assert same(found(memory, OTHER), fewer) and same(found(memory), {k: CODES[k] for k in rest})
    assert gone not in found(memory), "of a place that is no more"
    for codes, camera in ((CODES, CAMERA), (fewer, OTHER)):
        CodeFile(memory, kept=6).write(camera, codes)
    assert same(found(memory, OTHER), fewer) and len(found(memory)) == 2
    write(memory, {k: np.zeros(41, np.float16) for k in rest}, OTHER)
    assert len(found(memory, OTHER)) == 4 and not found(memory), "codes of another length"


def test_of_two_that_write_at_once_one_is_whole(memory: Path) -> None:
    """One memory has one writer; but it may be renamed, and another be begun under its name."""
    first, second = CodeFile(memory), CodeFile(memory)
    for _ in range(3):
        first.write(CAMERA, CODES)
        second.write(OTHER, CODES)
    assert same(found(memory, OTHER))
    first.erase()
    assert second.find(OTHER, next(iter(CODES))) is not None and not found(memory, OTHER)
    first.close()
    second.close()


COMMON = np.array([5.0, 5.0, 5.0], np.float32)  # what every picture of a building has in it
ROOMS = np.eye(3, dtype=np.float32)


def named(*ids: int) -> dict[int, bytes]:
    """The digests of their pictures."""
    return {place_id: digest(str(place_id).encode()) for place_id in ids}


def known() -> Descriptors:
    """Nine places, ids 10 to 18, three in each room."""
    made, rng = Descriptors(), np.random.default_rng(0)
    rows = COMMON + ROOMS.repeat(3, 0) + rng.normal(0.0, 0.05, (9, 3)).astype(np.float32)
    made.add(named(*range(10, 16)), rows[:6])
    made.add(named(*range(16, 19)), rows[6:])
    return made


def test_pictures_of_one_room_are_alike_whatever_all_have_in_common() -> None:
    ids, alike = known().likeness(COMMON + ROOMS)
    assert alike.shape == (3, 9)
    for room in range(3):
        best = ids[np.argsort(-alike[room])[:3]]
        assert sorted(best.tolist()) == [10 + 3 * room, 11 + 3 * room, 12 + 3 * room]
        assert np.sort(alike[room])[-3:].min() > 0.9 and np.sort(alike[room])[:6].max() < 0.0


def test_who_was_forgotten_or_replaced_is_not_found_as_they_were() -> None:
    made = known()
    made.likeness(COMMON[None])  # it keeps a table
    made.drop({10, 11, 99})
    made.add(named(12), COMMON[None] + ROOMS[2:])
    ids, alike = made.likeness(COMMON[None] + ROOMS[2:])
    assert 10 not in ids and 10 not in made and 12 in made
    assert set(ids[np.argsort(-alike[0])[:4]].tolist()) == {12, 16, 17, 18}


def test_nobody_is_alike_where_no_place_has_a_picture() -> None:
    made = Descriptors()
    for _ in range(2):
        ids, alike = made.likeness(np.stack([COMMON, COMMON]))
        assert ids.shape == (0,) and alike.shape == (2, 0)
        made.add(named(1), COMMON[None])
        made.clear()


def test_what_was_saved_is_found_by_its_picture_and_by_the_camera_that_took_it(tmp_path: Path) -> None:
    memory, made = tmp_path / "home.memory", known()
    memory.touch()
    made.file = descriptor_file(memory)
    assert not made.is_due, "nine are not worth it yet"
    made.save(b"camera 1")
    again = Descriptors()
    again.file = descriptor_file(memory)
    assert again.read(b"camera 1", 5, named(12)[12]) and 5 in again
    assert not again.read(b"camera 2", 6, named(12)[12]) and not again.read(b"camera 1", 6, named(99)[99])
    ids, alike = again.likeness(COMMON[None])
    assert ids.tolist() == [5] and np.isfinite(alike).all()


def test_what_a_place_showed_that_is_forgotten_is_no_more_in_the_file(tmp_path: Path) -> None:
    memory, made = tmp_path / "home.memory", known()
    memory.touch()
    made.file = descriptor_file(memory)
    made.save(b"camera 1")
    made.drop({12})
    assert not (tmp_path / "home.memory.descriptors").exists()
    made.save(b"camera 1")
    again = Descriptors()
    again.file = descriptor_file(memory)
    assert not again.read(b"camera 1", 12, named(12)[12]) and again.read(b"camera 1", 13, named(13)[13])
