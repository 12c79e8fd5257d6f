"""Run a benchmark. `./ami bench SCENARIO` runs a scenario: a file, or one of scenarios/."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ami_ros.core.installation import packaged

Json = Annotated[Path | None, typer.Option(help="JSON file to write the figures to. Its keys have units.")]
Domain = Annotated[int | None, typer.Option(help="ROS domain. Default: ROS_DOMAIN_ID, or a free one.")]
Jobs = Annotated[int, typer.Option(help="Processes side by side, one thread each.", min=1, max=256)]


def spelled_out(arguments: Sequence[str]) -> list[str]:
    """`SCENARIO --key value` as `scenario SCENARIO --set key=value`."""
    first, own = arguments[0] if arguments else "", ("--set", "--out", "--jobs", "--json", "--options")
    if first in PARTS or not (first.endswith((".yaml", ".yml")) or first in packaged("scenarios")):
        return list(arguments)
    words, found = iter(arguments[1:]), ["scenario", first]
    for word in words:
        name, equals, value = word.partition("=")
        if word in ("--help", "-h"):
            found.append("--options")
        elif name.startswith("--") and name not in own:
            found += ["--set", f"{name[2:].replace('-', '_')}={value if equals else next(words, '')}"]
        else:
            found.append(word)
    return found


def scenario(
    scenario: Annotated[str, typer.Argument(help="A file, or the name of one in scenarios/.")],
    recordings: Annotated[
        list[str] | None, typer.Argument(help="Of kinds that measure recordings: the file, or folders.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="key=value: seed, seeds, an option of its kind, or agent... of the stack."),
    ] = None,
    options: Annotated[bool, typer.Option("--options", help="Say what it is, and list its options.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the trials; a run that was interrupted goes on there.")
    ] = None,
    jobs: Jobs = 1,
    json: Annotated[Path | None, typer.Option(help="File for the figures.")] = None,
) -> None:
    """Run a scenario. docs/figures.md explains its file. Each trial is a line in a file below --out.

    Any --KEY VALUE stands for --set KEY=VALUE, as in ./ami bench people --speed 1.0 --goals 4."""
    import tempfile

    from ami_ros.bench.report import figures_by_arm, write_json
    from ami_ros.bench.run import drive, explain, of_recordings, show
    from ami_ros.bench.scenario import TrialStore, load_scenario

    console = _console()
    loaded = load_scenario(scenario, [*(set_ or []), *of_recordings(scenario, recordings or [])])
    if options:
        console.print(explain(loaded), soft_wrap=True, markup=False)
        return
    with tempfile.TemporaryDirectory(prefix="ami_bench_") as scratch:
        store = TrialStore(out or Path(scratch), loaded)
        drive(store, jobs, console)
        figures = loaded.figures(store.rows())
        show(store, figures, console)
        if json is not None:
            found = [figure.to_json() for figure in figures]
            seeds = {"seed": loaded.seed, "seeds": loaded.seeds}
            write_json(json, figures_by_arm(store.rows()) | {"figures": found} | loaded.settings | seeds | store.head())


def release(
    out: Annotated[Path, typer.Option(help="Folder for the trials, of all machines and days.")],
    jobs: Jobs = 1,
    logs: Annotated[str, typer.Option(help="Folder with CARMEN logs, which the scenario logs needs.")] = "",
    only: Annotated[str, typer.Option(help="Only these scenarios, with commas between.")] = "",
    page_only: Annotated[bool, typer.Option("--page-only", help="Drive nothing; write page and chart.")] = False,
) -> None:
    """Measure the version that scenarios/release.list names, and write docs/figures.md."""
    from ami_ros.bench.release import load_release, measure, write_page

    if page_only:
        write_page(load_release())
    else:
        measure(out, jobs, logs, [name.strip() for name in only.split(",") if name.strip()], _console())


def gate(
    minutes: Annotated[float, typer.Option(help="How long to go on.", min=0.01, max=10_000)] = 1.0,
    seed: Annotated[int, typer.Option(help="Of the first drive.", min=0)] = 0,
    json: Json = None,
) -> None:
    """Drive robots at obstacles through the safety gate, with commands that mean harm, and count contacts.

    Each drive draws a robot with the dead time, lag and braking that docs/safety.md allows. Its laser of 2 to 40 Hz is
    late, drops scans, dies or is covered. There are zones and keep-out areas."""
    from ami_ros.bench.gate_trials import drive_for
    from ami_ros.bench.report import hardware, write_json
    from ami_ros.core.errors import AmiError

    figures, broke = drive_for(60 * minutes, seed, _console())
    if json is not None:
        write_json(json, figures | {"minutes": minutes, "seed": seed} | hardware())
    if broke:
        raise AmiError("the gate did not keep its word; the lines above say how")


def latency(
    minutes: Annotated[float, typer.Option(help="Of driving.", min=0.05, max=1440.0)] = 10.0,
    load: Annotated[
        bool, typer.Option("--load", help="Another program keeps each core busy meanwhile, at usual priority.")
    ] = False,
    world: Annotated[str, typer.Option(help="A world that comes with the package, or a world file.")] = "home",
    robot: Annotated[
        str | None, typer.Option(help="Robot in config/robots, or its file. Default: one that fits the model.")
    ] = None,
    model: Annotated[
        Path | None, typer.Option(help="Folder of the model. Default: the shipped one that fits the robot.")
    ] = None,
    memory: Annotated[Path | None, typer.Option(help="Memory of this world; else the one beside the model.")] = None,
    composed: Annotated[bool, typer.Option("--composed", help="Run all nodes of the stack in one process.")] = False,
    one_core: Annotated[bool, typer.Option("--one-core", help="Stack, simulator and bench share one core.")] = False,
    seed: Annotated[int, typer.Option(help="Random seed of start, goals and noise.", min=0)] = 0,
    domain_id: Domain = None,
    json: Json = None,
) -> None:
    """Drive from goal to goal with the real stack, and measure when commands come.

    Image to command is the time from an image's stamp to the first command that was decided on it, on the robot's
    clock. Gaps between commands are measured on the steady clock and on the robot's. The first goals are
    driven again in simulated time, as benches do.
    """
    from ami_ros.bench.latency import measure

    asked = {
        "world": world, "robot": robot, "model": model, "memory": memory, "seed": seed, "composed": composed,
        "domain_id": domain_id,
    }  # fmt: skip
    measure(asked, 60 * minutes, load, one_core, json, _console())


def scale(
    places: Annotated[int, typer.Option(help="Of the largest map.", min=100, max=1_000_000)] = 10_000,
    driven: Annotated[
        int, typer.Option(help="Places that are driven; larger maps are copies of these.", min=100)
    ] = 1000,
    scans: Annotated[int, typer.Option(help="That are timed in each map.", min=10)] = 600,
    area: Annotated[
        float, typer.Option(help="Of the map in which it chooses where to explore [m²].", min=20.0)
    ] = 2000.0,
    seed: Annotated[int, typer.Option(help="Of buildings, drive, wheels and questions.", min=0)] = 0,
    scratch: Annotated[Path | None, typer.Option(help="Folder on the disk to measure; else one of temp files.")] = None,
    chart: Annotated[Path | None, typer.Option(help="PNG of time and memory over places.")] = None,
    json: Annotated[Path | None, typer.Option(help="File for the figures.")] = None,
) -> None:
    """Drive through large buildings with a laser-only memory, and time its parts."""
    from ami_ros.bench.report import hardware, write_json
    from ami_ros.bench.scale import measure_all

    figures = measure_all(places, min(driven, places), scans, area, seed, scratch, chart, _console())
    if json is not None:
        write_json(json, {"seed": seed, "driven": min(driven, places)} | figures | {"hardware": hardware()})


def soak(
    minutes: Annotated[float, typer.Option(help="How long to go on.", min=0.1, max=10_000)] = 60.0,
    seed: Annotated[int, typer.Option(help="Of what happens.", min=0)] = 0,
    domain_id: Domain = None,
    json: Json = None,
) -> None:
    """Run the nodes as processes around a simple simulated robot, and look for unsafe commands and leaks.

    It sends goals, replaces and cancels them, drops all sensors, and at first kills nodes. A command is unsafe if it is
    not finite, over a limit, or not zero while a node is missing. Memory, threads and descriptors are compared over the
    time without kills."""
    from ami_ros.bench.report import hardware, write_json
    from ami_ros.bench.soak import soak, verdict
    from ami_ros.core.errors import AmiError

    console = _console()
    figures = soak(60 * minutes, seed, domain_id)
    for name, value in figures.items():
        console.print(f"{name:36} {value}", soft_wrap=True)
    if json is not None:
        write_json(json, figures | {"minutes": minutes, "seed": seed} | hardware())
    kept = verdict(figures, lambda line: console.print(line, soft_wrap=True))
    if broken := [name for name, is_kept in kept.items() if not is_kept]:
        raise AmiError(f"the stack did not keep its word: {', '.join(broken)}")


def console(
    seconds: Annotated[float, typer.Option(help="To measure each of the two.", min=1.0, max=600.0)] = 20.0,
    world: Annotated[str, typer.Option(help="A world, a world file, or building:SEED.")] = "home",
    domain_id: Annotated[int, typer.Option(help="ROS domain of the simulated robot.", min=0, max=101)] = 77,
    json: Annotated[Path | None, typer.Option(help="File for the figures.")] = None,
) -> int:
    """Measure the processor time of ./ami console while a simulated robot explores.

    Exit code: 0 if it stays below 5 % of one core with nobody looking and 15 % with one page, 1 if not.
    """
    from ami_ros.bench.console import measure_started
    from ami_ros.bench.report import write_json

    figures = measure_started(world, domain_id, seconds)
    idle, viewed = figures["idle_percent"], figures["viewed_percent"]
    typer.echo(f"console: {idle:.1f} % of one core with nobody looking, {viewed:.1f} % with one page")
    got = figures["messages_per_s"], figures["kb_per_s"], figures["rss_mb"]
    typer.echo("the page got {:.1f} messages and {:.0f} kB a second; the process has {:.0f} MB".format(*got))
    if json is not None:
        write_json(json, figures)
    return int(idle > 5.0 or viewed > 15.0)


def _console() -> Any:
    from rich.console import Console

    return Console(emoji=False, highlight=False)


PARTS = {
    "console": console, "gate": gate, "latency": latency, "release": release, "scale": scale, "scenario": scenario,
    "soak": soak,
}  # fmt: skip
