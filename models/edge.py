"""What the Lambda edge is told when it is deployed; no secret is in it."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from models.settings import Settings

FILE = "edge.json"
"""The file beside the edge's code that holds an `EdgeConfig`."""
KEY_NAMES = "EDGE_KEY_NAMES"
"""The environment variable with pairs of an API key's id at the gateway and its name, in JSON."""


class EdgeConfig(BaseModel):
    """The settings without secrets, and what must be known of those."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    settings: Mapping[str, Any]
    all_signed: bool
    """Whether callbacks are signed whichever key a task was sent with."""
    signed: tuple[str, ...]
    """Names of keys whose tasks' callbacks are signed with a secret of their own."""

    @classmethod
    def of(cls, settings: Settings) -> "EdgeConfig":
        told = settings.without_secrets()
        if settings.model_bucket is not None:
            told.pop("checkpoints", None)  # a folder that is not there
        return cls(
            settings=told,
            all_signed=settings.callbacks.secret is not None,
            signed=tuple(key.name for key in settings.api_keys if key.callback_secret),
        )

    def signs(self, key: str) -> bool:
        """Whether callbacks of tasks sent with the key of this name are signed."""
        return self.all_signed or key in self.signed


def key_names(settings: Settings) -> tuple[str, ...]:
    """The API keys that the gateway has: as configured, by name, and at least one."""
    return tuple(key.name for key in settings.api_keys) or ("default",)
