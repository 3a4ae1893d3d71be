"""One round: a run on the cluster, faults at their moments, the command again where it was ended.

Comes in: a `Ground` (cluster, inputs, what an undisturbed run makes of them) and what is to go
wrong. Goes out: a `Round` with what was done when, how long the run took to get over it, and
everything that was not as it must be.
"""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.chaos import paced
from benchmarks.chaos.faults import BUCKET, DRIVERS, LOSSES, Fault
from benchmarks.chaos.looks import (
    Output,
    Wanted,
    counts_add_up,
    nothing_is_left,
    tree_is_the_same,
)
from benchmarks.chaos.weather import FINE, Weather
from benchmarks.kill import Watcher, wait_for
from benchmarks.nodes import Cluster, Node

COMMAND = (sys.executable, "-c", "from raypipe.cli import main; main()", "enhance")
MODEL = "python:benchmarks.chaos.paced:recurrent"
SETTINGS = ("--model", MODEL, "--lanes", "4", "--segment", "2", "--quiet")
RUN_S = 150.0
"""A run that has not ended by then hangs."""
END_S = 30.0
"""A run that is told to end must have done so by then."""
SETTLED_S = 60.0
"""By then Ray must have noticed which nodes are gone, and have all CPUs of the others back."""
ACTOR_S = 20.0
"""So long a fault waits for a process that it can strike."""
MOST_RUNS = 6
ENDED = (0, 1)
"""Exit codes of a run that went to its end: 1, as two files cannot be done."""
INTERRUPTED = 130
DEAF_S = 5.0
"""Python may need so long, on a busy machine, until raypipe hears of signals."""


@dataclass(frozen=True)
class Ground:
    """What stays the same over the rounds."""

    cluster: Cluster
    inputs: str
    """Path or address."""
    log: Path
    """Where the model keeps its account."""
    wanted: Wanted
    weather: Weather | None = None
    """On the way to the bucket, where there is one."""


@dataclass
class Strike:
    """A fault that happened."""

    fault: Fault
    at_s: float
    """Monotonic clock."""
    where: str
    """Address of the node, and the process where one was killed."""
    recovery_s: float | None = None
    """From the fault to the next published file; None where none came after it."""
    pause_s: float = 0.0
    """The longest time without a published file, until the next fault."""


@dataclass
class Round:
    """What one round has shown."""

    begin_s: float
    strikes: list[Strike] = field(default_factory=list)
    missed: list[Fault] = field(default_factory=list)
    """Faults whose moment did not come before the run was over."""
    codes: list[int] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0
    stepped_s: float = 0.0
    twice_s: float = 0.0
    """Seconds of sound, all lanes, stepped beyond what an undisturbed run steps."""
    rewritten: int = 0
    """Files published twice, with the same bytes both times."""


