"""Requests for callback calls, as they wait in a queue of their own."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from models import strict_json


class CallRequest(BaseModel):
    """Request for a callback call, as a `Notifier` publishes it."""

    model_config = ConfigDict(frozen=True)

    id: str
    submission: str
    event: str
    url: str
    key: str | None
    """Name of the API key that the task was sent with."""
    notification: Mapping[str, Any]

    @property
    def origin(self) -> str:
        """Scheme, host and port of the URL."""
        return "/".join(self.url.split("/", 3)[:3])

    @property
    def name(self) -> str:
        """Id of the call (``webhook-id``): the same in every try and every copy of the message."""
        # Joined by any separator two different triples could read the same; as JSON they cannot.
        parts = strict_json.written([self.id, self.submission, self.event])
        return f"msg_{hashlib.sha256(parts.encode()).hexdigest()[:32]}"

    def payload(self, at: float) -> str:
        """Write the body of the call; ``at`` is when the event happened, in epoch seconds."""
        when = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
        body = {"type": f"task.{self.event}", "timestamp": when, "data": self.notification}
        return strict_json.written(body)

    def log_context(self) -> Mapping[str, str]:
        return {"task": self.id, "submission": self.submission, "event": self.event}
