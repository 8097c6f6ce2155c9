"""State machine of the line: what clients, processes and the network may do, in any order."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from models.report import Report, Status
from tests.ingest.protocol.faults import Kind, Process
from tests.ingest.protocol.virtual_loop import VirtualLoop
from tests.ingest.protocol.world import (
    DRAINED,
    INGESTS,
    LOST,
    RULES,
    STOPPED,
    STORE_AWAY,
    World,
)

T = TypeVar("T")

_QUIET_SECONDS = 120.0
_LONGEST_SECONDS = 3_600.0

keys = st.sampled_from(["owl", "fox", "cat"])
numbers = st.integers(0, INGESTS - 1)
VERBS = (
    *("start", "start", "finish", "hold", "queue", "requeue", "tell", "mark_notified", "find"),
    *("receive", "extend", "ack", "publish"),
)
FRONT_VERBS = ("publish", "publish", "queue", "accept", "claim", "settle", "abandon", "cancel")


class Line(RuleBasedStateMachine):
    """Line of tasks under faults; when all is well again each task has ended and was told."""

    make_world: Callable[[], World] = World

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.world = self._do(self._made())
        self.wanted: set[str] = set()
        """Keys whose client has not been told that they are accepted."""
        self.accepted: defaultdict[str, set[str]] = defaultdict(set)
        """Submissions that clients were told of, by key."""
        self.cancelled: set[str] = set()
        self.may_tell_twice = False
        """Flag: any task may be told twice."""
        self.twice: set[str] = set()
        """Submissions that may be told twice, since who told them could not say so."""

    async def _made(self) -> World:
        return type(self).make_world()

    def _do(self, action: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(action)

    @rule(key=keys)
    def submit(self, key: str) -> None:
        self._do(self._submit(key))

    @rule()
    def publish_again(self) -> None:
        self._do(self.world.publish_again())

    @rule(key=keys)
    def cancel(self, key: str) -> None:
        self.cancelled.add(key)
        self._do(self.world.cancel(key))

    @rule(number=numbers, verb=st.sampled_from(VERBS), kind=st.sampled_from(Kind))
    def fault(self, number: int, verb: str, kind: Kind) -> None:
        self._arm(self.world.ingests[number].process, verb, kind)

    @rule(verb=st.sampled_from(FRONT_VERBS), kind=st.sampled_from(Kind))
    def fault_of_the_front(self, verb: str, kind: Kind) -> None:
        self._arm(self.world.front, verb, kind)

    @rule(end=st.sampled_from([LOST, STOPPED, DRAINED, STORE_AWAY]))
    def end_badly(self, end: BaseException) -> None:
        self.world.runtime.ends.append(end)

    @rule()
    def calls_go_away(self) -> None:
        self.world.calls.is_away = True

    @rule()
    def calls_come_back(self) -> None:
        self.world.calls.is_away = False

    @rule(number=numbers)
    def kill(self, number: int) -> None:
        self._note_untold()
        self._do(self.world.kill(number))

    @rule(number=numbers)
    def drain(self, number: int) -> None:
        self._do(self.world.drain(number))

    @rule(number=numbers)
    def cut_off(self, number: int) -> None:
        self._do(self.world.cut_off(number))

    @rule(number=numbers)
    def freeze(self, number: int) -> None:
        self._note_untold()
        self.world.ingests[number].process.stand_still()

    @rule()
    def thaw(self) -> None:
        for ingest in self.world.ingests:
            ingest.process.go_on()

    @rule(seconds=st.sampled_from([0.01, 1.0, 6.0, 12.0, 35.0, 1_000.0]))
    def wait(self, seconds: float) -> None:
        self._do(asyncio.sleep(seconds))

    def teardown(self) -> None:
        try:
            self._heal()
            self._do(self._quiet())
            self._judge()
        finally:
            self._do(self._end())
            self.loop.close()

    async def _submit(self, key: str) -> None:
        self.wanted.add(key)
        if submission := await self.world.submit(key):
            self.accepted[key].add(submission)
            self.wanted.discard(key)

    def _arm(self, process: Process, verb: str, kind: Kind) -> None:
        if verb == "publish" and kind not in (Kind.LOST, Kind.DELAYED):
            self.may_tell_twice = True
        process.arm(verb, kind)

    def _note_untold(self) -> None:
        """Let what is not told be told twice: a process that stops may have told it."""
        reports = self.world.ledger._reports.values()  # noqa: SLF001
        self.twice |= {report.submission for report in reports if not report.notified}

    def _heal(self) -> None:
        for process in (self.world.front, *(one.process for one in self.world.ingests)):
            process.heal()
            process.go_on()
        self.world.runtime.ends.clear()
        self.world.calls.is_away = False

    async def _quiet(self) -> None:
        """Let clients ask again, and wait until nothing is under way."""
        end = self.loop.time() + _LONGEST_SECONDS
        while self.wanted or self.world.queue.depth:
            assert self.loop.time() < end, "tasks are stuck"
            await asyncio.sleep(_QUIET_SECONDS / 4)
            for key in sorted(self.wanted):
                await self._submit(key)
        await asyncio.sleep(3 * _QUIET_SECONDS)

    def _judge(self) -> None:
        reports: dict[str, Report] = {
            submission: report
            for (_, submission), report in self.world.ledger._reports.items()  # noqa: SLF001
        }
        told, called = self.world.told(), self.world.called()
        for key, submissions in self.accepted.items():
            assert len(submissions) == 1, f"{key} is {len(submissions)} tasks"
            assert [each.id for each in reports.values()].count(key) == 1, f"{key} has two rows"
            assert submissions <= reports.keys(), f"{key} was lost"
        for submission, report in reports.items():
            losses = self.world.runtime.losses[submission]
            assert report.ended, f"{submission} is {report.status}"
            assert report.attempt <= losses + 1, "an attempt without a start that was lost"
            if report.status is Status.FAILED:
                assert losses >= RULES.max_attempts, "failed without its runtime's fault"
            stored = [uri for uri in self.world.objects.bodies if f"/{report.id}/" in uri]
            if report.status is Status.COMPLETED:
                assert {*report.artifacts, report.output} <= {*stored}, "its files are gone"
            if report.status is Status.CANCELLED:
                assert report.id in self.cancelled
                assert submission in self.twice or not stored, "it left files"
            bodies = told.get(submission, [])
            assert bodies, f"{submission} was never told"
            assert all(body == bodies[0] for body in bodies), "told in two ways"
            assert bodies[0]["status"] == report.status
            assert report.status in [call["event"] for call in called.get(submission, [])], (
                f"{submission} was never called"
            )
            if not self.may_tell_twice and submission not in self.twice:
                assert len(bodies) == 1, "told twice"
        assert told.keys() <= reports.keys()

    async def _end(self) -> None:
        for process in self.world.processes:  # what is cancelled makes a last call
            process.heal()
            process.go_on()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
