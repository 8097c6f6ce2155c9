"""Dead letters: what the queues gave up, to be looked at, sent again or deleted by people.

A call looks at a bounded part of a queue (`LetterVisit`). What is sent again goes to the queue that
it came from first, and is deleted then: a crash in between leaves a copy, and of two copies of a
submission the ledger lets one run.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ingest.letter import DeadLetterQueue, Letter
from ingest.letter_visit import LetterVisit
from models.ledger import Ledger
from models.ports import Delivery, Topic
from models.report import Report

Place = tuple[float, str, str]
"""Place of a letter in a list: when it was sent, its queue and its id."""
Deed = Literal["sent", "deleted", "missing"]
"""Outcome for a letter; ``missing``: it was not found."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Choice of letters: those with these ids, or all that were sent before a time."""

    ids: frozenset[str] = frozenset()
    """Ids of the letters; empty: all."""
    before: float
    """Time until which all were sent, in seconds since 1970: what comes back is not taken again."""

    def takes(self, letter: Delivery) -> bool:
        return letter.id in self.ids if self.ids else letter.sent <= self.before


@dataclass(frozen=True, kw_only=True)
class Look:
    """Part of the dead letters, the newest first."""

    letters: Sequence[Letter]
    next: Place | None
    """Place of the last letter here, if there are more."""
    complete: bool
    """Flag: every letter that could be received was looked at."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Outcome for one letter."""

    id: str
    deed: Deed
    letter: Letter | None = None
    """Letter as it was sent or deleted."""
    report: Report | None = None
    """Report on its task from before it was sent again."""


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """Outcomes of a call."""

    outcomes: Sequence[Outcome]
    more: bool
    """Flag: the call ended before it had seen all letters of the choice."""


@dataclass(frozen=True, kw_only=True)
class DeadLetters:
    """Work on the queues of dead letters of an installation."""

    queues: Mapping[str, DeadLetterQueue]
    sources: Mapping[str, Topic]
    """Topics that lead to the queues of the runtimes, by their names."""
    ledger: Ledger
    seconds: float = 10.0
    """Seconds after which a call begins nothing more; well below the lease of what it holds."""
    clock: Callable[[], float] = time.monotonic

    async def look(self, queues: Sequence[DeadLetterQueue], most: int, after: Place | None) -> Look:
        """Look at ``most`` letters behind a place, the newest first."""
        parts = await asyncio.gather(*(self._newest(queue, most + 1, after) for queue in queues))
        found = sorted((letter for part, _ in parts for letter in part), key=_place, reverse=True)
        more = len(found) > most
        return Look(
            letters=found[:most],
            next=_place(found[most - 1]) if more else None,
            complete=all(complete for _, complete in parts),
        )

    async def counts(self, queues: Sequence[DeadLetterQueue]) -> Sequence[int]:
        """Count the letters that nobody looks at, approximately."""
        return await asyncio.gather(*(queue.letters.backlog() for queue in queues))

    async def find(self, queue: DeadLetterQueue, id: str) -> Letter | None:  # noqa: A002
        """Find a letter; None if there is none, or somebody else holds it."""
        async with self._visit(queue) as visit:
            async for batch in visit.batches():
                for delivery in batch:
                    if delivery.id == id:
                        return Letter.of(queue, delivery)
        return None

    async def report(self, letter: Letter) -> Report | None:
        """Find what the ledger knows of a letter's task."""
        if letter.task is None or letter.submission is None:
            return None
        return await self.ledger.find(letter.task, letter.submission)

    async def redrive(
        self,
        queue: DeadLetterQueue,
        choice: Choice,
        to: Topic,
        edit: Mapping[str, Any] | None = None,
        *,
        anew: bool = False,
    ) -> Outcomes:
        """Send letters again, and delete each after that.

        Raises:
            InvalidTask: with the edit a letter is no task; it stays where it is.
        """

        async def send(letter: Letter, visit: LetterVisit) -> Outcome:
            changed = letter.changed(edit, anew=anew)
            report = None if anew else await self.report(changed)
            await to.publish(*changed.message())
            await visit.delete(letter.delivery)
            return Outcome(id=letter.id, deed="sent", letter=changed, report=report)

        return await self._work(queue, choice, send)

    async def purge(self, queue: DeadLetterQueue, choice: Choice) -> Outcomes:
        """Delete letters for good."""

        async def delete(letter: Letter, visit: LetterVisit) -> Outcome:
            await visit.delete(letter.delivery)
            return Outcome(id=letter.id, deed="deleted", letter=letter)

        return await self._work(queue, choice, delete)

    async def _work(
        self,
        queue: DeadLetterQueue,
        choice: Choice,
        work: Callable[[Letter, LetterVisit], Awaitable[Outcome]],
    ) -> Outcomes:
        done: list[Outcome] = []
        left = set(choice.ids)
        async with self._visit(queue) as visit:
            async for batch in visit.batches():
                taken = [Letter.of(queue, each) for each in batch if choice.takes(each)]
                done += await _all(work(letter, visit) for letter in taken)
                left -= {letter.id for letter in taken}
                if choice.ids and not left:
                    break
        missing = [Outcome(id=each, deed="missing") for each in sorted(left)]
        is_cut = not visit.complete and (not choice.ids or bool(left))
        return Outcomes(outcomes=[*done, *missing], more=is_cut)

    async def _newest(
        self, queue: DeadLetterQueue, most: int, after: Place | None
    ) -> tuple[Sequence[Letter], bool]:
        """Find the newest letters behind a place; tell whether all were looked at."""
        found: list[Letter] = []
        async with self._visit(queue) as visit:
            async for batch in visit.batches():
                new = [Letter.of(queue, delivery) for delivery in batch]
                found += [each for each in new if after is None or _place(each) < after]
                # Cut at once, for each may have a quarter of a megabyte.
                found = sorted(found, key=_place, reverse=True)[:most]
        return found, visit.complete

    def _visit(self, queue: DeadLetterQueue) -> LetterVisit:
        return LetterVisit(queue.letters, self.seconds, self.clock)


def _place(letter: Letter) -> Place:
    return letter.delivery.sent, letter.queue.name, letter.id


async def _all(works: Iterable[Awaitable[Outcome]]) -> Sequence[Outcome]:
    """Wait for all of them, and raise the first error only then."""
    ended = await asyncio.gather(*works, return_exceptions=True)
    for each in ended:
        if isinstance(each, BaseException):
            raise each
    return [each for each in ended if not isinstance(each, BaseException)]
