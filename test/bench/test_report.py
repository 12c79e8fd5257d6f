import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ami_ros.bench.report import write_json
from ami_ros.bench.timing import ProcessMeter
from ami_ros.core.errors import AmiError


def test_json_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"a": float("nan")})
    assert json.loads(path.read_text()) == {"a": 1}
    assert os.listdir(tmp_path) == ["out.json"]


def test_unwritable_place_gives_one_line(tmp_path: Path) -> None:
    with pytest.raises(AmiError, match=r"cannot write .*missing/out\.json"):
        write_json(tmp_path / "missing" / "out.json", {})


def test_meter_sees_memory_and_work_of_a_process_and_keeps_them_when_it_ends() -> None:
    work = "import sys\nfor i in range(3_000_000): pass\nprint('done', flush=True)\nsys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", work], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        meter = ProcessMeter({"worker": process.pid, "gone": 2**22 + 1})
        assert process.stdout is not None
        process.stdout.readline()
        meter.sample()
        (alive,) = meter.costs()
        process.communicate()
    meter.sample()
    (cost,) = meter.costs()
    assert cost.name == "worker"
    assert cost.cpu_percent > 0
    assert cost.rss_mb > 1 and cost.pss_mb is None
    assert alive.pss_mb is not None and 0 < alive.pss_mb <= alive.rss_mb
