"""Meaning of ComfyUI's errors: for the task, for the backend, for the log."""

import logging
from collections.abc import Mapping
from typing import Any

from deployments.device_fault import DeviceFault, fault_in
from deployments.runtimes.comfyui.graph import Graph
from deployments.runtimes.comfyui.words import LONGEST_NAME, brief
from models.errors import TaskFailed

log = logging.getLogger("ray.serve.atelier.comfyui")


class RetryWithFreshMemory(Exception):
    """The same prompt may end better on this very server, with its memory and caches dropped."""


def fault_of(error: Mapping[str, Any]) -> DeviceFault | None:
    """Find the device's fault behind a failed node; None if the failure is the graph's own."""
    return fault_in(f"{error.get('exception_type')}: {error.get('exception_message')}")


def failed(error: Mapping[str, Any], graph: Graph) -> TaskFailed:
    """Turn a failed node into the task's failure, without the node's inputs, which stay secret."""
    kind, message = error.get("exception_type"), brief(error.get("exception_message"))
    where = graph.title(str(error.get("node_id")))
    keys = ("node_id", "node_type", "exception_type")
    named = {key: str(error.get(key))[:LONGEST_NAME] for key in keys}
    reason = named | {"exception_message": message}
    return TaskFailed(f"{where} failed with {kind}: {message}", reason=reason)


def log_failure(error: Mapping[str, Any], prompt: str) -> None:
    """Log what a client is not told: paths and tensors are the server's."""
    extra = {"prompt": prompt, "node": error.get("node_id"), "node_type": error.get("node_type")}
    trace = "".join(map(str, error.get("traceback") or ()))
    log.warning("comfyui_node_failed", extra=extra | {"trace": trace})
    log.debug("comfyui_node_inputs", extra=extra | {"inputs": error.get("current_inputs")})
