"""Fewest loads that any router could need: a bound by an integer programme that knows the trace.

Time goes by steps of a second, or of a load where that is less. Each rule of the programme allows
whatever a fleet can do, and more: replicas run as many tasks at once as there are. So no router
needs fewer loads than its optimum.
"""

import math
from collections.abc import Iterable

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array

from bench.routed.outcome import Setup, beyond_p99
from bench.simulation.traces import Tasks

_STEP = 1.0
"""Seconds of a step; in one that is no longer than a load a replica has one checkpoint at most."""
_SLACK = 1e-6
"""Error of the programme's arithmetic."""
_Term = tuple[int, float]
"""Variable, by its number, and its factor."""


def fewest_loads(tasks: Tasks, setup: Setup, most_p99: float, search_seconds: float = 120) -> int:
    """Return how many loads any router needs whose p99 wait is ``most_p99`` at most.

    Replicas have nothing at first. Once the search has taken its time, the most is returned that
    was proved until then.
    """
    programme = _Programme(tasks, setup, most_p99)
    programme.keep_loaded()
    programme.share_replicas()
    programme.begin_in_time()
    return programme.solve(search_seconds)


class _Programme:
    """Integer programme: replicas that have each checkpoint at each step, loads, and late tasks."""

    def __init__(self, tasks: Tasks, setup: Setup, most_p99: float) -> None:
        self._tasks = tasks
        self._setup = setup
        self._wait = most_p99
        self._step_seconds = min(_STEP, setup.load_seconds)
        names = {task.checkpoint for task in tasks}
        self._places = {name: place for place, name in enumerate(sorted(names))}
        """Checkpoints, each with its place among them."""
        self._steps = self._step(tasks[-1].sent + most_p99) + 1
        self._load_steps = self._step(setup.load_seconds)
        self._entries: list[tuple[int, int, float]] = []
        """Row, variable and factor."""
        self._least: list[float] = []
        self._most: list[float] = []

    def keep_loaded(self) -> None:
        """Let replicas have a checkpoint only by a load that ended, or as before."""
        for place in self._places.values():
            for step in range(self._steps):
                terms = [(self._has(place, step), 1.0)]
                if step:
                    terms.append((self._has(place, step - 1), -1.0))
                if step >= self._load_steps:
                    terms.append((self._load(place, step - self._load_steps), -1.0))
                self._bound(terms, most=0)

    def share_replicas(self) -> None:
        """Let each replica have one checkpoint in a step, and none in those that a load fills."""
        for step in range(self._steps):
            since = max(step - self._load_steps + 1, 0)
            terms = [
                (variable, 1.0)
                for place in self._places.values()
                for variable in (
                    self._has(place, step),
                    *(self._load(place, begun) for begun in range(since, step)),
                )
            ]
            self._bound(terms, most=self._setup.replicas)

    def begin_in_time(self) -> None:
        """Let a replica have each task's checkpoint within its wait, but for those beyond p99."""
        for number, task in enumerate(self._tasks):
            steps = range(self._step(task.sent), self._step(task.sent + self._wait) + 1)
            place = self._places[task.checkpoint]
            terms = [(self._has(place, step), 1.0) for step in steps]
            self._bound([*terms, (self._late(number), 1.0)], least=1)
        late = [(self._late(number), 1.0) for number in range(len(self._tasks))]
        self._bound(late, most=beyond_p99(len(self._tasks)))

    def solve(self, search_seconds: float) -> int:
        """Search for the fewest loads; return the most that they are proved to be at least."""
        rows, variables, factors = zip(*self._entries, strict=True)
        size = self._late(len(self._tasks))
        matrix = coo_array((factors, (rows, variables)), shape=(len(self._least), size))
        cost, most = np.zeros(size), np.full(size, self._setup.replicas)
        cost[self._load(0, 0) : self._late(0)] = 1
        most[self._late(0) :] = 1
        found = milp(
            cost,
            integrality=np.ones(size),
            bounds=Bounds(0, most),
            constraints=LinearConstraint(matrix.tocsc(), self._least, self._most),
            options={"time_limit": search_seconds},
        )
        # A task that is late needs its checkpoint, too.
        return max(math.ceil((found.mip_dual_bound or 0) - _SLACK), len(self._places))

    def _has(self, place: int, step: int) -> int:
        return place * self._steps + step

    def _load(self, place: int, step: int) -> int:
        """Number the variable of loads that begin in a step."""
        return (len(self._places) + place) * self._steps + step

    def _late(self, number: int) -> int:
        return 2 * len(self._places) * self._steps + number

    def _bound(
        self, terms: Iterable[_Term], least: float = -math.inf, most: float = math.inf
    ) -> None:
        row = len(self._least)
        self._entries.extend((row, variable, factor) for variable, factor in terms)
        self._least.append(least)
        self._most.append(most)

    def _step(self, moment: float) -> int:
        return int(moment / self._step_seconds)
