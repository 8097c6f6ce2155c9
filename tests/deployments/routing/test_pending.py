"""Pending tasks: none waits for ever, replicas keep what is asked for, a load must pay."""

import math
from random import Random

from hypothesis import given, strategies as st

from deployments.routing import Candidate, Need, PendingTasks
from deployments.routing.pending import MULTIPLE, PATIENCE
from tests.deployments.routing.replay import LOAD, SECONDS, Replay, Sent, in_turn

ZIPF = [1 / rank**1.1 for rank in range(1, 13)]
"""Weights of 12 checkpoints."""
NAMES = [f"{number}.safetensors" for number in range(12)]


@st.composite
def traces(draw: st.DrawFn) -> list[Sent]:
    """Draw tasks of a few checkpoints, of which one may need tasks of 5 s, at any rate."""
    random = Random(draw(st.integers(0, 10**6)))
    names = NAMES[: draw(st.integers(1, 10))]
    seconds = {name: random.choice([SECONDS, SECONDS, 5.0]) for name in names}
    rate = draw(st.sampled_from([0.2, 0.5, 1.0, 2.0, 5.0, 1e9]))
    at, tasks = 0.0, []
    for _ in range(draw(st.integers(1, 80))):
        at += random.expovariate(rate)
        name = random.choices(names, ZIPF[: len(names)])[0]
        tasks.append(Sent(at, (name,), seconds[name]))
    return tasks


def zipf_backlog(number: int, seed: int = 1) -> list[Sent]:
    names = Random(seed).choices(NAMES, ZIPF, k=number)
    return [Sent(0, (name,)) for name in names]


def steady(name: str, rate: float, seconds: float, begin: float = 0) -> list[Sent]:
    return [Sent(begin + n / rate, (name,)) for n in range(int(rate * seconds))]


def merged(*parts: list[Sent]) -> list[Sent]:
    return sorted((task for part in parts for task in part), key=lambda task: task.at)


@given(traces(), st.integers(1, 5), st.sampled_from([1, 4]))
def test_no_task_waits_longer_than_a_multiple_of_its_wait_in_turn(
    tasks: list[Sent], replicas: int, admit: int
) -> None:
    """Beyond that it waits for what a replica was given before, and for a load at most."""
    replay, turns = Replay(tasks, replicas, admit), in_turn(tasks, replicas).waits
    given_before = (admit + 2) * (max(task.seconds for task in tasks) + LOAD)

    assert len(replay.waits) == len(tasks)
    assert not replay.idled_while_due
    for task in tasks:
        assert replay.waits[task] <= MULTIPLE * max(turns[task], LOAD) + given_before


def test_a_checkpoint_is_not_starved_by_one_that_is_asked_for_more_than_can_be_done() -> None:
    lone = Sent(1, ("lone",))
    tasks = merged(steady("hot", 8, 100), [lone])
    wait, turn = Replay(tasks, 2).waits[lone], in_turn(tasks, 2).waits[lone]

    assert wait < MULTIPLE * max(turn, LOAD) + 2 * LOAD
    assert wait < 30


def test_a_backlog_is_done_with_a_fifth_of_the_loads_and_in_a_third_of_the_time() -> None:
    tasks = zipf_backlog(400)
    replay, turn = Replay(tasks, 4, admit=4), in_turn(tasks, 4)

    assert replay.loads < turn.loads / 5
    assert max(replay.waits.values()) < max(turn.waits.values()) / 3


def test_a_hot_checkpoint_spreads_over_all_replicas_and_each_loads_it_once() -> None:
    replay = Replay([Sent(0, ("hot",)) for _ in range(200)], 4)

    assert [replica.loads for replica in replay.replicas] == [1, 1, 1, 1]


def test_a_few_tasks_of_a_checkpoint_are_not_worth_another_load() -> None:
    replay = Replay([Sent(0, ("few",)) for _ in range(5)], 4)

    assert replay.loads == 1


def test_cold_checkpoints_share_a_replica_and_hot_ones_keep_theirs() -> None:
    cold = merged(*(steady(f"cold {n}", 0.03, 400, begin=7.0 * n) for n in range(5)))
    replay = Replay(merged(steady("a", 1.5, 400), steady("b", 1.5, 400), cold), 3)

    assert [replica.loads for replica in replay.replicas if replica.loads == 1] == [1, 1]


def test_live_tasks_and_a_batch_meet_and_neither_starves() -> None:
    batch = [Sent(10, ("batch",)) for _ in range(300)]
    live = merged(steady("live", 0.5, 60), steady("other", 0.2, 60))
    tasks = merged(batch, live)
    replay, turns = Replay(tasks, 2, admit=4), in_turn(tasks, 2).waits

    assert max(replay.waits[task] for task in live) <= max(turns[task] for task in live)
    assert max(replay.waits[task] for task in batch) <= max(turns[task] for task in batch)


def pending_of(*files: tuple[str, ...]) -> PendingTasks[str]:
    pending: PendingTasks[str] = PendingTasks()
    pending.resize(2, 0.0)
    for number, each in enumerate(files):
        pending.add(f"task {number}", Need(each, SECONDS, LOAD), 0.0)
    return pending


