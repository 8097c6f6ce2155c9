# No `from __future__ import annotations` here: FastAPI reads the endpoints' annotations.
"""Catalogue of runtimes and checkpoints, and the readiness of the HTTP APIs."""

import asyncio
from http import HTTPStatus
from typing import Annotated

from fastapi import Path, Query, Response

from models.fleet import Supply
from models.native import (
    CheckpointList,
    CheckpointView,
    RuntimeList,
    RuntimeName,
    RuntimeView,
    SchemaView,
)
from models.settings.groups import Runtime
from serve_app.context import Front
from serve_app.native.parameters import NoQuery
from serve_app.native.problems import ProblemKind
from serve_app.problems import RETRY_SECONDS, retry_after
from serve_app.watching.cached import Cached
from serve_app.watching.estimates import Estimates

_EXTENSION = ".safetensors"  # a checkpoint may be named with it or without


class Catalogue:
    """Operations that list the runtimes, their schemas and the checkpoints."""

    def __init__(self, front: Front, estimates: Estimates) -> None:
        self.front = front
        self.estimates = estimates
        self._ledger = Cached(self._ask_ledger, front.feed.intervals.cache)

    async def runtimes(self, _: Annotated[NoQuery, Query()]) -> RuntimeList:
        """The configured runtimes; what does not answer in time is null."""
        configured = self.front.runtimes.configured
        return RuntimeList(runtimes=tuple(await asyncio.gather(*map(self._runtime, configured))))

    async def schema(
        self, name: Annotated[RuntimeName, Path()], _: Annotated[NoQuery, Query()]
    ) -> SchemaView:
        """Describe the content that a runtime takes, for each kind of task."""
        front = self.front
        runtime = front.runtimes.named(name)
        if runtime is None:
            known = ", ".join(front.runtimes.names)
            raise ProblemKind.NOT_FOUND.problem(f"There is no such runtime; there is: {known}.")
        schemas = front.contents.schemas(runtime.name)
        kinds = sorted(front.runtimes.kinds(runtime.name))
        content = {kind: dict(schemas.get(kind, {})) for kind in kinds}
        return SchemaView(runtime=runtime.name, type=runtime.type, content=content)

    async def checkpoints(self, _: Annotated[NoQuery, Query()]) -> CheckpointList:
        """The checkpoints there are, and the runtimes that can load each."""
        configured = self.front.runtimes.configured
        views = [
            CheckpointView(name=name, runtimes=tuple(r.name for r in configured if _loads(r, name)))
            for name in sorted(await self.front.checkpoints())
        ]
        return CheckpointList(checkpoints=tuple(views))

    async def ready(self, response: Response) -> dict[str, object]:
        """Tell whether tasks can be found and followed here: 200, or 503 with what is missing."""
        answers = {"ledger": self._ledger(), "ingest": self.front.feed.ready()}
        found = dict(zip(answers, await asyncio.gather(*answers.values()), strict=True))
        missing = [name for name, there in found.items() if not there]
        if missing:
            response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
            response.headers.update(retry_after(RETRY_SECONDS))
        return {"status": "unready", "missing": missing} if missing else {"status": "ready"}

    async def _runtime(self, runtime: Runtime) -> RuntimeView:
        name = runtime.name
        pace, backlog = await asyncio.gather(
            self.estimates.pace(name), self.estimates.backlog(name)
        )
        scaling = self.front.scaling(runtime)
        view = RuntimeView(
            name=name,
            type=runtime.type,
            kinds=tuple(sorted(self.front.runtimes.kinds(name))),
            checkpoint=runtime.model_filename,
            dynamic=runtime.dynamic_model,
            loaded=pace.checkpoints if pace else (),
            replicas=scaling.min_replicas,
            min_replicas=scaling.min_replicas,
            max_replicas=scaling.max_replicas,
            backlog=backlog,
            leased=pace.leased if pace else None,
            running=pace.running if pace else None,
            seconds_per_task=pace.seconds if pace else None,
        )
        return _supplied(view, pace.supply) if pace and pace.supply else view

    async def _ask_ledger(self) -> bool:
        """Ask the ledger for a task that never was; True if it answers."""
        await self.front.ledger.find("ready", "ready")
        return True


def _supplied(view: RuntimeView, supply: Supply) -> RuntimeView:
    """Tell of a runtime's replicas, too, as Serve has them and the policy wants them."""
    return view.model_copy(
        update={
            "replicas": len(supply.running),
            "wanted": supply.wanted,
            "starting": supply.starting,
            "reason": supply.reason,
            "obstacle": supply.obstacle,
            "never_started": supply.never_started,
        }
    )


def _loads(runtime: Runtime, checkpoint: str) -> bool:
    own = runtime.model_filename or ""
    same = own.removesuffix(_EXTENSION) == checkpoint.removesuffix(_EXTENSION)
    return runtime.dynamic_model or same
