"""Lines of a simulation's routers."""

from random import Random

import pytest

from bench.simulation.fleet import Node, Replica
from bench.simulation.router import Affinity, Fifo, Router
from bench.simulation.traces import Task


def replica(checkpoint: int | None = None) -> Replica:
    return Replica(Node(launched=0, ready=0, spot=False), asked=0, checkpoint=checkpoint)


def test_tasks_that_are_handed_back_go_before_all_that_were_sent_after_them() -> None:
    router = Fifo(Random(1))
    for sent in (500, 501, 1, 2, 502):
        router.add(Task(sent, 1.5), 502)
    taken = [chosen[0].sent for _ in range(5) if (chosen := router.choose([replica()], [], 502))]

    assert taken == [1, 2, 500, 501, 502]


@pytest.mark.parametrize("router", [Fifo(Random(1)), Affinity()], ids=["fifo", "affinity"])
def test_the_oldest_task_is_known_though_it_was_handed_back_last(router: Router) -> None:
    for sent in (500, 501, 1):
        router.add(Task(sent, 1.5), 501)
    assert (len(router), router.oldest()) == (3, 1)

    while router.choose([replica()], [], 501):
        pass
    assert (len(router), router.oldest()) == (0, None)


@pytest.mark.parametrize(("has", "waited"), [(2, 15), (3, 0)])
def test_a_task_waits_for_a_replica_that_has_its_checkpoint_alone(has: int, waited: int) -> None:
    """Others load at once: there is little to do."""
    router, task, idle, busy = Affinity(), Task(0, 1.5, 2), replica(1), replica(has)
    router.add(task, 0)
    moment = 0.0
    while not (chosen := router.choose([idle], [busy], moment)):
        moment = router.changes(moment)

    assert (chosen, moment) == ((task, 0), waited)


def test_a_task_goes_to_the_replica_that_has_its_checkpoint() -> None:
    router, task = Affinity(), Task(0, 1.5, 2)
    router.add(task, 0)

    assert router.choose([replica(), replica(1), replica(2)], [], 0) == (task, 2)
