"""Which messages of the tasks topic each queue takes, as SNS filter policies; knows no client."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.settings.groups import Runtime

Policy = Mapping[str, Any]

RUNTIME = "runtime"
CHECKPOINT = "sd_model_checkpoint"
_COMBINATIONS = 150
"""SNS takes no policy whose lists, multiplied by their lengths, have more."""


def of_runtime(runtime: "Runtime") -> Policy:
    """Messages that name the runtime, in any case, or the checkpoint that it loads first."""
    named = {RUNTIME: [{"equals-ignore-case": runtime.name}]}
    if runtime.model_filename is None:
        return named
    return {"$or": [named, {CHECKPOINT: [runtime.model_filename]}]}


def of_unrouted(runtimes: Iterable["Runtime"]) -> Policy:
    """Messages that no runtime takes.

    SNS lets ``anything-but`` ignore no case, so a name in unusual case (``sdRunTime``) is routed
    and leaves a copy here too; and a message without any attribute matches no policy at all. With
    more checkpoints than SNS can combine with the names, a message that names a checkpoint alone
    leaves a copy, too.
    """
    names = [case for runtime in runtimes for case in _cases(runtime.name)]
    files = [r.model_filename for r in runtimes if r.model_filename is not None]
    combined = (1 + len(names)) * (1 + len(files))  # as if each value within a list counted
    with_files = {CHECKPOINT: _none_of(files)} if files and combined <= _COMBINATIONS else {}
    return {RUNTIME: _none_of(names)} | with_files


def _none_of(values: Sequence[str]) -> Sequence[Any]:
    return [{"exists": False}, {"anything-but": list(values)}]


def _cases(name: str) -> Sequence[str]:
    return sorted({name, name.upper(), name.capitalize(), name.title()})
