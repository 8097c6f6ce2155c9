"""Scaling policy over time: windows, cooldowns, rates, and what is forgotten."""

from dataclasses import dataclass, field
from datetime import timedelta

from deployments.scaling import Decision, Memory, decide
from models.fleet import Demand
from models.settings.scaling import Scaling
from tests.deployments.scaling.cases import NOON, PODS, rules, tasks, there


@dataclass
class Line:
    """Line of decisions, over replicas that start at once, or not at all."""

    rules: Scaling
    start: float = 30
    started: bool = True
    target: int = 0
    now: float = 0
    memory: Memory = field(default_factory=Memory)
    reason: str = ""

    def look(self, demand: Demand | None) -> int:
        wall = NOON + timedelta(seconds=self.now)
        supply = there(self.target, self.target if self.started else 0, start=self.start)
        decided: Decision = decide(demand, supply, self.rules, self.memory, now=self.now, wall=wall)
        self.target, self.memory, self.reason = decided.wanted, decided.memory, decided.reason
        return self.target

    def go(self, seconds: float, demand: Demand | None) -> list[int]:
        """Look each half second; the numbers that were wanted one after the other."""
        numbers = [self.target]
        for _ in range(int(seconds * 2)):
            self.now += 0.5
            if self.look(demand) != numbers[-1]:
                numbers.append(self.target)
        return numbers


def test_the_last_replica_goes_after_the_cooldown_and_none_comes_again() -> None:
    line = Line(rules(cooldownSeconds=300))
    line.go(5, tasks(3))
    assert line.go(299, tasks()) == [1]
    assert line.reason == "nothing to do for 299 s, down to zero after 300 s"

    assert line.go(1000, tasks()) == [1, 0]
    assert line.reason == "nothing to do"


def test_the_last_replica_stays_as_long_as_serve_may_wake_it_by_old_counts() -> None:
    line = Line(rules(cooldownSeconds=0))
    line.go(5, tasks(3))

    assert line.go(11.5, tasks()) == [1]
    assert line.go(1, tasks()) == [1, 0]


def test_a_start_that_no_task_needs_any_more_ends_after_seconds() -> None:
    line = Line(rules(cooldownSeconds=300), start=120, started=False)
    line.go(5, tasks(30))

    assert line.go(11, tasks()) == [3]
    assert line.reason == "nothing to do for 11 s, down to zero after 12 s"
    assert line.go(300, tasks()) == [3, 0]


def test_a_start_goes_on_for_tasks_that_wait_now_and_then() -> None:
    line = Line(rules(cooldownSeconds=300), start=120, started=False)
    line.go(1, tasks(1))

    assert [line.go(10, tasks(number)) for number in (0, 1) * 6] == [[1]] * 12


def test_the_cooldown_holds_from_the_moment_when_a_replica_runs() -> None:
    line = Line(rules(cooldownSeconds=300), started=False)
    line.go(5, tasks(1))
    line.go(5, tasks())
    line.started = True

    assert line.go(290, tasks()) == [1]
    assert line.go(10, tasks()) == [1, 0]


def test_a_number_is_kept_in_words_only_where_not_all_go_first() -> None:
    line = Line(rules(cooldownSeconds=300))
    line.go(5, tasks(50))
    line.go(30, tasks())
    assert line.reason == (
        "nothing to do for 30 s, down to zero after 300 s, kept at 5: "
        "as many were wanted within the last 60 s"
    )

    line.started = False
    line.go(1, tasks(50))
    line.go(5, tasks())
    assert line.reason == "nothing to do for 5 s, down to zero after 12 s"


def test_all_go_after_the_cooldown_whatever_the_rates() -> None:
    line = Line(rules(cooldownSeconds=30, scaleDown={"selectPolicy": "Disabled"}))
    line.go(5, tasks(50))
    assert line.go(25, tasks()) == [5]

    assert line.go(10, tasks()) == [5, 0]


def test_none_goes_before_where_the_rate_is_disabled_and_it_is_said_so() -> None:
    never = {"selectPolicy": "Disabled", "stabilizationWindowSeconds": 0}
    line = Line(rules(scaleDown=never))
    line.go(5, tasks(50))

    assert line.go(300, tasks(1)) == [5]
    assert line.reason == (
        "1 task waits: 1 replica at 10 tasks each, kept at 5: scaleDown is Disabled"
    )


def test_the_highest_number_of_the_window_is_kept() -> None:
    line = Line(rules(scaleDown={"stabilizationWindowSeconds": 120}))
    line.go(5, tasks(50))
    line.go(30, tasks(20))
    assert line.target == 5
    assert line.reason == (
        "20 tasks wait: 2 replicas at 10 tasks each, kept at 5: "
        "as many were wanted within the last 120 s"
    )

    assert line.go(100, tasks(20)) == [5, 2]


def test_the_lowest_number_of_the_window_is_taken_upwards_but_from_zero() -> None:
    line = Line(rules(scaleUp={"stabilizationWindowSeconds": 20}))
    line.go(0.5, tasks())

    assert line.go(30, tasks(50)) == [0, 1, 5]


def test_a_controller_that_starts_again_keeps_what_it_finds_for_a_window() -> None:
    line = Line(rules(), target=5)

    assert line.go(59, tasks(1)) == [5]
    assert line.go(10, tasks(1)) == [5, 1]


