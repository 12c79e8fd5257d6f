"""What pages tell people to type works: the cheap is run as written, of the rest `test_reference` checks arguments."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.pages import PAGES, blocks, commands, page_name
from harness.processes import REPOSITORY

NOT_IN_A_CLONE = {".git", ".ami"}


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=page_name)
def test_every_block_of_commands_says_how_it_is_tested(page: Path) -> None:
    unmarked = [b.text for b in commands(page) if not re.fullmatch(r"run|long|needs: .+", b.mark)]
    assert unmarked == [], "write <!-- run -->, <!-- long --> or <!-- needs: WHAT --> above, see test/harness/pages.py"


@pytest.mark.parametrize("page", [p for p in PAGES if any(b.mark == "run" for b in commands(p))], ids=page_name)
def test_commands_of_a_page_run_as_they_are_written(page: Path, clone: Path) -> None:
    script = "\n".join(block.text for block in commands(page) if block.mark == "run")
    result = subprocess.run(
        ["bash", "-eux", "-c", script], cwd=clone, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that looks like the repository, and takes what commands write.

    Its `./ami` does what the real one does after set-up, in an environment that takes packages which need no network.
    """
    clone, venv = tmp_path / "clone", tmp_path / "venv"
    clone.mkdir()
    for path in REPOSITORY.iterdir():
        if path.name not in {*NOT_IN_A_CLONE, "ami", "examples"}:
            (clone / path.name).symlink_to(path)
    subprocess.run(["cp", "-r", str(REPOSITORY / "examples"), str(clone)], check=True)  # pip leaves folders there
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    [packages] = venv.glob("lib/python*/site-packages")
    here = [path for path in sys.path if path.endswith("-packages")]
    (packages / "shared.pth").write_text("\n".join(here))
    (clone / "ami").write_text(f'#!/bin/sh\nexec "{venv}/bin/python" -m ami_ros.cli "$@"\n')
    (clone / "ami").chmod(0o755)
    monkeypatch.setenv("PATH", f"{venv / 'bin'}{os.pathsep}{os.environ['PATH']}")
    for name, value in {"NO_INDEX": "1", "NO_DEPS": "1", "NO_BUILD_ISOLATION": "0"}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    return clone


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_code_that_names_its_file_is_in_that_file(page: Path) -> None:
    for block in blocks(page, "python", "toml"):
        named = re.match(r"# (examples/\S+)\n", block.text)
        if named is not None:
            assert block.text.removeprefix(named[0]).strip() in (REPOSITORY / named[1]).read_text(encoding="utf-8")