class Driver:
    """The command, on the head, as often as it takes."""

    def __init__(self, ground: Ground, output: Output, *more: str) -> None:
        self._ground, self._output, self._more = ground, output, more
        self.codes: list[int] = []
        self.faults: list[str] = []
        self.start()

    def start(self) -> None:
        """Give the command."""
        self.begin_s = time.monotonic()
        # `ip netns exec` becomes the command, so that the process is the driver itself.
        self.process = self._ground.cluster.head.run(
            *COMMAND, self._ground.inputs, self._output.address, "--executor", "ray",
            "--address", self._ground.cluster.address, *SETTINGS, *self._more,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        self._said: list[str] = []
        self._ear = threading.Thread(target=self._hear, args=(self.process,), daemon=True)
        self._ear.start()

    def _hear(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        with process.stderr:
            self._said.extend(process.stderr)

    @property
    def over(self) -> bool:
        """True once the command has ended."""
        return self.process.poll() is not None

    def end(self, timeout_s: float, *expected: int) -> None:
        """Wait for its end; another than the expected is a fault."""
        try:
            code = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.faults.append(f"the run did not end in {timeout_s:g} s")
            self.process.kill()
            code = self.process.wait()
        self._ear.join(5)
        said = "".join(self._said)
        self.codes.append(code)
        if code not in expected:
            self.faults.append(f"the run ended with {code}: {said[-600:].strip()}")
        elif "Traceback" in said:
            self.faults.append(f"traceback: {said[-2000:].strip()}")


def one_round(ground: Ground, output: Output, faults: list[Fault], *more: str) -> Round:
    """Run, break things, run again where needed, look."""
    result = Round(time.monotonic())
    watcher = Watcher(output, ground.wanted.tree)
    watcher.start()
    hands = Hands(ground.cluster, ground.weather)
    driver = Driver(ground, output, *more)
    try:
        for fault in faults:
            if not _moment(fault, watcher, driver):
                result.missed.append(fault)
                continue
            where = hands.strike(fault, driver)
            if where is None:
                result.missed.append(fault)
                continue
            result.strikes.append(Strike(fault, hands.struck_s, where))
            if fault.kind in DRIVERS:
                driver.end(END_S, *_endings(fault, hands.struck_s - driver.begin_s))
                driver.start()
        driver.end(RUN_S, *ENDED)
        while driver.codes[-1] not in ENDED and len(driver.codes) < MOST_RUNS:
            driver.start()
            driver.end(RUN_S, *ENDED)
    finally:
        if not driver.over:
            driver.process.kill()
            driver.process.wait()
        hands.rest()
        watcher.stop()
    end_s = time.monotonic()
    _times(result, watcher.times_s)
    result.codes, result.seconds = driver.codes, end_s - result.begin_s
    result.faults = [*driver.faults, *watcher.faults]
    result.faults += tree_is_the_same(output, ground.wanted)
    result.faults += counts_add_up(output, ground.wanted)
    result.faults += nothing_is_left(ground.cluster, output)
    result.rewritten = len(watcher.rewritten)
    if result.rewritten and not hands.has_cut:
        result.faults.append(f"published twice: {', '.join(sorted(set(watcher.rewritten)))}")
    stepped = (c.sound_s for c in paced.calls(ground.log) if c.at_s >= result.begin_s)
    result.stepped_s = sum(stepped)
    result.twice_s = result.stepped_s - ground.wanted.stepped_s
    return result


def _endings(fault: Fault, after_s: float) -> tuple[int, ...]:
    """Exit codes of a driver that was struck so long after its start."""
    if fault.kind == "driver":
        return (-signal.SIGKILL,)
    return (INTERRUPTED, -signal.SIGTERM) if after_s < DEAF_S else (INTERRUPTED,)


def _moment(fault: Fault, watcher: Watcher, driver: Driver) -> bool:
    """Wait for the fault's moment; False where the run is over before."""
    came = wait_for(lambda: watcher.count >= fault.after or driver.over, RUN_S)
    if came and not driver.over:
        time.sleep(fault.delay_s)
    return came and not driver.over


def _times(result: Round, published_s: list[float]) -> None:
    """How long each fault kept files from being published, up to the first one after the next."""
    struck_s = [strike.at_s for strike in result.strikes]
    for strike, end_s in zip(result.strikes, [*struck_s[1:], float("inf")], strict=False):
        later = sorted(at_s for at_s in published_s if at_s > strike.at_s)
        strike.recovery_s = later[0] - strike.at_s if later else None
        before = sum(at_s <= end_s for at_s in later)
        steps = [strike.at_s, *later[: before + 1]]
        strike.pause_s = max((b - a for a, b in itertools.pairwise(steps)), default=0.0)


class Hands:
    """Do to a cluster what a fault says; what passes by itself is undone by a timer."""

    def __init__(self, cluster: Cluster, weather: Weather | None) -> None:
        self._cluster, self._weather = cluster, weather
        self._timers: list[threading.Thread] = []
        self.struck_s = 0.0
        self.has_cut = False
        """True once a node's processes may have gone on though the run had given them up."""

    def strike(self, fault: Fault, driver: Driver) -> str | None:
        """Give where it struck; None where there was nothing to strike."""
        if fault.kind in DRIVERS:
            self.struck_s = time.monotonic()
            number = signal.SIGKILL if fault.kind == "driver" else signal.SIGTERM
            driver.process.send_signal(number)
            return self._cluster.head.address
        if fault.kind in BUCKET:
            return self._spoil(fault)
        if fault.kind == "join":
            self._later(0.0, lambda: str(self._cluster.join()))
            self.struck_s = time.monotonic()
            return "a new node"
        if fault.kind in ("worker", "collector"):
            return self._kill_one(fault, driver)
        fewest = 2 if fault.kind in LOSSES else 1
        nodes = healthy(self._cluster)
        if len(nodes) < fewest and any(timer.is_alive() for timer in self._timers):
            wait_for(lambda: len(healthy(self._cluster)) >= fewest or driver.over, ACTOR_S)
            nodes = healthy(self._cluster)
        if len(nodes) < fewest or driver.over:
            return None
        node = nodes[fault.pick % len(nodes)]
        self.struck_s = time.monotonic()
        {
            "raylet": node.kill_raylet,
            "power": node.power_off,
            "cut": node.cut,
            "outage": node.cut,
            "blink": node.cut,
        }[fault.kind]()
        self.has_cut |= fault.kind in ("cut", "outage", "blink")
        if fault.kind in ("outage", "blink"):
            self._later(fault.lasting_s, node.heal)
        return node.address

    def _spoil(self, fault: Fault) -> str | None:
        weather = self._weather
        if weather is None:
            return None
        self.struck_s = time.monotonic()
        weather.now = fault.kind
        self._later(fault.lasting_s, lambda: setattr(weather, "now", FINE))
        return f"the bucket, for {fault.lasting_s:.1f} s"

    def _kill_one(self, fault: Fault, driver: Driver) -> str | None:
        found: list[tuple[Node, psutil.Process]] = []

        def look() -> bool:
            nodes = [*self._cluster.workers, self._cluster.head]
            found[:] = [(n, p) for n in nodes if n.online for p in n.actors(fault.kind)]
            return bool(found) or driver.over

        wait_for(look, ACTOR_S)
        if not found:
            return None
        node, process = found[fault.pick % len(found)]
        self.struck_s = time.monotonic()
        process.kill()
        return f"{node.address}, process {process.pid}"

    def _later(self, seconds: float, what: Callable[[], object]) -> None:
        def wait_and_do() -> None:
            time.sleep(seconds)
            what()

        self._timers.append(threading.Thread(target=wait_and_do))
        self._timers[-1].start()

    def rest(self) -> None:
        """Wait for what is still to pass."""
        for timer in self._timers:
            timer.join()


def healthy(cluster: Cluster) -> list[Node]:
    """Worker nodes on which a run can go on."""
    return [node for node in cluster.workers if node.healthy]


def repair(cluster: Cluster, fewest: int, most: int) -> list[str]:
    """Remove the nodes that were lost, and start or end some, for the next round.

    Returns
    -------
    list of str
        What Ray still holds for a run that is over.
    """
    end_s = time.monotonic() + SETTLED_S
    while True:
        # Each time anew: a node that Ray has given up ends by itself, only later.
        good = healthy(cluster)
        for node in [n for n in cluster.workers if n not in good] + good[most:]:
            cluster.remove(node)
        while len(cluster.workers) < fewest:
            cluster.join()
        wanted = {cluster.head.address, *(node.address for node in cluster.workers)}
        facts = cluster.facts()
        if set(facts["alive"]) == wanted and facts["free"] == facts["cpus"]:
            return []
        if time.monotonic() > end_s:
            break
    held = facts["cpus"] - facts["free"]
    return [f"after the round Ray has {facts['alive']}, and {held:g} CPUs are still held"]
