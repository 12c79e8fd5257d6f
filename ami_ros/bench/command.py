"""Run a benchmark. `./ami bench SCENARIO` runs a scenario: a file, or one of scenarios/."""

from __future__ import annotations

from collections.abc import Sequence

from ami_ros.core.installation import packaged

# Each is the function `main` of the module `ami_ros.bench.command_<name>`.
PARTS = ("console", "gate", "latency", "release", "scale", "scenario", "soak")
OWN = ("--set", "--out", "--jobs", "--json", "--options", "--help")  # options of `bench scenario` itself


def spelled_out(arguments: Sequence[str]) -> list[str]:
    """`SCENARIO --key value` as `scenario SCENARIO --set key=value`."""
    first = arguments[0] if arguments else ""
    if first in PARTS or not (first.endswith((".yaml", ".yml")) or first in packaged("scenarios")):
        return list(arguments)
    words, found = iter(arguments[1:]), ["scenario", first]
    for word in words:
        name, equals, value = word.partition("=")
        if word in ("--help", "-h"):
            word = "--options"
        if name.startswith("--") and name not in OWN and word != "--options":
            found += ["--set", f"{name[2:].replace('-', '_')}={value if equals else next(words, '')}"]
        else:
            found.append(word)
    return found