def choice_of(pending: PendingTasks[str], now: float, *candidates: Candidate) -> str | None:
    """Name the candidate that a task goes to, if one goes."""
    for each in candidates:
        pending.candidates.place(each)
    chosen = pending.choose(now)
    return chosen and chosen[1]


def test_a_task_waits_for_the_replica_that_has_its_file_while_another_idles() -> None:
    busy, idle = Candidate(frozenset("a"), 1, 1, "busy"), Candidate(frozenset("b"), 0, 1, "idle")
    pending = pending_of(("a",))

    assert choice_of(pending, 0.1, busy, idle) is None
    assert pending.changes(0.1) < math.inf
    assert choice_of(pending, 0.2, Candidate(frozenset("a"), 0, 1, "busy")) == "busy"


def test_with_little_to_do_no_task_waits_for_others_with_its_files() -> None:
    has = Candidate(frozenset("a"), 0, 1, "r")

    assert choice_of(pending_of(("b",)), 0.0, has) == "r"


def test_with_much_to_do_an_idle_replica_is_kept_for_what_it_has() -> None:
    has, pending = Candidate(frozenset("a"), 0, 1, "r"), PendingTasks[str]()
    pending.resize(1, 0.0)
    for number in range(20):
        for files in ("a", "c"):
            pending.remove(pending.add(files, Need((files,), SECONDS, LOAD), number * SECONDS))
    now = 20 * SECONDS
    pending.add("b", Need(("b",), SECONDS, LOAD), now)

    assert choice_of(pending, now, has) is None
    assert choice_of(pending, now + PATIENCE * LOAD, has) == "r"


def test_a_replica_that_lost_what_it_had_is_cold_at_once() -> None:
    has, other = Candidate(frozenset("a"), 0, 1, "r"), Candidate(frozenset("a"), 1, 1, "other")
    lost = Candidate(frozenset(), 0, 1, "r")

    assert choice_of(pending_of(("b",)), 0.0, other, has, lost) == "r"
    assert choice_of(pending_of(("a",)), 0.0, other, has, lost) is None


def test_a_replica_that_is_gone_gets_no_task_and_has_no_file() -> None:
    pending = pending_of(("a",))
    for name in ("gone", "other"):
        pending.candidates.place(Candidate(frozenset("a"), 0, 1, name))
    pending.candidates.remove("gone")

    assert pending.candidates.holders(("a",)) == len(pending.candidates) == 1
    assert choice_of(pending, 0.0) == "other"


def test_of_the_cold_replicas_one_that_has_most_of_the_files_is_taken() -> None:
    cold = [Candidate(frozenset(each), 0, 1, each) for each in ("bx", "ax", "by", "cz")]

    assert choice_of(pending_of(("a", "lora")), 60.0, *cold) == "ax"


def test_a_load_takes_the_files_that_are_asked_for_least() -> None:
    pending = pending_of(*[("hot",)] * 5, ("warm",), ("warm",))
    for files in ("hot", "warm", "never"):
        pending.candidates.place(Candidate(frozenset([files]), 1, 1, files))

    assert choice_of(pending, 0.0) is None
    pending.add("new", Need(("new",), SECONDS, LOAD), 0.0)
    for files in ("hot", "warm", "never"):
        pending.candidates.place(Candidate(frozenset([files]), 0, 2, files))
    for _ in range(7):
        assert choice_of(pending, 0.0) in ("hot", "warm")
    for files in ("hot", "warm", "never"):
        pending.candidates.place(Candidate(frozenset([files]), 0, 2, files))

    assert choice_of(pending, 60.0) == "never"


def test_routers_that_share_the_replicas_load_the_same_files_on_the_same_one() -> None:
    """Routers find all replicas empty, in orders of their own; more than one replica is loaded."""
    names = ["p", "q", "r", "s"]
    loaded = set()
    for number, files in enumerate(NAMES):
        orders = (names, names[::-1], names[number % 4 :] + names[: number % 4])
        found = {
            choice_of(
                pending_of((files,)), 0.0, *(Candidate(frozenset(), 0, 1, name) for name in order)
            )
            for order in orders
        }
        assert len(found) == 1
        loaded |= found

    assert len(loaded) > 1


def test_a_task_that_needs_no_file_goes_to_the_least_busy_replica() -> None:
    busy, other = Candidate(frozenset("a"), 2, 4, "busy"), Candidate(frozenset("b"), 1, 4, "other")

    assert choice_of(pending_of(()), 0.0, busy, other) == "other"


def test_a_task_that_was_chosen_in_vain_keeps_its_place() -> None:
    pending = pending_of(("a",), ("a",))
    pending.candidates.place(Candidate(frozenset("a"), 0, 1, "r"))
    chosen = pending.choose(0.0)
    assert chosen is not None
    pending.put_back(chosen[0])

    assert len(pending) == 2
    again = pending.choose(0.1)
    assert again is not None
    assert again[0] is chosen[0]
    pending.remove(pending.add("last", Need(("c",)), 1.0))
    assert len(pending) == 1
