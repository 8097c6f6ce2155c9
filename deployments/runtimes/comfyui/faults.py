"""What ComfyUI's errors mean: for the task, for the backend, for the log."""

import logging
from collections.abc import Mapping
from enum import Enum
from typing import Any

from deployments.runtimes.comfyui.graph import Graph
from models.errors import TaskFailed

log = logging.getLogger("ray.serve.atelier.comfyui")

_MEMORY = ("OutOfMemory", "out of memory", "Allocation on device", "MemoryError", "allocate memory")
_DEVICE = ("CUDA error", "HIP error", "cuDNN error", "CUBLAS_STATUS", "AcceleratorError")
_LONGEST = 1_000


class RetryWithFreshMemory(Exception):
    """The same prompt may end better on this very server, with its memory and caches dropped."""


class Fault(Enum):
    """What is wrong with the device."""

    MEMORY = "out of memory"
    DEVICE = "the device failed"


def fault_of(error: Mapping[str, Any]) -> Fault | None:
    """The device's fault behind a failed node; None where it is the graph's own."""
    text = f"{error.get('exception_type')}: {error.get('exception_message')}"
    if any(sign in text for sign in _MEMORY):
        return Fault.MEMORY
    return Fault.DEVICE if any(sign in text for sign in _DEVICE) else None


def failed(error: Mapping[str, Any], graph: Graph) -> TaskFailed:
    """A failed node as the task's failure; what it had as inputs is nobody's business."""
    kind, message = error.get("exception_type"), _short(error.get("exception_message"))
    where = graph.title(str(error.get("node_id")))
    keys = ("node_id", "node_type", "exception_type")
    reason = {key: error.get(key) for key in keys} | {"exception_message": message}
    return TaskFailed(f"{where} failed with {kind}: {message}", reason=reason)


def note(error: Mapping[str, Any], prompt: str) -> None:
    """Keep in the log what a client is not told: its paths and tensors are the server's."""
    extra = {"prompt": prompt, "node": error.get("node_id"), "node_type": error.get("node_type")}
    trace = "".join(map(str, error.get("traceback") or ()))
    log.warning("comfyui_node_failed", extra=extra | {"trace": trace})
    log.debug("comfyui_node_inputs", extra=extra | {"inputs": error.get("current_inputs")})


def _short(message: Any) -> str:
    text = str(message).strip()
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
