"""The same tasks on simulated replicas, all of which are there from the begin."""

import math
from dataclasses import dataclass
from random import Random

from bench.routed.outcome import Outcome, Setup
from bench.simulation.router import Router
from bench.simulation.run import Simulation
from bench.simulation.traces import Tasks
from bench.simulation.world import World
from deployments.scaling import Observed
from models.fleet import Demand


@dataclass
class _Fixed:
    """Policy of one number of replicas for as long as there are tasks to come, or to do."""

    most: int
    last: float
    """Moment at which the last task comes."""
    look_seconds: float = 0.05
    tail_seconds: float = 0
    grace_seconds: float = math.inf
    drain_seconds: float = 0
    redelivery_seconds: float = 0

    def least(self, now: float) -> int:
        """Keep no replica once all tasks have ended."""
        del now
        return 0

    def wanted(self, demand: Demand, supply: Observed, now: float) -> int:
        del supply
        return self.most if now <= self.last or demand.waiting or demand.running else 0


def simulated(tasks: Tasks, setup: Setup, router: Router) -> Outcome:
    """Follow the tasks through a fleet of a fixed size."""
    world = World(
        boot_seconds=0,
        pull_seconds=0,
        start_seconds=0,
        jitter=0,
        interruptions=0,
        load_seconds=setup.load_seconds,
    )
    policy = _Fixed(setup.replicas, tasks[-1].sent)
    simulation = Simulation(tasks, policy, router, world, Random(setup.seed))
    ledger = simulation.run()
    waits = [latency - setup.seconds for latency in ledger.latencies]
    return Outcome.of(waits, ledger.loads, simulation.ended - tasks[0].sent)
