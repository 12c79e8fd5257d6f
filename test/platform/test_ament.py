"""ROS 2's own linters, where they are installed, configured for the style that ruff checks here (setup.cfg).

Without ament_copyright and ament_xmllint, see docs/design/interfaces.md.
"""

from __future__ import annotations

import pytest

from harness.processes import REPOSITORY

pytest.importorskip("ament_flake8", reason="the linters of ROS 2 come with its packages ament_*")

SOURCES = [str(REPOSITORY / name) for name in ("ami_ros", "examples", "launch", "setup.py", "test")]
# Of Google's convention these are not kept to, as by ruff.
DOCSTRINGS = [f"D{n}" for n in (*range(100, 108), 205, 209, 210, 212, 402, 403, 415, 417)]


def test_flake8_finds_nothing() -> None:
    from ament_flake8.main import main

    assert main(["--config", str(REPOSITORY / "setup.cfg"), *SOURCES]) == 0


def test_pep257_finds_nothing() -> None:
    from ament_pep257.main import main

    assert main([*SOURCES, "--convention", "google", "--add-ignore", *DOCSTRINGS]) == 0
