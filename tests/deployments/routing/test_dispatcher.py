"""Dispatcher: what a task claims, keeps its turn when it is refused, and is sent in the end."""

from dataclasses import replace

from deployments.routing import Need
from deployments.routing.admission import Admission
from deployments.routing.dispatcher import Dispatcher, Sending, Told
from deployments.routing.requests import Claim, Refusal, RoutingRequest

LOAD, SECONDS = 3.0, 0.3


def request(key: str, *files: str) -> RoutingRequest:
    return RoutingRequest(key, Need(files, SECONDS, LOAD))


def dispatcher(told: dict[str, Told] | None = None, replicas: int = 2) -> Dispatcher:
    made = Dispatcher()
    names = [f"r{number}" for number in range(replicas)]
    made.follow(dict.fromkeys(names, 4), told or {}, 0)
    return made


def claims(sendings: list[Sending]) -> list[tuple[str, str, Claim | None]]:
    return [(each.task, each.replica, each.request.claim) for each in sendings]


def test_a_task_claims_that_its_replica_has_the_files_or_idles() -> None:
    made = dispatcher({"r1": Told(["a"], 1, 1)})
    made.add("1", request("1", "a"), 0)
    made.add("2", request("2", "b"), 0)
    sendings = list(made.sendings(0))

    assert claims(sendings) == [("1", "r1", Claim.HAS), ("2", "r0", Claim.IDLE)]
    assert {each.request.router for each in sendings} == {made.name}


def test_a_task_tells_whether_others_like_it_follow() -> None:
    made = dispatcher({"r0": Told(["a"], 1, 1)}, replicas=1)
    for number, file in enumerate("aab"):
        made.add(f"{number}", request(f"{number}", file), 0)

    assert [each.request.is_followed for each in made.sendings(0)] == [True, False]


def test_a_task_whose_turn_is_over_claims_to_be_next() -> None:
    made = dispatcher({"r0": Told(["a"], 1, 1)}, replicas=1)
    made.fill("r0", 1, 0)
    made.add("1", request("1", "b"), 0)

    assert not list(made.sendings(0.1))
    made.fill("r0", 1, 20)
    assert claims(list(made.sendings(20.1))) == [("1", "r0", Claim.NEXT)]


def test_a_refused_task_knows_its_replica_and_goes_before_those_that_came_later() -> None:
    made = dispatcher(replicas=1)
    made.add("1", request("first", "a"), 0)
    [sending] = made.sendings(0)
    made.end("1", "r0")
    made.add("2", request("later", "a"), 1)
    refused = sending.request.refused(Refusal("r0", ("b",), 1, 0))
    made.add("3", refused, 1.1)

    assert [each.task for each in made.sendings(30)] == ["3", "2"]


def test_a_replica_that_refused_is_given_nothing_while_others_keep_it_busy() -> None:
    made = dispatcher(replicas=1)
    made.add("1", request("1", "a"), 0)
    [sending] = made.sendings(0)
    made.end("1", "r0")
    made.add("2", sending.request.refused(Refusal("r0", ("b",), 1, 2)), 0)

    assert not list(made.sendings(0))
    assert made.changes(0) == 2 * SECONDS
    assert claims(list(made.sendings(100))) == [("2", "r0", Claim.NEXT)]


def test_a_refused_task_is_no_longer_at_its_replica_before_serve_says_so() -> None:
    made = dispatcher(replicas=1)
    made.add("1", request("1", "a"), 0)
    [sending] = made.sendings(0)
    made.add("2", sending.request.refused(Refusal("r0", (), 1, 1)), 0)
    made.end("1", "r0")

    assert not list(made.sendings(0))  # it is busy with another router's


