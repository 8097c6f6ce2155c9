"""Dead letters as the native API shows them and works with them; for operators."""

import json
import logging
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated

from fastapi import Depends, Query, Request

from ingest.dead_letters import Choice, DeadLetters, Outcome, Outcomes, Place
from ingest.letter import DeadLetterQueue, Letter
from models import strict_json
from models.dead_letters import (
    DeadLetterList,
    DeadLetterQueueView,
    DeadLetterView,
    LetterOutcome,
    LetterOutcomes,
    PurgeRequest,
    RedriveRequest,
)
from models.errors import InvalidTask
from models.hidden import shown, shown_attributes
from models.ports import Topic
from serve_app.context import Front
from serve_app.native.authentication import json_body
from serve_app.native.parameters import LetterId, LetterQuery, NoQuery, QueueName
from serve_app.native.problems import ProblemKind

log = logging.getLogger("ray.serve.atelier.api")

_EXCERPT, _WHOLE = 400, 65_536  # characters of a body, in a list and alone
_ATTRIBUTE = 300  # characters
_MISSING = "it is not there now: it was sent or deleted, or somebody else is looking at it"
_ENDED = (
    "it has ended before, so it is not drawn again; its end is told, if that was not done."
    " `anew` makes it another submission"
)


class DeadLetterEndpoints:
    """Endpoints that list, show, redrive and purge dead letters."""

    def __init__(self, front: Front) -> None:
        self.front = front

    @property
    def letters(self) -> DeadLetters:
        return self.front.dead_letters

    async def search(self, query: Annotated[LetterQuery, Query()]) -> DeadLetterList:
        """Dead letters, the newest first; each is hidden from others while it is looked at."""
        queues = [self._queue(query.queue)] if query.queue else [*self.letters.queues.values()]
        after = _place(query.cursor) if query.cursor else None
        counts = await self.letters.counts(queues)
        look = await self.letters.look(queues, query.limit, after)
        return DeadLetterList(
            letters=tuple([await self._view(letter, _EXCERPT) for letter in look.letters]),
            queues=tuple(
                DeadLetterQueueView(name=queue.name, waiting=count)
                for queue, count in zip(queues, counts, strict=True)
            ),
            next=_cursor(look.next) if look.next else None,
            complete=look.complete,
        )

    async def find(
        self,
        queue: QueueName,
        id: LetterId,  # noqa: A002
        _: Annotated[NoQuery, Query()],
    ) -> DeadLetterView:
        """Read one dead letter, with as much of its body as can be shown."""
        letter = await self.letters.find(self._named(queue), id)
        if letter is None:
            raise ProblemKind.NOT_FOUND.problem(f"No such letter; {_MISSING}.")
        return await self._view(letter, _WHOLE)

    async def redrive(
        self,
        queue: QueueName,
        request: Request,
        body: Annotated[RedriveRequest, Depends(json_body(RedriveRequest))],
        _: Annotated[NoQuery, Query()],
    ) -> LetterOutcomes:
        """Send letters again, to the queue that they came from; repeated, it does no harm."""
        of, choice = self._named(queue), self._choice(body)
        to = self._destination(of, body)
        if body.edit is not None and len(body.ids) != 1:
            raise ProblemKind.INVALID.at("edit", "needs one id in `ids`: it is of one letter")
        if of.of_calls and (body.edit is not None or body.anew):
            field = "anew" if body.anew else "edit"
            raise ProblemKind.INVALID.at(field, "is for tasks; a callback's call is sent as it is")
        try:
            done = await self.letters.redrive(of, choice, to, body.edit, anew=body.anew)
        except InvalidTask as exc:
            raise ProblemKind.INVALID.at("edit", f"makes it no task: {exc}") from None
        return _outcomes(done, choice, "letters_redriven", of, request)

    async def purge(
        self,
        queue: QueueName,
        request: Request,
        body: Annotated[PurgeRequest, Depends(json_body(PurgeRequest))],
        _: Annotated[NoQuery, Query()],
    ) -> LetterOutcomes:
        """Delete letters for good."""
        of, choice = self._named(queue), self._choice(body)
        done = await self.letters.purge(of, choice)
        return _outcomes(done, choice, "letters_purged", of, request)

    def _named(self, name: str) -> DeadLetterQueue:
        """Find the queue that a path names."""
        found = self.letters.queues.get(name.lower())
        if found is None:
            raise ProblemKind.NOT_FOUND.problem(f"No such queue; {self._unknown()}.")
        return found

    def _queue(self, name: str) -> DeadLetterQueue:
        """Find the queue that a parameter names."""
        found = self.letters.queues.get(name.lower())
        if found is None:
            raise ProblemKind.INVALID.at("queue", self._unknown())
        return found

    def _unknown(self) -> str:
        return f"there are these queues of dead letters: {', '.join(self.letters.queues)}"

    def _choice(self, body: RedriveRequest | PurgeRequest) -> Choice:
        if body.all == bool(body.ids):
            raise ProblemKind.INVALID.at("ids", "give ids of letters, or `all: true`; not both")
        before = self.front.clock() if body.before is None else body.before
        return Choice(ids=frozenset(body.ids), before=before)

    def _destination(self, queue: DeadLetterQueue, body: RedriveRequest) -> Topic:
        if body.to is None:
            if queue.source is None:
                raise ProblemKind.INVALID.at("to", "is needed: these letters came from no queue")
            return queue.source
        if queue.of_calls:
            raise ProblemKind.INVALID.at("to", "is for tasks; calls go back to their own queue")
        name = body.to.lower()
        if name not in self.letters.sources:
            known = ", ".join(self.letters.sources)
            raise ProblemKind.INVALID.at("to", f"must be a configured runtime: {known}")
        return self.letters.sources[name]

    async def _view(self, letter: Letter, most: int) -> DeadLetterView:
        report = await self.letters.report(letter)
        return DeadLetterView(
            queue=letter.queue.name,
            id=letter.id,
            reason=shown(letter.reason, _EXCERPT),
            task=letter.task,
            submission=letter.submission,
            status=report.status if report else None,
            attempt=report.attempt if report else None,
            sent=letter.delivery.sent,
            receives=letter.delivery.attempt,
            attributes=shown_attributes(letter.attributes, _ATTRIBUTE),
            body=shown(letter.text, most),
            size=len(letter.text),
        )


