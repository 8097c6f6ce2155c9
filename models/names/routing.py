"""SNS filter policies: the messages of the tasks topic that each queue takes."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.settings.groups import Runtime

Policy = Mapping[str, Any]

RUNTIME = "runtime"
CHECKPOINT = "sd_model_checkpoint"
_COMBINATIONS = 150
"""Most combinations of the lists' values that SNS takes in a policy."""


def of_runtime(runtime: "Runtime") -> Policy:
    """Match messages that name the runtime, in any case, or the checkpoint it loads first."""
    named = {RUNTIME: [{"equals-ignore-case": runtime.name}]}
    if runtime.model_filename is None:
        return named
    # All keys of a policy must match; a message names its runtime, or by v1alpha1 a checkpoint.
    return {"$or": [named, {CHECKPOINT: [runtime.model_filename]}]}


def of_unrouted(runtimes: Iterable["Runtime"]) -> Policy:
    """Match messages that no runtime takes.

    SNS lets ``anything-but`` ignore no case, so a name in unusual case (``sdRunTime``) is routed
    and leaves a copy here too; and a message without any attribute matches no policy at all. With
    more checkpoints than SNS can combine with the names, a message that names a checkpoint alone
    leaves a copy, too.
    """
    names = [case for runtime in runtimes for case in _cases(runtime.name)]
    files = [runtime.model_filename for runtime in runtimes if runtime.model_filename is not None]
    combined = (1 + len(names)) * (1 + len(files))  # as if each value within a list counted
    with_files = {CHECKPOINT: _none_of(files)} if files and combined <= _COMBINATIONS else {}
    return {RUNTIME: _none_of(names)} | with_files


def _none_of(values: Sequence[str]) -> Sequence[Any]:
    # One of a list is enough. `anything-but` by itself takes no message that lacks the attribute.
    return [{"exists": False}, {"anything-but": list(values)}]


def _cases(name: str) -> Sequence[str]:
    # Only spellings that people write: all of them would be two for each letter.
    return sorted({name, name.upper(), name.capitalize(), name.title()})
