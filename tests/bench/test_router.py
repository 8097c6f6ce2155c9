"""Line of a simulation's router."""

from random import Random

from bench.simulation.fleet import Node, Replica
from bench.simulation.router import Fifo
from bench.simulation.traces import Task


def test_tasks_that_are_handed_back_go_before_all_that_were_sent_after_them() -> None:
    router, free = Fifo(Random(1)), [Replica(Node(launched=0, ready=0, spot=False), asked=0)]
    for sent in (500, 501, 1, 2, 502):
        router.add(Task(sent, 1.5))
    taken = [chosen[0].sent for _ in range(5) if (chosen := router.choose(free))]

    assert taken == [1, 2, 500, 501, 502]
