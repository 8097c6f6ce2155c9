"""Views: reports as the native API answers them."""

import json
from dataclasses import asdict, dataclass
from urllib.parse import quote

from models.native import (
    ArtifactView,
    CallbackView,
    CallView,
    ErrorView,
    ProgressView,
    TaskView,
)
from models.ports import Objects
from models.report import Failure, Progress, Report
from serve_app.watching.estimates import Wait

_LINK_SECONDS = 3600  # S3 ends a link sooner if the credentials that signed it end


@dataclass(frozen=True, kw_only=True)
class Views:
    """Maker of views for one client."""

    objects: Objects
    base: str
    """Base URL of the API as the client reaches it; ends with a slash."""

    async def task(
        self, report: Report, wait: Wait | None = None, progress: Progress | None = None
    ) -> TaskView:
        wait = wait or Wait()
        url = f"{self.base}v1/tasks/{quote(report.id)}"
        query = f"?submission={quote(report.submission, safe='')}"
        return TaskView(
            id=report.id,
            submission=report.submission,
            runtime=report.runtime,
            kind=report.kind,
            status=report.status,
            attempt=report.attempt,
            position=wait.position,
            eta_seconds=wait.eta_seconds,
            phase=wait.phase,
            why=wait.why,
            progress=progress_view(progress) if progress else None,
            seconds=dict(report.seconds),
            checkpoint=report.checkpoint,
            artifacts=await self.artifacts(report),
            output=await self.artifact(report, 0),
            error=_error(report.failure) if report.failure else None,
            key=report.key,
            context=None if report.context is None else json.loads(report.context),
            callback=_callback(report),
            ttl=report.ttl,
            deadline=report.deadline,
            created=report.created,
            updated=report.updated,
            status_url=f"{url}{query}",
            events_url=f"{url}/events{query}",
        )

    async def artifacts(self, report: Report) -> tuple[ArtifactView, ...]:
        numbered = enumerate(report.artifacts, 1)
        return tuple([await self._artifact(n, uri) for n, uri in numbered])

    async def artifact(self, report: Report, n: int) -> ArtifactView | None:
        """Make the view of an artifact by its number from 1; 0 is the runtime's whole answer."""
        if n == 0:
            return await self._artifact(0, report.output) if report.output else None
        artifacts = report.artifacts
        return await self._artifact(n, artifacts[n - 1]) if n <= len(artifacts) else None

    async def _artifact(self, n: int, uri: str) -> ArtifactView:
        return ArtifactView(n=n, uri=uri, url=await self.objects.link(uri, _LINK_SECONDS))


def progress_view(progress: Progress) -> ProgressView:
    return ProgressView(step=progress.step, of=progress.of)


def _error(failure: Failure) -> ErrorView:
    return ErrorView(kind=failure.kind, message=failure.message, reason=failure.reason)


def _callback(report: Report) -> CallbackView | None:
    if report.callback is None:
        return None
    calls = tuple(CallView(**asdict(call)) for call in report.calls)
    return CallbackView(url=report.callback.url, events=report.callback.events, calls=calls)