def test_after_ten_refusals_a_task_is_next_wherever_it_goes() -> None:
    made = dispatcher(replicas=1)
    sent = request("1", "a")
    for _ in range(10):
        sent = sent.refused(Refusal("r0", ("b",), 1, 0))
    made.add("1", sent, 0)
    other = dispatcher({"r0": Told(["b"], 1, 1)}, replicas=1)
    other.add("1", request("1", "a"), 0)

    assert claims(list(made.sendings(7))) == [("1", "r0", Claim.NEXT)]
    assert claims(list(other.sendings(7))) == [("1", "r0", Claim.IDLE)]


def test_routers_share_the_room_of_a_replica() -> None:
    for routers, room in ((0, 4), (1, 4), (2, 2), (3, 1), (9, 1)):
        made = dispatcher({"r0": Told(["a"], 1, routers)}, replicas=1)
        for number in range(9):
            made.add(f"{number}", request(f"{number}", "a"), 0)
        assert len(list(made.sendings(0))) == room


def test_a_task_that_nobody_waits_for_leaves_its_room_to_others() -> None:
    made = dispatcher({"r0": Told(["a"], 1, 4)}, replicas=1)
    for number in range(3):
        made.add(f"{number}", request(f"{number}", "a"), 0)
    assert [each.task for each in made.sendings(0)] == ["0"]
    made.remove("0")
    made.remove("1")

    assert [each.task for each in made.sendings(0)] == ["2"]
    assert not made.knows("0")


def test_a_task_that_a_full_replica_sends_back_waits_again() -> None:
    made = dispatcher({"r0": Told(["a"], 1, 1)}, replicas=1)
    made.add("1", request("1", "a"), 0)
    assert len(list(made.sendings(0))) == 1
    made.fill("r0", 4, 0)
    made.put_back("1", 0)

    assert not list(made.sendings(0))
    assert claims(list(made.sendings(4 * SECONDS))) == [("1", "r0", Claim.HAS)]


def test_what_went_to_a_replica_that_is_gone_is_forgotten() -> None:
    made = dispatcher(replicas=1)
    made.add("1", request("1", "a"), 0)
    assert len(list(made.sendings(0))) == 1
    made.follow({"other": 4}, {}, 1)

    assert not made.knows("1")
    made.add("2", request("2", "a"), 1)
    assert claims(list(made.sendings(1))) == [("2", "other", Claim.IDLE)]


def test_a_replica_that_has_ended_its_task_is_given_the_next() -> None:
    made = dispatcher({"r0": Told(["a"], 1, 4)}, replicas=1)
    for number in range(2):
        made.add(f"{number}", request(f"{number}", "a"), 0)
    assert [each.task for each in made.sendings(0)] == ["0"]
    made.accept("0")
    assert not list(made.sendings(0))
    made.end("0", "r0")

    assert [each.task for each in made.sendings(0)] == ["1"]


def test_a_replica_that_never_accepts_its_task_is_given_another_after_ten_seconds() -> None:
    made = dispatcher({"r0": Told(["a"], 1, 4)}, replicas=1)
    for number in range(2):
        made.add(f"{number}", request(f"{number}", "a"), 0)
    assert [each.task for each in made.sendings(0)] == ["0"]
    moment = 0.0
    while not (sendings := list(made.sendings(moment))):
        moment = made.changes(moment)

    assert (moment, [each.task for each in sendings]) == (10, ["1"])


def test_a_task_is_refused_ten_times_at_most_whatever_others_have_its_replica_load() -> None:
    """Others load its files, which it is told with the refusal, and unload them before it comes."""
    made = dispatcher({"r0": Told(["a"], 1, 1)}, replicas=1)
    admission = Admission("r0", lambda: ["other"])
    made.add("0", request("1", "a"), 0)
    refusals = 0
    [sending] = made.sendings(0)
    while refusal := admission.admit(sending.request):
        refusals += 1
        made.end(sending.task, "r0")
        told = replace(refusal, files=("a",), changes=2 * refusals)
        made.add(f"{refusals}", sending.request.refused(told), 0)
        [sending] = made.sendings(0)

    assert refusals == 10
    assert sending.request.claim is Claim.NEXT
