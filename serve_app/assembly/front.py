"""What the HTTP API works with, put together from ports; on the cluster as behind API Gateway."""

import asyncio
from collections.abc import Sequence
from functools import cache, partial

from ingest.cancel import Cancel
from ingest.notify import Notifier
from ingest.wiring import Ports
from models.checkpoints import STABLE_DIFFUSION, Checkpoints
from models.ports import Queue
from models.runtimes import runtime_type
from models.runtimes.contents import Contents, Describe
from models.settings import Settings
from serve_app.auth import Keys
from serve_app.capacity import Capacity
from serve_app.context import Front, Signs
from serve_app.dialects.rules import Kinds
from serve_app.submit import Submit
from serve_app.watching.feed import Feed


def native(
    settings: Settings,
    ports: Ports,
    feed: Feed,
    *,
    keys: Keys,
    kinds: Kinds,
    describe: Describe = runtime_type,
    signs: Signs | None = None,
    longest_answer: float | None = None,
) -> Front:
    """Assemble what the HTTP API works with; ``signs`` defaults to the settings' callback secrets.

    ``describe`` finds runtime types; third parties' types only if their adapters are installed.
    """
    submit = Submit(
        topic=ports.tasks,
        objects=ports.objects,
        ledger=ports.ledger,
        bucket=settings.names.output_bucket,
    )

    @cache
    def queue(runtime: str) -> Queue:  # it remembers its URL
        return ports.queue(runtime)

    async def backlog(runtime: str) -> int:
        return await queue(runtime).backlog()

    return Front(
        settings=settings,
        submit=submit,
        keys=keys,
        capacity=Capacity.of(settings.limits),
        kinds=kinds,
        contents=Contents.of(settings.models_runtime, describe),
        signs=signs or (lambda key: settings.callback_secret(key) is not None),
        ledger=ports.ledger,
        objects=ports.objects,
        claims=ports.claims,
        cancel=Cancel(ledger=ports.ledger, notifier=notifier(ports), live=feed.live),
        feed=feed,
        longest_answer=longest_answer,
        backlog=backlog,
        checkpoints=partial(_checkpoints, settings, ports),
    )


def notifier(ports: Ports) -> Notifier:
    return Notifier(results=ports.results, callbacks=ports.callbacks)


async def _checkpoints(settings: Settings, ports: Ports) -> Sequence[str]:
    """The checkpoints there are, in the folder or in the bucket of weights."""
    if settings.checkpoints is not None:
        shelf = Checkpoints(settings.checkpoints).stable_diffusion
        return await asyncio.to_thread(lambda: shelf.names)
    under = f"s3://{settings.model_bucket}/{STABLE_DIFFUSION}/"
    return [uri.removeprefix(under) for uri in await ports.objects.list(under)]
