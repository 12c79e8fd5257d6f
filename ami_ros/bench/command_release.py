"""`ami bench release`: the scenarios of the page of figures, one after the other, for as long as it takes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ami_ros.core.errors import AmiError

if TYPE_CHECKING:
    from ami_ros.bench.scenario import Scenario


LIST = "release"  # the file in scenarios/ that names them
MOST = 15  # rows of the page
LOGS = "logs"  # the scenario that reads recordings, which the repository has none of
PAGE = Path("docs", "figures.md")
HEADER = ("what", "figure", "command", "measured")
INTRODUCTION = """# Figures

`./ami bench release --out FOLDER` drives the scenarios below, one after the other, and writes this page. It can be
interrupted, goes on where it was, and takes trials that other machines have put into the folder. Each row comes from
one commit; "commits ago" says how many have followed it when the page was written. A row that the folder has no trials
of stays as it was measured, until its scenario changes.

Reached means: the robot claims success, stands still, and the simulator knows it to be within 0.30 m and 30 degrees of
where the picture was taken, in time. Intervals are Wilson's, 95 %; of zero the upper bound is given, rounded up. Nobody
looked at the seeds before, and none is chosen afterwards. Rates of fewer than 100 trials are marked *few*.

What a scenario drives and measures stands in its file in the folder `scenarios`. `./ami bench NAME` drives one of them,
`--set` changes it, and `--out` keeps its trials as JSON lines. A scenario of your own: `./ami bench FILE.yaml`.
"""


def main(
    out: Annotated[Path, typer.Option(help="Folder for the trials, of all machines and days.")],
    jobs: Annotated[int, typer.Option(help="Processes side by side, one thread each.", min=1, max=256)] = 1,
    logs: Annotated[str, typer.Option(help="Folder with CARMEN logs, which the scenario logs needs.")] = "",
    only: Annotated[str, typer.Option(help="Only these scenarios, with commas between.")] = "",
    page_only: Annotated[bool, typer.Option("--page-only", help="Drive nothing; write the page.")] = False,
) -> None:
    """Measure all that docs/figures.md shows, at the checked-out commit, and write that page."""
    from rich.console import Console

    from ami_ros.bench.command_scenario import drive, show
    from ami_ros.bench.scenario import TrialStore

    console, scenarios = Console(emoji=False, highlight=False), released(logs)
    wanted = [name.strip() for name in only.split(",") if name.strip()]
    if unknown := set(wanted) - {scenario.name for scenario in scenarios}:
        raise AmiError(f"bench release: {unknown.pop()} is not in scenarios/{LIST}.yaml")
    for scenario in scenarios:
        if page_only or (wanted and scenario.name not in wanted):
            continue
        store = TrialStore(out, scenario)
        if store.at.endswith("-changed"):
            raise AmiError("bench release: the code has changes that are not committed; figures belong to a commit")
        console.print(f"{scenario.name}: {scenario.about}", soft_wrap=True)
        try:
            drive(store, jobs, console)
        except AmiError as error:  # of one scenario: the others go on
            console.print(f"{scenario.name}: {error}", style="yellow", soft_wrap=True)
            continue
        show(store, scenario.figures(store.rows()), console)
        _write(scenarios, out)
    _write(scenarios, out)
    console.print(f"{PAGE} is written", soft_wrap=True)


def released(logs: str = "") -> list[Scenario]:
    """The scenarios of the page, that of logs with their folder. Raises AmiError: the list or one of them cannot be
    read, or it is too long."""
    import yaml

    from ami_ros.bench.scenario import FOLDER, load_scenario
    from ami_ros.core.config import parse_yaml
    from ami_ros.core.installation import share

    try:
        names = parse_yaml(share(FOLDER, f"{LIST}.list").read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise AmiError(f"bench release: the list of scenarios cannot be read: {error}") from error
    if not isinstance(names, list) or not 0 < len(names) <= MOST:
        raise AmiError(f"bench release: the list has to name 1 to {MOST} scenarios")
    return [load_scenario(str(name), [f"folder={logs}"] if name == LOGS and logs else []) for name in names]


def _write(scenarios: Sequence[Scenario], folder: Path) -> None:
    from ami_ros.bench.scenario import REPOSITORY

    path = REPOSITORY / PAGE
    path.write_text(page(scenarios, folder, path.read_text(encoding="utf-8")), encoding="utf-8")


def page(scenarios: Sequence[Scenario], folder: Path, before: str = "") -> str:
    """docs/figures.md: of each scenario the newest commit at which it was measured in whole, by the trials in `folder`,
    else by the page `before`."""
    rows: list[Sequence[str]] = []
    for scenario in scenarios:
        store = newest(scenario, folder)
        if store is None:
            nothing = scenario.about, "not measured yet", f"`./ami bench {scenario.name}`", ""
            rows.append(kept(scenario, before) or nothing)
            continue
        figures = [f for f in scenario.figures(store.rows()) if f.measure.headline]
        words = "; ".join(f"{f.name}: {f}{' *few*' if f.rate and f.n < 100 else ''}" for f in figures)
        rows.append((scenario.about, words, f"`./ami bench {scenario.name}`", measured(store.at, store.head())))
    return f"{INTRODUCTION}\n{table(HEADER, rows)}\n"


def kept(scenario: Scenario, page: str) -> Sequence[str] | None:
    """The row of a scenario on a page of before, with how old it is now; None: it has none, or the scenario has changed
    since."""
    from ami_ros.bench.scenario import FOLDER, git

    for line in page.splitlines():
        cells = [cell.replace("\\|", "|").replace("\\<", "<") for cell in re.split(r" (?<!\\)\| ", line[2:-2])]
        if len(cells) == len(HEADER) and cells[2] == f"`./ami bench {scenario.name}`" and cells[3]:
            at, when = re.split(r", (?=\d{4}-)", cells[3], maxsplit=1)
            at = at.partition(",")[0]
            if git("diff", "--name-only", at, "HEAD", "--", f"{FOLDER}/{scenario.name}.yaml") == "":
                return (*cells[:3], f"{at}{_age(at)}, {when}")
    return None


def newest(scenario: Scenario, folder: Path) -> Any:
    """The trials at the newest commit that has all of them; None: there is none, or it is not said what they are of."""
    from ami_ros.bench.scenario import TrialStore

    try:
        scenario.made().parts()
    except AmiError:
        return None
    stores = [TrialStore(folder, scenario, at.name) for at in (folder / scenario.name).glob("*") if at.is_dir()]
    whole = [store for store in stores if not store.at.endswith("-changed") and not store.missing()]
    return max(whole, key=lambda store: str(store.head()["date"]), default=None)


def measured(at: str, head: dict[str, Any]) -> str:
    """Commit, date, machine, and how old that is."""
    return f"{at}{_age(at)}, {str(head['date'])[:10]}, {head['cores']} cores of {head['processor']}"


def _age(at: str) -> str:
    from ami_ros.bench.scenario import git

    ago = git("rev-list", "--count", f"{at}..HEAD")
    return "" if ago is None else ", this commit" if ago == "0" else f", {ago} commits ago"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; what would end a cell or begin a tag is escaped."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(_escaped, line))} |" for line in lines)


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("<", "\\<")
