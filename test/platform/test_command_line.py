"""The command line: help, exit codes, what is printed."""

from __future__ import annotations

import ast
import inspect
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

import ami_ros
from ami_ros.cli.commands import COMMANDS, Command, find_command, overview, version
from ami_ros.cli.driving import spelled_out
from ami_ros.cli.main import functions, run, with_exit_codes
from ami_ros.core.errors import AmiError
from harness import Children
from harness.processes import REPOSITORY

NAMES = [command.name for command in COMMANDS]


def ami(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a command as `./ami` does after set-up."""
    command = [sys.executable, "-m", "ami_ros.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def test_overview_lists_every_command() -> None:
    result = ami("--help")
    assert result.returncode == 0
    assert result.stdout.strip() == overview()
    assert all(f"  {name} " in result.stdout for name in NAMES)
    assert max(map(len, overview().splitlines())) <= 80


@pytest.fixture
def run_here(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., tuple[int, str, str]]]:
    """Runs a command in this process: its exit code, what it wrote, and its errors."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            run(arguments)
        return int(ended.value.code or 0), *capsys.readouterr()

    yield call
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("name", NAMES)
def test_command_has_help_and_an_unknown_option_is_2(
    name: str, run_here: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    code, text, _ = run_here(name, "--help")
    assert code == 0 and f"Usage: ami {name}" in text
    if name in ("extract", "demo"):
        assert max(map(len, text.splitlines())) <= 80 and "bool" not in text
        assert "[s]" in text or name == "demo"
    if name not in ("test", "shell"):
        code, _, error = run_here(name, "--no-such-option")
        assert code == 2 and "no-such-option" in error and len(error.splitlines()) == 1


@pytest.mark.parametrize("command", COMMANDS, ids=NAMES)
def test_help_is_in_short_sentences(command: Command) -> None:
    for part, function in functions(command).items():
        options = inspect.signature(function, eval_str=True).parameters.values()
        helps = [about.help for o in options for about in getattr(o.annotation, "__metadata__", ()) if about.help]
        for text in (inspect.getdoc(function) or "", *helps):
            for sentence in re.split(r"[.:;]\s|, \d|\n\n", text):
                assert len(sentence.split()) < 25, f"ami {command.name} {part}: {sentence}"


def test_help_needs_no_heavy_library() -> None:
    code = (
        "import sys; from ami_ros.cli.commands import COMMANDS; from ami_ros.cli.main import functions\n"
        "for command in COMMANDS:\n"
        "    functions(command)\n"
        "    print(command.name, *{'torch', 'mujoco', 'cv2', 'rclpy'} & set(sys.modules))\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split("\n") == [*NAMES, ""]


def test_unknown_command_is_one_line_and_2() -> None:
    result = ami("fly")
    assert result.returncode == 2
    assert result.stderr == "ami: there is no command 'fly'; see ami --help\n"


def test_a_pose_may_begin_with_a_minus() -> None:
    assert spelled_out(["-1.5,2", "--timeout", "5", "kitchen"]) == [" -1.5,2", "--timeout", "5", "kitchen"]
    for name in ("goto", "patrol"):
        command = find_command(name)
        assert command is not None and command.spelled_out == "cli.driving:spelled_out"
    assert spelled_out(["-.5,2"]) == [" -.5,2"]


def test_error_that_a_user_can_mend_is_one_line_and_2(capsys: pytest.CaptureFixture[str]) -> None:
    def fails() -> None:
        raise AmiError("world 'moon': unknown; use home")

    assert _exit_code(fails) == 2
    assert capsys.readouterr().err == "ami: world 'moon': unknown; use home\n"


def test_interrupt_is_130_after_clean_up() -> None:
    cleaned = []

    def interrupted() -> None:
        try:
            raise KeyboardInterrupt
        finally:
            cleaned.append(True)

    assert _exit_code(interrupted) == 130
    assert cleaned


def test_result_is_the_exit_code() -> None:
    assert _exit_code(lambda: 1) == 1
    assert _exit_code(lambda: None) == 0


def test_bug_keeps_its_traceback() -> None:
    def broken() -> NoReturn:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        with_exit_codes(broken)()


def test_shell_runs_a_command_and_hands_on_its_exit_code() -> None:
    assert ami("shell", "--", "sh", "-c", "exit 7").returncode == 7
    assert ami("shell", "no-such-program").returncode == 2


def test_test_passes_its_arguments_to_pytest_from_any_folder(children: Children, tmp_path: Path) -> None:
    test = tmp_path / "test_here.py"
    test.write_text("def test_one(): pass\ndef test_two(): assert False, 'seen'\n")
    run = children.start(
        sys.executable, "-m", "ami_ros.cli", "test", "test_here.py", "-k", "two", "-n", "0", cwd=tmp_path
    )
    assert run.wait(120) == 1
    assert "1 failed, 1 deselected" in run.output()
    assert f"rootdir: {REPOSITORY}" in run.output()


def test_part_of_a_command_has_its_own_help_and_an_unknown_one_is_2() -> None:
    assert "Usage: ami bench gate" in ami("bench", "gate", "--help").stdout
    unknown = ami("bench", "teapots")
    assert (unknown.returncode, "teapots" in unknown.stderr) == (2, True)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_ends_a_command_through_its_finally_blocks(
    children: Children, number: signal.Signals, code: int
) -> None:
    script = (
        "import sys, time, types\n"
        "from ami_ros.cli.main import run\n"
        "def main():\n"
        "    try:\n"
        "        print('ready', flush=True)\n"
        "        time.sleep(60)\n"
        "    finally:\n"
        "        print('cleaned', flush=True)\n"
        "sys.modules['ami_ros.cli.options'] = types.SimpleNamespace(demo=main)\n"
        "run(['demo'])\n"
    )
    child = children.python("-c", script)
    child.wait_for_output("ready")
    child.send(number)
    assert child.wait() == code
    assert "cleaned" in child.output()


def test_version_quiet_and_verbose_stand_before_the_command() -> None:
    assert ami("--version").stdout == f"ami_ros {version()}\n"
    wrong = ("shell", "no-such-program")
    plain, quiet, verbose = ami(*wrong), ami("-q", *wrong), ami("-v", *wrong)
    assert plain.returncode == quiet.returncode == verbose.returncode == 2
    assert quiet.stderr == plain.stderr and len(plain.stderr.splitlines()) == 1
    assert "Traceback" in verbose.stderr and verbose.stderr.endswith(plain.stderr)


@pytest.mark.parametrize(
    ("line", "found"), [("dr", "drive"), ("goto --time", "--timeout"), ("-q bench bui", "buildings")]
)
def test_completion_knows_commands_options_and_parts(tmp_path: Path, line: str, found: str) -> None:
    script = tmp_path / "completion.sh"
    script.write_text(ami("completion", "bash").stdout)
    words = ["ami", *line.split()]
    code = f"source {script}; COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; _ami; echo ${{COMPREPLY[@]}}"
    result = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == [found], result.stderr


def _exit_code(function: Callable[[], int | None]) -> int:
    with pytest.raises(SystemExit) as exit_info:
        with_exit_codes(function)()
    return int(exit_info.value.code or 0)


CODE = Path(ami_ros.__file__).parent


def test_no_console_makes_emojis_of_names() -> None:
    """`building:office:1` was printed with the picture of an office."""
    found, wrong = 0, []
    for file in sorted(CODE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Console":
                said = {word.arg: ast.unparse(word.value) for word in node.keywords}
                found += 1
                if said.get("emoji") != "False":
                    wrong.append(f"{file.relative_to(CODE)}:{node.lineno}")
    assert found > 10 and not wrong
