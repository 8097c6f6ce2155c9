"""Numbers of replicas that the GPUs which a runtime may have on AWS never allow."""

from collections.abc import Iterator

from models.capacity import gpus_of_pod, replicas_by_gpus
from models.settings import Settings
from models.settings.groups import Runtime
from models.settings.reference_values import origin


def unreachable_faults(settings: Settings) -> Iterator[str]:
    """Say which runtimes must have more replicas on AWS than ``nodes.maxGpus`` allows.

    More than that at most is no fault: the lower bound counts, and a remark says so.
    """
    for runtime in settings.models_runtime:
        allowed = replicas_by_gpus(runtime)
        if allowed is not None:
            for setting, why in _faults(runtime, allowed):
                name = origin(setting, runtime.extra_values, runtime)
                yield f"modelsRuntime[{runtime.name}].{name}: {why}"


def _faults(runtime: Runtime, allowed: int) -> Iterator[tuple[str, str]]:
    limit = origin("nodes.maxGpus", runtime.extra_values, runtime)
    if allowed == 0:
        of_one = f"less than the {gpus_of_pod(runtime)} of one replica"
        yield "nodes.maxGpus", f"{of_one}; raise it, or lower gpus"
        return
    for setting, wanted in _wanted(runtime):
        if wanted > allowed:
            yield setting, f"{limit} is enough for {allowed}; raise that, or lower this"


def _wanted(runtime: Runtime) -> Iterator[tuple[str, int]]:
    """Walk the settings that say how many replicas there are at least."""
    yield "replicas", runtime.replicas or 0
    yield "scaling.minReplicas", runtime.scaling.min_replicas or 0
    for number, window in enumerate(runtime.scaling.schedule):
        yield f"scaling.schedule[{number}].minReplicas", window.min_replicas
