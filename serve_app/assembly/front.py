"""Assembly of the HTTP APIs' context, on the cluster as behind API Gateway."""

import asyncio
import math
from collections.abc import Callable, Sequence
from functools import cache, partial

from ingest.boards import Boards
from ingest.cancel import Cancel
from ingest.dead_letters import DeadLetters
from ingest.notify import Notifier
from ingest.wiring import Ports
from models.checkpoints import STABLE_DIFFUSION, Checkpoints
from models.ports import Queue
from models.runtimes import runtime_type
from models.runtimes.contents import Contents, Describe
from models.settings import Settings
from models.task import Kind
from serve_app.auth import Keys
from serve_app.capacity import Capacity
from serve_app.context import Front, SignsCallbacks
from serve_app.runtimes import Runtimes
from serve_app.submit import Submit
from serve_app.watching.feed import Feed

_LETTER_SECONDS = 10.0
"""Seconds for which a call works on dead letters, which it holds meanwhile under a lease of 30."""


def assemble_front(
    settings: Settings,
    ports: Ports,
    feed: Feed,
    *,
    keys: Keys,
    kinds_of_type: Callable[[str], frozenset[Kind]],
    describe: Describe = runtime_type,
    signs_callbacks: SignsCallbacks | None = None,
    longest_answer: float | None = None,
) -> Front:
    """Assemble the context of the HTTP APIs.

    ``kinds_of_type`` and ``describe`` find what is known of a runtime type; of a third party's
    only where its adapter is installed. ``signs_callbacks`` defaults to the settings' secrets.
    """
    submit = Submit(
        topic=ports.tasks,
        objects=ports.objects,
        ledger=ports.ledger,
        bucket=settings.names.output_bucket,
    )

    @cache
    def queue(runtime: str) -> Queue:  # one object for each, which remembers its URL
        return ports.queue(runtime)

    async def backlog(runtime: str) -> int:
        return await queue(runtime).backlog()

    return Front(
        submit=submit,
        keys=keys,
        capacity=Capacity.of(settings.limits),
        runtimes=Runtimes.of(settings.models_runtime, kinds_of_type),
        scaling=settings.scaling_of,
        contents=Contents.of(settings.models_runtime, describe),
        signs_callbacks=signs_callbacks or (lambda key: settings.callback_secret(key) is not None),
        ledger=ports.ledger,
        objects=ports.objects,
        claims=ports.claims,
        cancel=Cancel(
            ledger=ports.ledger, notifier=notifier(settings, ports), boards=Boards(feed.ingests)
        ),
        dead_letters=DeadLetters(
            queues=ports.dead_letters,
            sources=ports.sources,
            ledger=ports.ledger,
            # A call under way at the end of that takes a second more, and giving back another.
            seconds=min(_LETTER_SECONDS, (longest_answer or math.inf) / 2),
        ),
        feed=feed,
        longest_answer=longest_answer,
        backlog=backlog,
        checkpoints=partial(_list_checkpoints, settings, ports),
        output_bucket=settings.names.output_bucket,
        max_payload_bytes=settings.tasks.max_payload_bytes,
        limits=settings.limits,
        trusted_proxies=[str(network) for network in settings.ingress.trusted_proxies or ()],
    )


def notifier(settings: Settings, ports: Ports) -> Notifier:
    return Notifier(
        results=ports.results,
        callbacks=ports.callbacks,
        objects=ports.objects,
        output=f"s3://{settings.names.output_bucket}",
    )


async def _list_checkpoints(settings: Settings, ports: Ports) -> Sequence[str]:
    """List the checkpoints in the local folder, or else in the bucket of weights.

    Raises:
        Unavailable: the bucket does not answer.
    """
    if settings.checkpoints is not None:
        shelf = Checkpoints(settings.checkpoints).stable_diffusion
        # It walks through a folder, which may be a mounted bucket.
        return await asyncio.to_thread(lambda: shelf.names)
    under = f"s3://{settings.model_bucket}/{STABLE_DIFFUSION}/"
    return [uri.removeprefix(under) for uri in await ports.objects.list(under)]
