"""Run of a simulation: discrete events, until all tasks have ended and what may go has gone."""

import heapq
import math
from collections.abc import Callable
from functools import partial
from itertools import count
from random import Random

from bench.simulation.fleet import Ledger, Node, Replica, Run, State
from bench.simulation.measures import Measures
from bench.simulation.policies import Policy
from bench.simulation.router import Router
from bench.simulation.traces import HOUR, Task, Tasks
from bench.simulation.world import World
from deployments.autoscaling.starts import Starts
from deployments.scaling import Observed
from models.fleet import Demand

_LATEST = 24 * HOUR
"""Seconds after the end within which all must have ended."""


class Unended(Exception):
    """Tasks come to no end."""


class Simulation:
    """Fleet of one runtime that follows a trace by a policy.

    ``end``: seconds until which the policy is asked though no task is there; 0: from the first task
    to the last one's end.
    """

    def __init__(
        self,
        tasks: Tasks,
        policy: Policy,
        router: Router,
        world: World,
        random: Random,
        *,
        end: float = 0,
    ) -> None:
        self.ledger = Ledger()
        self.ended = 0.0
        """Moment at which a task ended last."""
        self._tasks = tasks
        self._policy = policy
        self._router = router
        self._world = world
        self._random = random
        self._end = end
        self._now = 0.0
        self._measures = Measures()
        self._starts = Starts()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._nodes: set[Node] = set()
        self._replicas: list[Replica] = []  # those that count, oldest first
        self._free: list[Replica] = []
        self._moments = set[float]()
        """Moments at which the router chooses anew by itself."""
        self._runs = 0
        self._target = 0
        self._looks = False

    def run(self) -> Ledger:
        """Follow the trace to its end, and until nodes have gone that the policy does not keep.

        Raises:
            Unended: a day later tasks still wait or run.
        """
        for task in self._tasks:
            self._at(task.sent, partial(self._come, task))
        if self._end:
            self._look_later()
        latest = max(self._tasks[-1].sent, self._end) + _LATEST
        while not self._is_over and self._events and self._events[0][0] <= latest:
            self._now, _, event = heapq.heappop(self._events)
            event()
        if len(self._router) or self._runs:
            raise Unended(f"{len(self._router)} tasks wait, {self._runs} run")
        self._close()
        return self.ledger

    @property
    def _is_over(self) -> bool:
        """Flag: all tasks have ended, and what is there is kept without any."""
        if self._now < self._end or len(self.ledger.latencies) < len(self._tasks):
            return False
        going = any(node.ends is not None and node.ends < math.inf for node in self._nodes)
        return not going and len(self._replicas) <= self._policy.least(self._now)

    def _close(self) -> None:
        """Pay what is kept until now."""
        self._target = 0
        self._reconcile()
        for node in list(self._nodes):
            self._remove(node)

    def _at(self, moment: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (moment, next(self._numbers), event))

    def _come(self, task: Task) -> None:
        self._router.add(task, self._now)
        self._measures.came(task)
        self._dispatch()
        if not self._looks:
            self._look_later()

    def _look_later(self) -> None:
        self._looks = True
        self._at(self._now + self._policy.look_seconds, self._look)

    def _look(self) -> None:
        running = sum(1 for replica in self._replicas if replica.state is State.RUNNING)
        self._starts.note(self._target, running, self._now)
        supply = Observed(target=self._target, running=running, start_seconds=self._starts.seconds)
        self._target = self._policy.wanted(self._demand(), supply, self._now)
        self._reconcile()
        self._looks = False
        if self._target or self._runs or len(self._router) or self._now < self._end:
            self._look_later()

    def _demand(self) -> Demand:
        oldest = self._router.oldest()
        return Demand(
            waiting=len(self._router),
            running=self._runs,
            oldest_seconds=0 if oldest is None else self._now - oldest,
            seconds=self._measures.seconds,
            load_seconds=self._measures.load_seconds.value,
            load_share=self._measures.load_share,
        )

    def _reconcile(self) -> None:
        while len(self._replicas) > self._target:
            # Serve and Kubernetes take those that do not run yet, then the newest.
            starting = (each for each in reversed(self._replicas) if each.state is State.STARTING)
            self._leave(next(starting, self._replicas[-1]), self._policy.grace_seconds)
        while len(self._replicas) < self._target and (node := self._node()):
            self._start(node)

    def _node(self) -> Node | None:
        """Return a node without a replica, a new one if need be; None if there may be no more."""
        empty = (node for node in self._nodes if not node.replica and not node.interrupted)
        node = min(empty, key=lambda each: (each.ready, each.launched), default=None)
        if node:
            return node
        return self._launch() if len(self._nodes) < self._policy.most else None

    def _launch(self) -> Node:
        world = self._world
        seconds = self._about(world.boot_seconds) + self._about(world.pull_seconds)
        spot = self._random.random() < world.spot_share
        node = Node(launched=self._now, ready=self._now + seconds, spot=spot)
        self._nodes.add(node)
        self.ledger.launched(len(self._nodes))
        if spot and world.interruptions:
            life = self._random.expovariate(world.interruptions / HOUR)
            self._at(self._now + life, partial(self._notice, node))
        return node

    def _about(self, seconds: float) -> float:
        return seconds * (1 + self._random.uniform(-1, 1) * self._world.jitter)

    def _start(self, node: Node) -> None:
        replica = node.replica = Replica(node=node, asked=self._now)
        node.ends = None
        self._replicas.append(replica)
        self.ledger.replicas += 1
        ready = max(self._now, node.ready) + self._about(self._world.start_seconds)
        self._at(ready, partial(self._ready, replica))

    def _ready(self, replica: Replica) -> None:
        if replica.state is not State.STARTING:
            return
        replica.state = State.RUNNING
        self.ledger.starting += self._now - replica.asked
        self._free.append(replica)
        self._dispatch()

    def _dispatch(self) -> None:
        while chosen := self._router.choose(self._free, self._busy, self._now):
            task, number = chosen
            self._begin(task, self._free.pop(number))
        moment = self._router.changes(self._now)
        if moment < math.inf and moment not in self._moments:
            self._moments.add(moment)
            self._at(moment, self._dispatch)

    @property
    def _busy(self) -> list[Replica]:
        return [replica for replica in self._replicas if replica.run]

    def _begin(self, task: Task, replica: Replica) -> None:
        load = 0.0 if replica.checkpoint == task.checkpoint else self._world.load_seconds
        run = replica.run = Run(task, self._now, load, first=replica.checkpoint is None)
        self._measures.began(task)
        replica.checkpoint = task.checkpoint
        self._runs += 1
        self._at(run.ends, partial(self._end_run, replica, run))

    def _end_run(self, replica: Replica, run: Run) -> None:
        if replica.run is not run:
            return
        replica.run = None
        self._runs -= 1
        self._measures.ended(run)
        self._router.ended(run.task, run.load)
        self.ledger.ended(run, self._now)
        self.ended = self._now
        if replica.state is State.LEAVING:
            self._go(replica)
        else:
            self._free.append(replica)
            self._dispatch()

    def _leave(self, replica: Replica, grace: float) -> None:
        self._replicas.remove(replica)
        if replica.state is State.STARTING:
            self.ledger.starting += self._now - replica.asked
        elif not replica.run:
            self._free.remove(replica)
        if not replica.run:
            self._go(replica)
            return
        replica.state = State.LEAVING
        if grace < math.inf:
            self._at(self._now + grace, partial(self._cut, replica, replica.run))

    def _cut(self, replica: Replica, run: Run) -> None:
        if replica.run is not run:
            return
        replica.run = None
        self._runs -= 1
        self.ledger.cut(run, self._now)
        self._at(self._now + self._policy.redelivery_seconds, partial(self._come, run.task))
        self._go(replica)

    def _go(self, replica: Replica) -> None:
        replica.state = State.GONE
        node = replica.node
        node.replica = None
        if node.interrupted:
            self._remove(node)
            return
        node.ends = max(self._now, node.ready) + self._policy.tail_seconds
        self._at(node.ends, partial(self._expire, node, node.ends))

    def _expire(self, node: Node, ends: float) -> None:
        if node in self._nodes and node.ends == ends:
            self._remove(node)

    def _notice(self, node: Node) -> None:
        if node not in self._nodes:
            return
        node.interrupted = True
        self.ledger.interruptions += 1
        if not node.replica:
            self._remove(node)
            return
        limit = min(self._policy.drain_seconds, self._world.notice_seconds)
        if node.replica in self._replicas:
            self._leave(node.replica, limit)
            self._reconcile()
        elif run := node.replica.run:
            self._at(self._now + limit, partial(self._cut, node.replica, run))

    def _remove(self, node: Node) -> None:
        self._nodes.remove(node)
        self.ledger.paid(node, self._now)
