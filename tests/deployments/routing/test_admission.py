"""Admission: one change of files at a time, and what a replica has is known at once."""

import pytest

from deployments.routing import Need
from deployments.routing.admission import Admission
from deployments.routing.requests import Claim, Refusal, RoutingRequest


def request(
    claim: Claim | None,
    *files: str,
    router: str = "first",
    is_followed: bool = False,
    load: float = 3.0,
) -> RoutingRequest:
    need = Need(files, load=load)
    return RoutingRequest("task", need, router, claim, is_followed=is_followed)


class Held:
    """Files that an adapter has."""

    def __init__(self, *files: str) -> None:
        self.files = files

    def __call__(self) -> tuple[str, ...]:
        return self.files


def test_of_two_routers_that_want_an_idle_replica_the_first_has_it() -> None:
    admission = Admission("r", Held())

    assert admission.admit(request(Claim.IDLE, "a")) is None
    refusal = admission.admit(request(Claim.IDLE, "b", router="other"))
    assert refusal == Refusal("r", ("a",), changes=1, runs=1)
    assert admission.admit(request(Claim.IDLE, "a", router="other")) is None


def test_a_task_in_its_turn_is_next_and_what_needed_the_files_before_is_refused() -> None:
    admission = Admission("r", Held("hot"))
    hot = request(Claim.HAS, "hot")

    assert admission.admit(hot) is None
    assert admission.admit(request(Claim.NEXT, "rare", router="other")) is None
    assert admission.admit(hot) == Refusal("r", ("rare",), changes=2, runs=2)


@pytest.mark.parametrize("held", [(), ("b",)])
def test_a_replica_that_was_renewed_or_failed_to_load_is_cold_at_once(held: tuple[str]) -> None:
    files = Held("a")
    admission = Admission("r", files)
    assert admission.admit(request(Claim.HAS, "a")) is None
    admission.leave()
    files.files = held

    assert admission.admit(request(Claim.HAS, "a")) == Refusal("r", held, changes=2, runs=0)


def test_a_replica_has_idled_again_when_its_tasks_have_left() -> None:
    files = Held()
    admission = Admission("r", files)
    assert admission.admit(request(Claim.IDLE, "a")) is None
    files.files = ("a",)
    admission.leave()

    assert admission.files == ["a"]
    assert admission.admit(request(Claim.IDLE, "b")) is None
    assert (admission.files, admission.changes) == (["b"], 2)


@pytest.mark.parametrize(("load", "seconds"), [(0.3, 0.1), (3.0, 1.0), (60.0, 1.0)])
def test_between_two_tasks_of_a_router_no_other_has_its_replica_load(
    load: float, seconds: float
) -> None:
    """A third of the load is waited for the next task, and a second at most."""
    now = 5.0
    admission = Admission("r", Held("a"), lambda: now)
    other = request(Claim.IDLE, "b", router="other")
    assert admission.admit(request(Claim.HAS, "a", is_followed=True, load=load)) is None
    now = 7.0
    admission.leave()

    now += seconds - 0.01
    assert admission.admit(other) == Refusal("r", ("a",), changes=1, runs=1)
    now += 0.02
    assert admission.admit(other) is None


@pytest.mark.parametrize(
    "changes", [request(Claim.IDLE, "b"), request(Claim.NEXT, "b", router="other")]
)
def test_a_replica_is_not_kept_from_the_router_itself_nor_from_whose_turn_it_is(
    changes: RoutingRequest,
) -> None:
    admission = Admission("r", Held("a"))
    assert admission.admit(request(Claim.HAS, "a", is_followed=True)) is None
    admission.leave()

    assert admission.admit(changes) is None


def test_a_replica_is_kept_for_tasks_that_wait_and_for_the_files_that_it_has() -> None:
    """The last task of a router lets go, and so do other files: those of a turn, or none."""
    files = Held("a")
    other = request(Claim.IDLE, "c", router="other")
    followed = request(Claim.HAS, "a", is_followed=True)
    for last in (request(Claim.HAS, "a"), request(Claim.NEXT, "b", router="third")):
        admission = Admission("r", files)
        for each in (followed, last):
            assert admission.admit(each) is None
            files.files = each.need.files
            admission.leave()
        assert admission.admit(other) is None
        files.files = ("a",)

    renewed = Admission("r", files)
    assert renewed.admit(followed) is None
    renewed.leave()
    files.files = ()
    assert renewed.admit(other) is None


def test_a_router_that_knows_of_no_files_may_send_what_it_likes() -> None:
    admission = Admission("r", Held("a"))

    assert [admission.admit(request(None, name)) for name in ("a", "b", "a")] == [None] * 3


def test_a_task_that_needs_no_file_changes_none() -> None:
    admission = Admission("r", Held("a"))

    assert admission.admit(request(Claim.HAS)) is None
    assert admission.files == ["a"]


def test_routers_count_that_sent_a_task_in_the_last_seconds() -> None:
    now = 0.0
    admission = Admission("r", Held(), lambda: now)
    for name in ("first", "other", "first"):
        admission.admit(request(Claim.NEXT, "a", router=name))
        now += 4

    assert admission.routers == 2
    now = 17
    assert admission.routers == 1
