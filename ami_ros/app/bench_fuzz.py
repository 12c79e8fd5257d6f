"""`ami bench fuzz`: files that somebody broke, read for as long as one likes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def main(
    minutes: Annotated[float, typer.Option(help="How long to go on.", min=0.01, max=10_000)] = 1.0,
    seed: Annotated[int, typer.Option(help="Of the changes.", min=0)] = 0,
    out: Annotated[Path, typer.Option(help="Folder for the files that did harm.")] = Path("fuzz"),
) -> None:
    """Break memories, worlds, robots, models, missions, bags and pictures, and read them: each is refused in one line,
    or read without a wrong value. What is not is kept, with its traceback."""
    import tempfile
    import time
    from collections import Counter

    import numpy as np
    from rich.console import Console

    from ami_ros.errors import AmiError
    from ami_ros.evaluation.fuzz import fuzz, targets

    console, began, rng = Console(emoji=False, highlight=False), time.monotonic(), np.random.default_rng(seed)
    tried: Counter[str] = Counter()
    found = 0
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder, console.status("reading") as status:
        kinds = targets(Path(folder))
        while time.monotonic() - began < 60 * minutes:
            for kind in kinds:
                tried[kind.name] += 1
                if finding := fuzz(kind, Path(folder), rng):
                    found += 1
                    out.mkdir(parents=True, exist_ok=True)
                    (out / f"{found}-{kind.name}").write_bytes(finding.content)
                    (out / f"{found}-{kind.name}.txt").write_text(finding.what)
                    console.print(f"{kind.name}: {finding.what.strip().splitlines()[-1]}", soft_wrap=True, markup=False)
            status.update(f"{tried.total()} files")
    for name, count in tried.items():
        console.print(f"{name:24} {count}")
    console.print(f"{'did harm':24} {found}")
    if found:
        raise AmiError(f"{found} of {tried.total()} broken files did harm: they are in {out}")
