"""When the machine itself stood still: hosts of virtual machines take the processors away now and then.

A late command means something else if at that moment a processor ran nothing at all. On each one a watch of its own
process asks to be woken every few milliseconds, at the highest priority that it gets, and notes when it was not.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field

# Nothing is imported that could collect garbage, lock or wait for a disk: what is late is then the machine.
_WATCH = """
import os, signal, time
asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(True))
os.sched_setaffinity(0, [{core}])
try:
    os.setpriority(os.PRIO_PROCESS, 0, -20)
    open("/proc/self/autogroup", "w").write("-20")
except OSError:
    pass
before = time.monotonic()  # a pause may begin as soon as it is known to watch
print("watching", flush=True)
looking = True
while looking:
    looking = not asked and os.getppid() == {parent}  # once more when asked to end: a pause may be just over
    time.sleep({period})
    now = time.monotonic()
    if now - before > {period} + {least}:
        print(before, now, flush=True)
    before = now
"""

PERIOD = 0.005  # [s] between two looks
LEAST = 0.03  # [s] of lateness from which a processor counts as away
LAST_LOOK = 10.0  # [s] a watch gets to tell of a pause that it is in at the end

Interval = tuple[float, float]  # start, end [s] on the steady clock, `time.monotonic`: one for all processes


@dataclass
class MachinePauses:
    """Context that watches the machine.

    Attributes:
        pauses: when at least one processor was away, in order and apart from each other; known once it has ended.
    """

    pauses: list[Interval] = field(default_factory=list)

    def __enter__(self) -> MachinePauses:
        self._watches = [_watch(core) for core in sorted(os.sched_getaffinity(0))]
        for watch in self._watches:
            assert watch.stdout is not None
            watch.stdout.readline()
        return self

    def __exit__(self, *_: object) -> None:
        for watch in self._watches:
            watch.terminate()
        seen = [line.split() for watch in self._watches for line in _last_words(watch).splitlines()]
        self.pauses = union([(float(pair[0]), float(pair[1])) for pair in seen if len(pair) == 2])

    @property
    def longest(self) -> float:
        """[s]; 0 without any."""
        return max((end - start for start, end in self.pauses), default=0.0)

    def within(self, gap: Interval) -> float:
        """How much of `gap` they take [s]."""
        return sum(max(0.0, min(end, gap[1]) - max(start, gap[0])) for start, end in self.pauses)


def union(intervals: list[Interval]) -> list[Interval]:
    """The same moments as intervals in order that do not overlap."""
    merged: list[Interval] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def _watch(core: int) -> subprocess.Popen[str]:
    code = _WATCH.format(core=core, parent=os.getpid(), period=PERIOD, least=LEAST)
    command = [sys.executable, "-I", "-S", "-c", code]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)


def _last_words(watch: subprocess.Popen[str]) -> str:
    try:
        return watch.communicate(timeout=LAST_LOOK)[0]
    except subprocess.TimeoutExpired:  # its processor is still away
        watch.kill()
        return watch.communicate()[0]
