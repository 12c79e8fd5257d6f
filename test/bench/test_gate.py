"""`ami bench gate`: its figures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ami_ros.bench.command import gate


def test_it_prints_what_came_of_the_drives(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gate(minutes=0.01, seed=3, json=tmp_path / "gate.json")
    figures = json.loads((tmp_path / "gate.json").read_text())
    assert figures["gate_drives"] >= 1 and figures["gate_contacts"] == figures["gate_commands_over_limits"] == 0
    assert "gate_contact_speed_max_m_s" in capsys.readouterr().out
