"""Idempotency keys: a task is published once for each, even if its first sender dies."""

import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import quote

from models import strict_json
from models.errors import Unavailable
from models.ports import Claim, Claims
from models.report import Report
from models.task import Task
from serve_app.native.accepted import AcceptedTask
from serve_app.native.problems import ProblemKind
from serve_app.submit import Submit

log = logging.getLogger("ray.serve.atelier.api")

_SENDING_SECONDS = 30.0  # a sender that has not settled its claim after these is taken for dead


@dataclass(frozen=True, kw_only=True)
class Idempotency:
    """Publisher of accepted tasks, once for each idempotency key."""

    submit: Submit
    claims: Claims
    clock: Callable[[], float]
    """Wall clock, in seconds since 1970."""

    async def publish(self, accepted: AcceptedTask, key: str | None) -> tuple[Task, Report | None]:
        """Publish a task, or find the one that an earlier request with this key has published.

        Returns the task and its report; None if an earlier request published it.

        Raises:
            Problem: the key was used for another task, its first request is under way, or the
                task's deadline has passed and it is no repetition.
            Unavailable: it was not published.
        """
        # Quoted, a name has no slash: key "c" of "a/b" is not key "b/c" of "a".
        name = key and f"{quote(accepted.holder, safe='')}/{key}"
        deadline = accepted.task.deadline
        # What was sent in time is answered as it was, however late it is sent again.
        is_late = deadline is not None and deadline <= self.clock()
        if is_late and not (name and await self.claims.find(name)):
            raise ProblemKind.INVALID.at("deadline", "has passed; it must be in the future")
        if name is None:
            return accepted.task, await self._publish(accepted)
        mine = {"digest": accepted.digest, "submission": accepted.submission}
        claim = await self.claims.claim(name, strict_json.written(mine))
        first = json.loads(claim.value)
        if first["digest"] != mine["digest"]:
            raise ProblemKind.KEY_REUSED.at("Idempotency-Key", "take a new one for another task")
        again = first != mine  # else the claim is ours, made twice as its first answer was lost
        accepted = accepted.under(first["submission"])
        if claim.settled:
            return accepted.task, None
        if again and not claim.abandoned:
            self._let_the_first_send(claim)
        try:
            report = await self._publish(accepted, again=True)
        except Unavailable:  # it may be published all the same: the key stays with its submission
            await self._noted(self.claims.abandon(name), "claim_not_abandoned", accepted.task)
            raise
        await self._noted(self.claims.settle(name), "claim_not_settled", accepted.task)
        return accepted.task, report

    def _let_the_first_send(self, claim: Claim) -> None:
        if self.clock() - claim.at < _SENDING_SECONDS:
            detail = "Its answer is yours too: send the same again when Retry-After says."
            raise ProblemKind.IN_PROGRESS.problem(detail, retry_after=1)

    async def _publish(self, accepted: AcceptedTask, *, again: bool = False) -> Report:
        message, holder = accepted.message, accepted.holder
        return await self.submit(accepted.task, message, key=holder, again=again, noted=True)

    async def _noted(self, note: Awaitable[None], trouble: str, task: Task) -> None:
        try:
            await note
        except Unavailable:  # who sends the same after half a minute publishes it again
            log.warning(trouble, extra=task.log_context())