def test_replicas_stay_that_the_mean_of_the_work_needs() -> None:
    line = Line(rules(scaleDown={"stabilizationWindowSeconds": 0}))
    line.go(30, tasks(30, 3))
    line.go(200, tasks(0, 2))
    assert line.target == 3
    assert line.reason == (
        "2 tasks run: 1 replica at 10 tasks each, kept at 3: "
        "lately 2.0 were busy on average, with some to spare"
    )

    assert line.go(200, tasks(0, 1)) == [3, 2]


def test_replicas_have_time_to_spare_for_the_mean_of_the_work() -> None:
    line = Line(rules(scaleDown={"stabilizationWindowSeconds": 0}))
    line.go(5, tasks(20, 2))

    assert line.go(600, tasks(0, 2)) == [3]


def test_a_line_that_grows_gets_its_replica_before_the_latency_is_passed() -> None:
    """Tasks come half as fast again as one replica does them, and a start takes two minutes.

    It is asked for before the wait of a new one and the age of the oldest fill the latency, too.
    """
    line = Line(rules(targetLatencySeconds=60), start=120, target=1)
    line.go(120, tasks(2, 1, seconds=1.5))
    waiting = 2.0
    while line.target == 1:
        waiting += 1 - 1 / 1.5
        line.go(1, tasks(int(waiting), 1, seconds=1.5, oldest_seconds=waiting * 1.5))

    assert 15 < waiting * 1.5 < 30


def test_the_seconds_of_a_task_are_remembered_when_who_measures_starts_again() -> None:
    line = Line(rules(targetLatencySeconds=60), target=1)
    line.go(5, tasks(2, 1, seconds=1.5))

    assert line.go(5, tasks(30, 1)) == [1]
    assert line.reason == "30 tasks wait, 1 runs: 1 replica within 60 s"


def test_a_line_that_stays_as_long_as_it_is_gets_none() -> None:
    line = Line(rules(targetLatencySeconds=60), start=120, target=1)

    assert line.go(900, tasks(15, 1, seconds=1.5, oldest_seconds=22)) == [1]


def test_those_that_did_a_backlog_do_not_stay_for_what_they_did() -> None:
    line = Line(rules(targetLatencySeconds=300, cooldownSeconds=600))
    line.go(1, tasks(2000, seconds=1.5))
    for left in range(2000, 0, -10):
        line.go(1, tasks(left, 10, seconds=1.5, oldest_seconds=min(line.now, 250)))

    assert line.target > 5
    assert line.go(60, tasks(seconds=1.5))[-1] == 1


def test_no_replica_that_runs_a_task_goes_before_a_cooldown() -> None:
    line = Line(rules(cooldownSeconds=100, scaleDown={"stabilizationWindowSeconds": 0}))
    line.go(0.5, tasks(50))

    assert line.go(2, tasks(0, 3)) == [5, 3]
    assert line.reason == (
        "3 tasks run: 1 replica at 10 tasks each, kept at 3: each of them runs a task"
    )


def test_the_cooldown_of_a_surplus_begins_anew_after_one_has_ended() -> None:
    line = Line(rules(cooldownSeconds=20, scaleDown={"stabilizationWindowSeconds": 0}))
    line.go(0.5, tasks(50))
    assert line.go(15, tasks(0, 3)) == [5, 3]
    assert line.go(5, tasks(30)) == [3]

    assert line.go(15, tasks(0, 3)) == [3]
    assert line.reason.endswith("kept at 3: each of them runs a task")


def test_fewer_go_at_once_by_the_rate() -> None:
    slowly = {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}]}
    line = Line(rules(scaleDown=slowly | {"stabilizationWindowSeconds": 0}))
    line.go(61, tasks(40))

    assert line.go(125, tasks(1)) == [4, 3, 2, 1]


def test_more_come_in_each_period_by_the_rate() -> None:
    line = Line(rules(**PODS))

    assert line.go(29, tasks(200)) == [0, 5, 9]
    assert line.go(29, tasks(200)) == [9, 13, 17]


def test_changes_are_remembered_for_as_long_as_a_policy_looks_back() -> None:
    line = Line(rules(**PODS, scaleDown={"stabilizationWindowSeconds": 0}))
    for _ in range(100):
        line.go(2, tasks(200))
        line.go(2, tasks(10))

    assert 5 < len(line.memory.changes) <= 15


def test_all_stays_while_nothing_is_measured_and_the_cooldown_begins_anew() -> None:
    line = Line(rules(cooldownSeconds=60))
    line.go(5, tasks(25))
    line.go(50, tasks())
    assert line.go(500, None) == [3]

    assert line.go(59, tasks()) == [3]
    assert line.go(2, tasks()) == [3, 0]


def test_a_replica_that_starts_counts_with_what_is_left_of_its_start() -> None:
    """A backlog at zero asks once for what it needs, and not again as its deadline draws near."""
    line = Line(rules(targetLatencySeconds=600, maxReplicas=100), start=120, started=False)
    line.go(1, tasks(5000, seconds=1.5))
    line.now = 110

    assert line.go(1, tasks(5000, seconds=1.5, oldest_seconds=110)) == [16]
