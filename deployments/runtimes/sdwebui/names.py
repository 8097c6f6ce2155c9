"""Names in a request, spelled as the server spells them.

The server itself refuses no unknown sampler or schedule: A1111 and Forge draw with another one.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from deployments.runtimes.sdwebui.request import CHECKPOINT_KINDS, Request
from deployments.runtimes.sdwebui.server import API, Server
from models.errors import TaskFailed
from models.runtimes.webui import flag
from models.task import Kind

_SAMPLERS, _SCHEDULERS = f"{API}/samplers", f"{API}/schedulers"
_UPSCALERS, _LATENT = f"{API}/upscalers", f"{API}/latent-upscale-modes"

Spellings = Mapping[str, str]
"""Server's spelling of a name, by the name in lower case."""


@dataclass
class Names:
    """Server's lists of names: each is read when first needed, and again when a name is missing."""

    server: Server
    _lists: dict[str, Spellings | None] = field(default_factory=dict)

    async def resolve(self, request: Request) -> Request:
        """Return the request with its names as the server spells them.

        Raises:
            TaskFailed: there is no such name; the message lists those that there are.
            RuntimeUnavailable: the server broke off.
        """
        for key, paths in _named_fields(request):
            if request.names(key):
                request = request.with_fields(**await self._fields(key, request.body[key], paths))
        return request

    async def _fields(self, key: str, name: str, paths: tuple[str, ...]) -> dict[str, str]:
        known: dict[str, str] = {}
        for again in (False, True):
            lists = [await self._list(path, again=again) for path in paths]
            if None in lists:
                return {}  # the server has no such list
            known = {
                lower: spelling for names in lists for lower, spelling in (names or {}).items()
            }
            if spelling := known.get(name.lower()):
                return {key: spelling}
            if paths == (_SAMPLERS,) and (both := await self._combined(key, name, known)):
                return both
        available = ", ".join(dict.fromkeys(known.values())) or "nothing"
        raise TaskFailed(f"{key}: no {name!r}; there is: {available}")

    async def _combined(self, key: str, name: str, samplers: Spellings) -> dict[str, str]:
        """Split a sampler and its schedule in one name, as older clients write them."""
        schedules = await self._list(_SCHEDULERS, again=False) or {}
        for lower, schedule in schedules.items():
            sampler = samplers.get(name.lower().removesuffix(f" {lower}"))
            if sampler:
                return {key: sampler, f"{'hr_' * key.startswith('hr_')}scheduler": schedule}
        return {}

    async def _list(self, path: str, *, again: bool) -> Spellings | None:
        if again or path not in self._lists:
            found = await self.server.find(path)
            self._lists[path] = None if found is None else dict(_spellings(found))
        return self._lists[path]


def _named_fields(request: Request) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the fields that hold a name which counts, and the lists it may be from."""
    if request.kind not in CHECKPOINT_KINDS:
        yield from (("upscaler_1", (_UPSCALERS,)), ("upscaler_2", (_UPSCALERS,)))
        return
    yield "scheduler", (_SCHEDULERS,)
    if request.sampler:
        yield request.sampler, (_SAMPLERS,)
    if request.kind is Kind.TEXT_TO_IMAGE and flag(request.body.get("enable_hr")):
        yield "hr_scheduler", (_SCHEDULERS,)
        yield "hr_sampler_name", (_SAMPLERS,)
        yield "hr_upscaler", (_UPSCALERS, _LATENT)


def _spellings(entries: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for entry in entries:
        spelling = str(entry.get("label") or entry["name"])
        for name in (spelling, entry["name"], *(entry.get("aliases") or ())):
            yield str(name).lower(), spelling
