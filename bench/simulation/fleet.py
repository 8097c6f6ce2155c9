"""Nodes and replicas of a simulation, and what they cost."""

from dataclasses import dataclass, field
from enum import Enum, auto

from bench.simulation.traces import Task


@dataclass(eq=False)
class Node:
    """Node with one GPU, from its launch to its end."""

    launched: float
    ready: float
    """Moment from which it has the image."""
    spot: bool
    replica: "Replica | None" = None
    ends: float | None = None
    """Moment of its end, once that is known."""
    interrupted: bool = False


class State(Enum):
    """State of a replica."""

    STARTING = auto()
    RUNNING = auto()
    LEAVING = auto()
    GONE = auto()


@dataclass(eq=False)
class Replica:
    """Replica on a node of its own."""

    node: Node
    asked: float
    """Moment when it was wanted."""
    state: State = State.STARTING
    checkpoint: int | None = None
    run: "Run | None" = None


@dataclass(eq=False)
class Run:
    """Run of a task on a replica."""

    task: Task
    began: float
    load: float
    """Seconds of it that load the checkpoint."""
    first: bool = False
    """Flag: its replica had run none before, so that its loading is part of the start."""

    @property
    def ends(self) -> float:
        return self.began + self.load + self.task.seconds


@dataclass
class Ledger:
    """Account of what happened; times in seconds."""

    latencies: list[float] = field(default_factory=list)
    """Seconds from each task's sending to its end."""
    work: float = 0
    """GPU time of the tasks that ended."""
    loading: float = 0
    """GPU time of loading checkpoints for them."""
    lost: float = 0
    """GPU time of runs that were cut off."""
    starting: float = 0
    """Time of nodes whose replica starts."""
    nodes: float = 0
    """Time of all nodes, from launch to end."""
    loads: int = 0
    cuts: int = 0
    """Runs that were cut off."""
    replicas: int = 0
    """Replicas that were started."""
    launches: int = 0
    """Nodes that were launched."""
    at_once: int = 0
    """Most nodes at once."""
    interruptions: int = 0

    @property
    def idle(self) -> float:
        """Time of nodes without a run and without a start."""
        return self.nodes - self.work - self.loading - self.lost - self.starting

    def launched(self, at_once: int) -> None:
        """Note a launch, and how many nodes there are with it."""
        self.launches += 1
        self.at_once = max(self.at_once, at_once)

    def ended(self, run: Run, now: float) -> None:
        """Note that a task has ended."""
        self.latencies.append(now - run.task.sent)
        self.work += run.task.seconds
        self.loading += run.load
        self.loads += bool(run.load)

    def cut(self, run: Run, now: float) -> None:
        """Note that a run was cut off."""
        self.lost += now - run.began
        self.loads += bool(run.load)
        self.cuts += 1

    def paid(self, node: Node, now: float) -> None:
        """Note the end of a node."""
        self.nodes += now - node.launched
