"""Runtime types: what each can do, which options it has; no torch, Ray or SDK.

The HTTP API, the edge's function, ingest and the command share these; adapters take their kinds and
options from here.
"""

from collections.abc import Mapping

from models.runtimes.comfyui import COMFYUI
from models.runtimes.diffusers import DIFFUSERS
from models.runtimes.fake import FAKE
from models.runtimes.sdwebui import SDWEBUI
from models.runtimes.type import RuntimeType

__all__ = ["TYPES", "RuntimeType", "runtime_type"]

TYPES: Mapping[str, RuntimeType] = {
    type_.name: type_ for type_ in (COMFYUI, DIFFUSERS, FAKE, SDWEBUI)
}
"""Types that come with atelier, by their names."""


def runtime_type(name: str) -> RuntimeType | None:
    """Find a type that comes with atelier; None for a third party's."""
    return TYPES.get(name)
