"""Settings of replicas that change nothing, because other ones decide: each with a remedy."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from pydantic.alias_generators import to_camel

from models.capacity import bounded_scaling, gpus_of_pod, pods_for, scaling_here
from models.settings.groups import Runtime
from models.settings.reference_values import origin
from models.settings.scaling import LEAST_COOLDOWN_SECONDS, BoundedScaling, Rate, Scaling

Unused = tuple[str, str]
"""Path of a setting beneath its runtime, and why it has no effect."""

_OF_BOUNDS = frozenset({"min_replicas", "max_replicas", "polling_seconds"})
"""Fields of `Scaling` that say something even where as many replicas run at any time."""


def unused_scaling_on_aws(runtime: Runtime) -> Iterator[Unused]:
    """Walk the settings of a runtime's replicas that change nothing on AWS."""
    yield from _between(runtime, bounded_scaling(runtime, on_aws=True))
    yield from _of_gpus(runtime)


def unused_scaling_here(runtime: Runtime, gpus: int | None) -> Iterator[Unused]:
    """Walk those that change nothing on a machine; ``gpus``: how many it has, None if unknown."""
    bounds, set_ = scaling_here(runtime, gpus), runtime.scaling.max_replicas
    yield from _between(runtime, bounds)
    why = f"the GPUs here are enough for {bounds.max_replicas}; lower it, or keep it for others"
    if set_ is not None and bounds.max_replicas < set_:
        yield _origin("scaling.maxReplicas", runtime), why
    if bounds.min_replicas < bounds.max_replicas:  # else the whole schedule is told of already
        for number, window in enumerate(bounds.schedule):
            if window.min_replicas > bounds.max_replicas:
                yield f"scaling.schedule[{number}].minReplicas", why


def unstartable_here(runtimes: Sequence[Runtime], gpus: int | None) -> Iterator[Unused]:
    """Walk the runtimes of which no replica ever starts on a machine, by name.

    Others keep the GPUs that one would need. More kept than there are is refused by the checks.
    """
    kept = {one.name: _kept_gpus(one) for one in runtimes}
    left = Decimal(gpus or 0) - sum(kept.values())
    names = ", ".join(name for name, number in kept.items() if number)
    exact = any(one.replicas and one.gpus for one in runtimes)
    remedy = "set scaling.minReplicas: 0 there" + (" in place of replicas" if exact else "")
    for runtime in runtimes:
        needed = Decimal(str(runtime.gpus))
        if gpus is not None and not kept[runtime.name] and names and left < needed <= gpus:
            why = f"the GPUs here are kept by {names}"
            yield runtime.name, f"none of its replicas ever starts, since {why}; {remedy}"


def _kept_gpus(runtime: Runtime) -> Decimal:
    least = bounded_scaling(runtime, on_aws=False).min_replicas
    return least * Decimal(str(runtime.gpus))


def unused_scaling_anywhere(runtime: Runtime) -> Iterator[Unused]:
    """Walk those that change nothing on AWS, nor on a machine with any GPUs."""
    here = {*unused_scaling_here(runtime, None)}
    yield from (each for each in unused_scaling_on_aws(runtime) if each in here)


def _origin(setting: str, runtime: Runtime) -> str:
    """Name a setting by the chart value that it comes from, if it comes from one."""
    return origin(setting, runtime.extra_values, runtime)


def _between(runtime: Runtime, bounds: BoundedScaling) -> Iterator[Unused]:
    if bounds.min_replicas < bounds.max_replicas:
        yield from _of_hours(bounds)
        if bounds.cooldown_seconds < LEAST_COOLDOWN_SECONDS:
            why = f"less than {LEAST_COOLDOWN_SECONDS} counts as that; set it, or more"
            yield _origin("scaling.cooldownSeconds", runtime), why
        yield from _of_rate("scaleUp", bounds.scale_up)
        yield from _of_rate("scaleDown", bounds.scale_down)
        return
    why = _why_between_none(runtime, bounds)
    for field, info in Scaling.model_fields.items():
        if field not in _OF_BOUNDS and getattr(bounds, field) != info.default:
            yield _origin(f"scaling.{to_camel(field)}", runtime), why


def _why_between_none(runtime: Runtime, bounds: BoundedScaling) -> str:
    """Say why as many replicas run at any time, with a remedy that is not followed yet."""
    if runtime.replicas is not None:
        return f"{_origin('replicas', runtime)} says exactly how many run; remove one of them"
    most = runtime.scaling.max_replicas
    if (most or runtime.scaling.most_by_hours) > bounds.max_replicas:
        return "the GPUs are enough for no more than run at any time; have more, or remove it"
    remedy = "set" if most is None else "raise"
    return f"at least as many replicas run as at most; {remedy} scaling.maxReplicas, or remove it"


def _of_hours(bounds: BoundedScaling) -> Iterator[Unused]:
    for number, window in enumerate(bounds.schedule):
        if window.min_replicas <= bounds.min_replicas:
            why = "scaling.minReplicas is no less at any hour; set more, or remove these hours"
            yield f"scaling.schedule[{number}].minReplicas", why


def _of_rate(side: str, rate: Rate) -> Iterator[Unused]:
    if rate.select_policy == "Min" and len(rate.policies) < 2:  # noqa: PLR2004 - one of several
        yield f"scaling.{side}.selectPolicy", "there are no two policies; add one, or remove it"
    if rate.select_policy == "Disabled" and rate.policies:
        yield f"scaling.{side}.policies", "selectPolicy is Disabled; remove one of them"


def _of_gpus(runtime: Runtime) -> Iterator[Unused]:
    """Name the higher of two bounds, where replicas and GPUs are bounded."""
    most, setting = runtime.scaling.max_replicas, "scaling.maxReplicas"
    if runtime.replicas is not None:
        most, setting = runtime.replicas, "replicas"
    gpus = runtime.nodes.max_gpus
    if most is None or gpus is None:
        return
    replicas, limit = _origin(setting, runtime), _origin("nodes.maxGpus", runtime)
    allowed = bounded_scaling(runtime, on_aws=True).max_replicas
    needed = pods_for(runtime, most) * max(1, gpus_of_pod(runtime))
    if allowed < most and runtime.replicas is None:  # exactly so many are refused by the checks
        yield replicas, f"{limit} is enough for {allowed}; raise that, or lower this"
    elif needed < gpus:
        yield limit, f"{replicas} never needs more than {needed}; remove one of them"
