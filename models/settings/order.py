"""Settings with which tasks that wait for the same replica may begin in another order."""

from collections.abc import Sequence

from models.settings import Settings


def out_of_order(settings: Settings) -> Sequence[str]:
    """Name each runtime whose replicas admit fewer tasks than there may be ingest replicas.

    Each of those hands a replica one task at least; who finds it full asks again, in no order.
    """
    ingest = settings.ingest
    return [
        f"modelsRuntime[{runtime.name}].admit: fewer than ingest.{ingest.bound}: a task may begin"
        f" after later ones; set it to {ingest.most}, or have fewer replicas of ingest"
        for runtime in settings.models_runtime
        if runtime.admit < ingest.most
    ]
