"""State of a replica: what it was given counts at once, what it says when it has nothing."""

from deployments.routing import Candidate
from deployments.routing.replica_state import ReplicaState
from deployments.routing.requests import Refusal

A, B = ("a",), ("b",)


def test_a_replica_has_the_files_of_the_last_task_that_it_was_given() -> None:
    state = ReplicaState()

    assert not state.give("1", A, 0)
    assert state.give("2", A, 0)
    assert state.candidate(4, 1) == Candidate(frozenset(A), 2, 4)


def test_what_a_replica_says_counts_once_it_has_no_task_of_this_router() -> None:
    state = ReplicaState()
    state.give("1", A, 0)
    state.tell(B, 1)
    assert state.candidate(4, 1).holds == {"a"}

    state.accept("1")
    state.end("1")
    state.tell(B, 1)
    assert state.candidate(4, 6).holds == {"b"}


def test_what_a_replica_said_before_its_last_task_does_not_count_again() -> None:
    state = ReplicaState()
    state.tell(B, 1)
    state.give("1", A, 0)
    state.accept("1")
    state.end("1")
    state.tell(B, 1)
    assert state.candidate(4, 6).holds == {"a"}

    state.tell(B, 3)  # another router had it loaded since
    assert state.candidate(4, 6).holds == {"b"}


def test_a_replica_that_says_that_it_has_nothing_is_cold() -> None:
    state = ReplicaState()
    state.tell(A, 1)
    state.tell((), 2)

    assert state.candidate(4, 1).holds == frozenset()


def test_a_task_that_is_taken_back_leaves_what_the_replica_said() -> None:
    state = ReplicaState()
    state.tell(B, 1)
    state.give("1", A, 0)
    state.take_back("1")

    assert state.candidate(4, 1) == Candidate(frozenset(B), 0, 4)


def test_a_task_that_never_arrives_is_forgotten_and_one_that_does_is_not() -> None:
    state = ReplicaState()
    state.give("lost", A, 0)
    state.give("long", A, 0)
    state.accept("long")

    assert state.candidate(4, 1).runs == 2
    assert state.candidate(4, 100).runs == 1
    assert not state.has("lost")


def test_tasks_of_other_routers_count_for_as_long_as_they_may_last() -> None:
    state = ReplicaState()
    state.give("1", A, 0)
    state.count(3, 0.5, 0)

    assert state.candidate(4, 0.9) == Candidate(frozenset(A), 3, 4)
    assert state.candidate(4, 1.1) == Candidate(frozenset(A), 1, 4)


def test_a_refusal_tells_at_once_what_a_replica_has_and_does() -> None:
    state = ReplicaState()
    state.tell(A, 1)
    state.refuse(Refusal("r", B, changes=4, runs=2), 0.5, 0)
    state.tell(A, 4)  # older

    assert state.candidate(4, 0.9) == Candidate(frozenset(B), 2, 4)
