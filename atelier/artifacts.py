"""Downloads of artifacts: by the platform's links, streamed, without the API key."""

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import httpx

from atelier.caller import Caller
from atelier.errors import link_of
from atelier.files import Saving, stem_of
from models.native import TaskView

SaveProgress = Callable[[int, int, int | None], None]
"""Report a download: the artifact's number, bytes so far, and its size or None if not known."""

_LINKED = frozenset({307})
"""Status with which the platform redirects to an artifact."""


class Artifacts:
    """Fetches the artifacts of one platform's tasks."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def bytes_of(
        self, path: str, params: Mapping[str, str | None], n: int, most: int | None
    ) -> bytes:
        """Read artifact ``n`` of the task at this path into memory; ``most`` None sets no bound.

        Raises:
            TooLarge: the artifact has more than ``most`` bytes.
        """
        body = io.BytesIO()

        def begin(_: int | None) -> None:
            # A new try gets the file from its first byte again; what a broken one left must go.
            body.seek(0)
            body.truncate()

        async def take(part: bytes) -> None:
            body.write(part)

        link = await self._link(path, params, n)
        await self._caller.fetch(link, begin=begin, take=take, most=most)
        return body.getvalue()

    async def files_of(
        self,
        task: TaskView,
        path: str,
        folder: Path,
        *,
        most: int | None,
        progress: SaveProgress | None,
    ) -> Sequence[Path]:
        """Save the artifacts of the task at this path as files, one after the other.

        ``progress`` is called after each megabyte.

        Raises:
            TooLarge: an artifact has more than ``most`` bytes.
        """
        report, params = progress or _ignore, {"submission": task.submission}
        files = []
        for artifact in task.artifacts:
            # One at a time: a presigned link may expire while others are downloaded.
            link = await self._link(path, params, artifact.n)
            with await self._caller.channel.call(Saving, folder) as saving:
                await self._fill(saving, link, artifact.n, most, report)
                stem = stem_of(task, artifact)
                files.append(await self._caller.channel.call(saving.keep, stem, artifact.uri))
        return files

    async def _fill(
        self, saving: Saving, link: httpx.URL, n: int, most: int | None, report: SaveProgress
    ) -> None:
        size: int | None = None

        def begin(of: int | None) -> None:
            nonlocal size
            size = of
            saving.restart()
            report(n, 0, size)

        async def take(part: bytes) -> None:
            await self._caller.channel.call(saving.write, part)
            report(n, saving.size, size)

        await self._caller.fetch(link, begin=begin, take=take, most=most)

    async def _link(self, path: str, params: Mapping[str, str | None], n: int) -> httpx.URL:
        """Ask for the URL by which an artifact can be fetched without the API key.

        Raises:
            Misaddressed: the platform redirects to something that is no web address.
        """
        request = self._caller.request("GET", f"{path}/artifacts/{n}", params=params)
        return link_of(await self._caller.ask(request, right=_LINKED))


def _ignore(_: int, __: int, ___: int | None) -> None:
    pass
