"""Calls of the client on dead letters, for operators."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from atelier.caller import Caller
from atelier.errors import Misused, parsed
from models.dead_letters import (
    MOST_CHOSEN,
    DeadLetterList,
    DeadLetterView,
    LetterOutcome,
    LetterOutcomes,
)

_PATH = "/v1/dead-letters"


class DeadLetterCalls:
    """Calls on the messages that queues gave up; they need an operator's key.

    A ``queue`` is the name of a runtime, ``results-callbacks`` for calls of callbacks, or
    ``tasks-unrouted`` or ``tasks-undelivered``.
    """

    _caller: Caller

    async def dead_letters(
        self, queue: str | None = None, *, limit: int = 20, cursor: str | None = None
    ) -> DeadLetterList:
        """Read a page of dead letters, the newest first; of all queues unless one is named."""
        params = {"queue": queue, "limit": limit, "cursor": cursor}
        return await self._caller.call(DeadLetterList, "GET", _PATH, params)

    async def dead_letter(self, queue: str, id: str) -> DeadLetterView:  # noqa: A002
        """Read one dead letter.

        Raises:
            NotFound: it is not there, or somebody else is looking at it.
        """
        return await self._caller.call(DeadLetterView, "GET", f"{_path(queue)}/{_part(id)}")

    async def redrive(
        self,
        queue: str,
        ids: Collection[str] = (),
        *,
        all: bool = False,  # noqa: A002
        to: str | None = None,
        edit: Mapping[str, Any] | None = None,
        anew: bool = False,
    ) -> Sequence[LetterOutcome]:
        """Send letters to the queue that they came from, or to that of the runtime ``to``.

        ``edit`` is a JSON merge patch of the message of one letter; ``anew`` sends tasks as
        submissions of their own. Repeated after a lost answer it does no harm.
        """
        fields = {"to": to, "edit": edit, "anew": anew or None}
        return await self._work(f"{_path(queue)}/redrive", ids, fields, everything=all)

    async def purge(
        self,
        queue: str,
        ids: Collection[str] = (),
        *,
        all: bool = False,  # noqa: A002
    ) -> Sequence[LetterOutcome]:
        """Delete letters for good."""
        return await self._work(f"{_path(queue)}/purge", ids, {}, everything=all)

    async def _work(
        self, path: str, ids: Collection[str], fields: Mapping[str, Any], *, everything: bool
    ) -> Sequence[LetterOutcome]:
        if everything == bool(ids):
            raise Misused("ids: give ids of letters, or all=True; not both")
        chosen = list(ids)
        parts = [chosen[n : n + MOST_CHOSEN] for n in range(0, len(chosen), MOST_CHOSEN)]
        choices: list[dict[str, Any]] = [{"ids": part} for part in parts] or [{"all": True}]
        done: list[LetterOutcome] = []
        while choices:
            choice = choices.pop(0)
            answer = await self._post(path, {**choice, **fields})
            done += answer.outcomes
            # As long as it gets on: what comes back is sent after `before`, and left alone.
            if everything and answer.more and answer.outcomes:
                choices.append({"all": True, "before": answer.before})
        return done

    async def _post(self, path: str, fields: Mapping[str, Any]) -> LetterOutcomes:
        given = {name: value for name, value in fields.items() if value is not None}
        try:
            content = json.dumps(given, allow_nan=False).encode()
        except (TypeError, ValueError) as exc:
            raise Misused(f"edit: {exc}") from None
        headers = {"content-type": "application/json"}
        request = self._caller.request("POST", path, content=content, headers=headers)
        return parsed(LetterOutcomes, await self._caller.ask(request))


def _path(queue: str) -> str:
    return f"{_PATH}/{_part(queue)}"


def _part(text: str) -> str:
    """Quote a part of a path.

    Raises:
        Misused: it is none; an empty one, or dots, would be another path.
    """
    if text.strip(".") == "":
        raise Misused("queue, id: must be a name")
    return quote(text, safe="", errors="surrogatepass")
