"""Callback calls: signed, made, noted on the task, and made again after a pause.

The form of a call is that of https://www.standardwebhooks.com. The network is left to a `Post`.
"""

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http import HTTPStatus

from pydantic import SecretStr
from standardwebhooks import Webhook

from ingest.call_request import CallRequest
from ingest.lease import lease
from ingest.receiver import Receiver
from models.backoff import Backoff
from models.errors import AtelierError, Unavailable
from models.ledger import Ledger
from models.ports import Delivery
from models.settings.groups import Callbacks
from models.task import Call

log = logging.getLogger("ray.serve.atelier.ingest")

_MOST_PER_ORIGIN = 10
"""Most calls at once to one origin, so that calls that hang leave room for others'."""
_TURNS = Backoff(first=2, longest=512)
"""Pauses of a call that waits for room at its origin, in seconds, by its deliveries."""
_LONGEST_ERROR = 300  # characters


class CallRefused(AtelierError):
    """The call may not be made; another try would end the same way."""


class Post(ABC):
    """Port to the servers of strangers."""

    @abstractmethod
    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """Make a POST request; return the status that came back.

        It has no deadline of its own. Texts of errors may be shown to the task's sender.

        Raises:
            CallRefused: the URL may not be called.
            Unavailable: no status came back.
        """


@dataclass(kw_only=True, eq=False)
class CallbackSender(Receiver):
    """Makes the calls that wait in a queue; how often each was made, the ledger counts."""

    ledger: Ledger
    post: Post
    secret: Callable[[str | None], SecretStr | None]
    """Find what signs the calls for tasks that were sent with the API key of this name."""
    rules: Callbacks
    capacity: int = 100
    lease_seconds: int = 30
    clock: Callable[[], float] = time.time
    _calling: Counter[str] = field(default_factory=Counter, init=False)
    """Count of the calls under way to each origin."""

    async def handle(self, delivery: Delivery) -> None:
        """Make a call; acknowledge it, give it up, or leave it in the queue for another try.

        After a crash the call is made again under the same ``webhook-id``, by which its receiver
        knows it.
        """
        try:
            request = CallRequest.model_validate_json(delivery.body)
            payload = request.payload(delivery.sent or self.clock())
        except ValueError:
            await self.queue.reject(delivery, reason="the message asks for no call")
            return
        if self._calling[request.origin] >= _MOST_PER_ORIGIN:
            # No call was made, so this is no try: the ledger counts those, not the deliveries.
            await self.queue.extend(delivery, int(_TURNS.pause(delivery.attempt)))
            return
        calls, is_final = await self._try(delivery, request, payload)
        await self._settle(delivery, request, calls, is_final=is_final)

    async def _try(
        self, delivery: Delivery, request: CallRequest, payload: str
    ) -> tuple[Sequence[Call], bool]:
        """Make and note a call; return all calls so far, and whether this one is final."""
        self._calling[request.origin] += 1
        try:
            async with lease(self.queue, delivery, self.lease_seconds):
                # Both within the lease: a copy that came back before the note would call again.
                call, is_final = await self._call(request, payload)
                noted = await self.patience(
                    lambda: self.ledger.add_call(request.id, request.submission, call)
                )
                return noted, is_final
        finally:
            self._calling -= Counter([request.origin])  # drops an origin at zero

    async def _call(self, request: CallRequest, payload: str) -> tuple[Call, bool]:
        """Make a call; return its outcome, and whether that is final whatever it is."""
        call = Call(event=request.event, at=self.clock())
        limit = self.rules.timeout_seconds
        try:
            headers = self._headers(request, payload)
            async with asyncio.timeout(limit):
                status = await self.post.post(request.url, headers, payload.encode())
        except TimeoutError:
            return replace(call, error=f"it took over {limit:g} s"), False
        except Unavailable as exc:
            return replace(call, error=str(exc)[:_LONGEST_ERROR]), False
        except CallRefused as exc:
            return replace(call, error=f"refused: {exc}"[:_LONGEST_ERROR]), True
        # By Standard Webhooks, who answers 410 Gone wants no further calls.
        return replace(call, status=status, error=_error(status)), status == HTTPStatus.GONE

    def _headers(self, request: CallRequest, payload: str) -> Mapping[str, str]:
        secret = self.secret(request.key)
        if secret is None:
            raise CallRefused("there is no secret to sign it with; set callbacks.secret")
        now = datetime.fromtimestamp(self.clock(), UTC)
        signer = Webhook(secret.get_secret_value())
        return {
            "content-type": "application/json",
            "user-agent": "atelier",
            "webhook-id": request.name,
            # When this try is made, not the event: receivers refuse what was signed minutes ago.
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signer.sign(request.name, now, payload),
        }

    async def _settle(
        self, delivery: Delivery, request: CallRequest, calls: Sequence[Call], *, is_final: bool
    ) -> None:
        """Acknowledge a call, give it up, or leave it for the next try."""
        made = [call for call in calls if call.event == request.event]
        last, tries = made[-1], len(made)
        fields = {**request.log_context(), "call": tries, "status": last.status}
        if any(call.error is None for call in made):  # this one, or that of a copy of the message
            log.info("callback_called", extra=fields)
            await self.queue.ack(delivery)
        elif is_final or tries > len(self.rules.retry_seconds):
            log.warning("callback_given_up", extra={**fields, "why": last.error})
            await self.queue.reject(delivery, reason=last.error or "")
        else:
            log.warning("callback_failed", extra={**fields, "why": last.error})
            # The message itself waits, hidden for so long: a restart of ingest loses no retry.
            await self.queue.extend(delivery, self.rules.retry_seconds[tries - 1])


def _error(status: int) -> str | None:
    match status // 100:
        case 2:
            return None
        case 3:
            return f"it answered {status}; redirects are not followed"
        case _:
            return f"it answered {status}"
