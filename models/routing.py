"""Which messages of the tasks topic each queue takes, as SNS filter policies; knows no client."""

from collections.abc import Mapping, Sequence
from typing import Any

from models.parts import Runtime
from models.settings import Settings

Policy = Mapping[str, Any]

RUNTIME = "runtime"
CHECKPOINT = "sd_model_checkpoint"


def of_runtime(runtime: Runtime) -> Policy:
    """Messages that name the runtime, in any case, or the checkpoint that it loads first."""
    named = {RUNTIME: [{"equals-ignore-case": runtime.name}]}
    if runtime.model_filename is None:
        return named
    return {"$or": [named, {CHECKPOINT: [runtime.model_filename]}]}


def of_unrouted(settings: Settings) -> Policy:
    """Messages that no runtime takes.

    SNS lets ``anything-but`` ignore no case, so a name in unusual case (``sdRunTime``) is routed
    and leaves a copy here too; and a message without any attribute matches no policy at all.
    """
    names = [case for runtime in settings.models_runtime for case in _cases(runtime.name)]
    files = [r.model_filename for r in settings.models_runtime if r.model_filename is not None]
    return {RUNTIME: _none_of(names)} | ({CHECKPOINT: _none_of(files)} if files else {})


def _none_of(values: Sequence[str]) -> Sequence[Any]:
    return [{"exists": False}, {"anything-but": list(values)}]


def _cases(name: str) -> Sequence[str]:
    return sorted({name, name.upper(), name.capitalize(), name.title()})
