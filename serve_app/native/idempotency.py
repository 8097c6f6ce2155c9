"""Submits a task once for each idempotency key, whatever becomes of who sent it first."""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from models import strict_json
from models.errors import Unavailable
from models.ports import Claim, Claims
from models.task import Task
from serve_app.native.accepted import AcceptedTask
from serve_app.native.problems import ProblemKind
from serve_app.submit import Submit

log = logging.getLogger("ray.serve.atelier.api")

_SENDING_SECONDS = 30.0  # a sender that has not settled its claim after these has died


@dataclass(frozen=True, kw_only=True)
class Idempotency:
    """Publishes an order, or finds what an earlier request with its key has published."""

    submit: Submit
    claims: Claims
    clock: Callable[[], float]

    async def __call__(self, order: AcceptedTask, key: str | None) -> tuple[Task, bool]:
        """Its task, and whether that was published before; without a key it never was.

        Raises:
            Problem: the key was used for another order, or its first request is under way.
            Unavailable: it was not published.
        """
        if key is None:
            return await self._publish(order, self.submit.mint()), False
        name = f"{quote(order.holder, safe='')}/{key}"
        mine = {"digest": order.digest, "submission": self.submit.mint()}
        claim = await self.claims.claim(name, strict_json.written(mine))
        first = json.loads(claim.value)
        if first["digest"] != order.digest:
            raise ProblemKind.KEY_REUSED.at("Idempotency-Key", "take a new one for another task")
        if claim.settled:
            return order.task(first["submission"]), True
        again = first != mine  # ours is ours though its answer was lost and it was made twice
        if again:
            self._let_the_first_send(claim)
        task = await self._send(order, first["submission"], name, again=again)
        await self._settle(name, task)
        return task, False

    def _let_the_first_send(self, claim: Claim) -> None:
        if self.clock() - claim.at < _SENDING_SECONDS:
            detail = "Its answer is yours too: send the same again when Retry-After says."
            raise ProblemKind.IN_PROGRESS.problem(detail, retry_after=1)

    async def _send(self, order: AcceptedTask, submission: str, name: str, *, again: bool) -> Task:
        try:
            return await self._publish(order, submission, again=again)
        except Unavailable:
            if not again:
                await self._release(name)
            raise

    async def _publish(self, order: AcceptedTask, submission: str, *, again: bool = False) -> Task:
        message = order.message(submission)
        return await self.submit(
            message,
            order.runtime,
            key=order.holder,
            submission=submission,
            again=again,
            noted=True,
        )

    async def _settle(self, name: str, task: Task) -> None:
        try:
            await self.claims.settle(name)
        except Unavailable:  # then the next request publishes it again, as the same submission
            log.warning("claim_not_settled", extra=task.log_context())

    async def _release(self, name: str) -> None:
        try:
            await self.claims.release(name)
        except Unavailable:  # then the next request takes over when its sender counts as dead
            log.warning("claim_not_released")
