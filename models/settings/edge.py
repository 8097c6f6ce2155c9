"""Configuration of the Lambda edge, written when it is deployed; no secret is in it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from models.errors import SettingsError
from models.role import Role
from models.runtimes import runtime_type
from models.settings import Settings
from models.settings.credentials import without_credentials

FILE = "edge.json"
"""Name of the file beside the edge's code that holds an `EdgeConfig`."""
KEY_NAMES = "EDGE_KEY_NAMES"
"""Environment variable with pairs of an API key's id at the gateway and its name, in JSON."""

_LARGEST = 4 * 2**20
"""Bytes of the largest body; Lambda takes 6 MB of a call, in which a body is a string of JSON:
quotes are longer there."""


class EdgeConfig(BaseModel):
    """Settings without secrets, and facts about the secrets that the edge must know."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    settings: Mapping[str, Any]
    all_signed: bool
    """Flag: callbacks are signed whichever key a task was sent with."""
    signed: tuple[str, ...]
    """Names of keys whose tasks' callbacks are signed with a secret of their own."""
    roles: Mapping[str, Role] = Field(default_factory=dict)
    """Roles of keys by their names; a name that is missing has the role ``artist``."""
    expires: Mapping[str, datetime] = Field(default_factory=dict)
    """Moments from which gateway keys are refused, by name, for names whose key expires."""

    @classmethod
    def of(cls, settings: Settings) -> "EdgeConfig":
        """Write the configuration of this installation's edge.

        Raises:
            SettingsError: Lambda would not take the largest task.
        """
        if settings.tasks.max_payload_bytes > _LARGEST:
            raise SettingsError(
                f"tasks.maxPayloadBytes: at most {_LARGEST} with edge.enabled, for Lambda"
            )
        config = settings.without_secrets()
        if settings.model_bucket is not None:
            config.pop("checkpoints", None)  # a folder that is not there
        config.pop("apiKeysFile", None)
        config["modelsRuntime"] = [_completed(runtime) for runtime in config["modelsRuntime"]]
        return cls(
            settings=config,
            all_signed=settings.callbacks.secret is not None,
            signed=tuple(key.name for key in settings.api_keys if key.callback_secret),
            roles={key.name: key.role for key in settings.api_keys},
            expires={key.name: key.expires for key in settings.api_keys if key.expires},
        )

    def signs(self, key: str) -> bool:
        """Tell whether callbacks of tasks sent with the key of this name are signed."""
        return self.all_signed or key in self.signed


def _completed(runtime: Mapping[str, Any]) -> dict[str, Any]:
    """Complete a runtime's options as its replicas have them; without a server's credentials."""
    options = runtime.get("options", {})
    type_ = runtime_type(runtime["type"])
    completed = type_.in_cluster(options) if type_ else options
    return {**runtime, "options": without_credentials(completed)}


def key_names(settings: Settings) -> tuple[str, ...]:
    """Name the API keys that the gateway has: those configured, and at least one."""
    # Without any key API Gateway would let nobody in.
    return tuple(dict.fromkeys(key.name for key in settings.api_keys)) or ("default",)
