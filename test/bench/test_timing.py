import subprocess
import sys

import pytest

from ami_ros.bench.timing import ControlRecord, ProcessMeter


def test_rate_and_largest_gap_are_counted_within_drives_only() -> None:
    record = ControlRecord()
    for begin in (0.0, 100.0):
        for k in range(11):
            record.command(begin + 0.1 * k, steady=2 * (begin + 0.1 * k))
        record.end()
    figures = record.to_json()
    assert figures["rate_hz"] == pytest.approx(5.0)
    assert figures["max_gap_s"] == pytest.approx(0.2)
    assert figures["rate_robot_hz"] == pytest.approx(10.0)
    assert figures["max_gap_robot_s"] == pytest.approx(0.1)
    assert figures["real_time_factor"] == pytest.approx(0.5)
    assert figures["commands"] == 20


def test_a_late_command_shows_as_the_largest_gap() -> None:
    record = ControlRecord()
    for stamp in (0.0, 0.1, 0.2, 0.55, 0.65):
        record.command(stamp, stamp)
    record.end()
    figures = record.to_json()
    assert figures["max_gap_s"] == pytest.approx(0.35)
    assert (figures["gaps_over_200_ms"], figures["gaps_robot_over_200_ms"]) == (1, 1)


def test_latency_is_the_age_of_an_image_at_the_first_command_decided_on_it() -> None:
    record = ControlRecord()
    for image in range(101):
        first_age = 0.05 + image / 1000
        record.observation(image + first_age, first_age)
        record.observation(image + first_age + 0.1, first_age + 0.1)  # the same decision, one command later
    figures = record.to_json()
    assert figures["image_to_command_p50_ms"] == pytest.approx(100.0)
    assert figures["image_to_command_p95_ms"] == pytest.approx(145.0)
    assert figures["image_age_p95_ms"] > 200.0


def test_without_commands_every_figure_is_none() -> None:
    figures = ControlRecord().to_json()
    assert figures.pop("commands") == 0
    assert set(figures.values()) == {None}


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
