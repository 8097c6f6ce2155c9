"""The line loses, doubles and wrongly fails no task, whatever the network and processes do."""

from dataclasses import replace

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from typing_extensions import override

from ingest.memory import MemoryClaims, MemoryLedger
from models.fence import Fence
from models.report import Report, Status
from models.task import Task
from tests.ingest.protocol.line import Line
from tests.ingest.protocol.world import World

BUDGET = settings(max_examples=100, stateful_step_count=25, deadline=None)


def test_no_sequence_loses_doubles_or_wrongly_fails_a_task() -> None:
    run_state_machine_as_test(Line, settings=BUDGET)


class Released(MemoryClaims):
    """A key is free again after a publication whose answer was lost."""

    @override
    async def abandon(self, key: str) -> None:
        self._claims.pop(key, None)


class Unfenced(MemoryLedger):
    """Copies of a message run beside one another, and each is an attempt."""

    @override
    async def start(self, task: Task, fence: Fence) -> Report:
        known = await self.find(task.id, task.submission)
        if known and known.ended:
            return known
        return self._note(
            Report.of(task, Status.RUNNING, (known.attempt if known else 0) + 1), fence=fence
        )


class Counting(MemoryLedger):
    """A start that is said twice is two attempts."""

    @override
    async def start(self, task: Task, fence: Fence) -> Report:
        known = await self.find(task.id, task.submission)
        if known and known.status is Status.RUNNING and known.is_of(fence):
            return self._note(replace(known, attempt=known.attempt + 1), fence=fence)
        return await super().start(task, fence)


class WithReleasedClaims(Line):
    make_world = staticmethod(lambda: World(claims=Released))


class WithoutFences(Line):
    make_world = staticmethod(lambda: World(ledger=Unfenced))


class WithRepeatedStarts(Line):
    make_world = staticmethod(lambda: World(ledger=Counting))


@pytest.mark.parametrize("mistaken", [WithReleasedClaims, WithoutFences, WithRepeatedStarts])
def test_a_mistake_in_the_protocol_is_found(mistaken: type[Line]) -> None:
    # Found is enough: to make the sequence shorter takes longer than to find it.
    search = settings(
        BUDGET, max_examples=3_000, phases=[Phase.generate], database=None, derandomize=True
    )
    with pytest.raises(AssertionError):
        run_state_machine_as_test(mistaken, settings=search)