def _outcomes(
    done: Outcomes,
    choice: Choice,
    event: str,
    queue: DeadLetterQueue,
    request: Request,
) -> LetterOutcomes:
    views = tuple(_outcome(each) for each in done.outcomes)
    count = sum(view.outcome != "missing" for view in views)
    fields = {"api": "v1", "holder": request.state.holder.name, "queue": queue.name}
    log.info(event, extra={**fields, "letters": count})
    return LetterOutcomes(outcomes=views, more=done.more, before=choice.before)


def _outcome(outcome: Outcome) -> LetterOutcome:
    letter, report = outcome.letter, outcome.report
    if letter is None:
        return LetterOutcome(id=outcome.id, outcome=outcome.deed, note=_MISSING)
    is_of_task = not letter.queue.of_calls
    return LetterOutcome(
        id=outcome.id,
        outcome=outcome.deed,
        task=letter.task,
        submission=letter.submission,
        status=report.status if report else None,
        note=_ENDED if report and report.ended and is_of_task else None,
    )


def _cursor(place: Place) -> str:
    return urlsafe_b64encode(strict_json.written(place).encode()).decode()


def _place(cursor: str) -> Place:
    """Read a cursor.

    Raises:
        Problem: it is none.
    """
    try:
        sent, queue, id_ = json.loads(urlsafe_b64decode(cursor.encode()))
        return float(sent), str(queue), str(id_)
    except (ValueError, TypeError):
        raise ProblemKind.INVALID.at("cursor", "must be the `next` of the page before") from None
