"""The reference system's chart values, taken under ``extraValues``, as our settings.

What a runtime says itself wins over them. A value that has no place here is refused, with what to
set instead; one that only the reference's own machinery needs is taken and means nothing.
"""

import difflib
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from models.part import Part, explained, reads_like_a_name

Given = Mapping[str, Any]
Translate = Callable[[Any], Given]

_PROVISIONER = "karpenter.provisioner"
_TEMPLATE = "karpenter.nodeTemplate"
_SCALING = "runtime.scaling"
_API = "runtime.inferenceApi"
_AGENT = "runtime.queueAgent"
_STORED = "runtime.persistence"
_GPU = "nvidia.com/gpu"
_IMAGES = "public.ecr.aws/bingjiao/"  # the reference's own: without Ray, no worker of ours
_MIN_REPLICAS = f"{_SCALING}.minReplicaCount"
_FIXED = "`replicas` says how many run; remove it"
REMEDIES: Given = {
    "runtime.replicas": _FIXED,
    f"{_SCALING}.queueLength": _FIXED,
    f"{_SCALING}.pollingInterval": _FIXED,
    f"{_SCALING}.scaleOnInFlight": _FIXED,
    f"{_SCALING}.extraHPAConfig": _FIXED,
    _MIN_REPLICAS: "0 is taken as 1, one replica stays; set 1",
    f"{_AGENT}.xray": "only API Gateway and its function are traced; remove it",
    f"{_API}.image": "the reference's own image has no Ray; set pod.image, or remove it",
    f"{_TEMPLATE}.osVolume.snapshotID": "images are in that of dataVolume; set it there",
    f"{_API}.resources.requests": "a pod has its share of the node; set limits, or remove it",
}
"""Values that say something which does not come true here, each with what to do."""
_UNITS = {f"{letter}i": Decimal(2) ** (10 * power - 20) for power, letter in enumerate("KMGT")}
_UNITS |= {letter: Decimal(10) ** (3 * power + 3) / 2**30 for power, letter in enumerate("kMGT")}
_LEAST = {"name": "a", "type": "a"}  # a runtime of which nothing is said


class Unlike(ValueError):
    """A value of a chart has no meaning here; what is said of it does not quote it."""


def translated(extra: Given, own: Given, model: type[Part]) -> dict[str, Any]:
    """A runtime's settings: its own, and beneath them what its ``extraValues`` say.

    Raises:
        ValueError: a value has no place, or is none that its setting of the model takes; it is
            named by its path.
    """
    made: dict[str, Any] = {}
    for path, value in _leaves(extra, ""):
        try:
            made = _over(_bounded(TRANSLATED[path](value), made), made)
        except Unlike as exc:
            raise ValueError(f"extraValues.{path}: is not understood: {exc}") from None
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            raise ValueError(f"extraValues.{path}: is not understood") from None
    settings = _over(own, made)
    if wrong := _complaints({**settings, "extraValues": None}, model):
        _blame(extra, wrong, model)
    return settings


def _complaints(given: Given, model: type[Part]) -> set[str]:
    """Say what is wrong with settings, each by its path."""
    try:
        model.model_validate(given)
    except ValidationError as exc:
        return {*explained(exc, model).splitlines()}
    return set()


def _blame(extra: Given, wrong: AbstractSet[str], model: type[Part]) -> None:
    """Name the value of a chart that makes a setting wrong, if one does."""
    for path, value in _leaves(extra, ""):
        found = _complaints({**_LEAST, **TRANSLATED[path](value)}, model) & wrong
        if found:
            raise ValueError(f"extraValues.{path}: {'; '.join(sorted(found))}")


def without_meaning(extra: Given) -> Sequence[str]:
    """Name the values that are taken and mean nothing here, if they say anything."""
    return [*_meaningless(extra, "")]


def _meaningless(given: Given, under: str) -> Iterator[str]:
    for key, value in given.items():
        path = f"{under}.{key}".lstrip(".")
        if value is None:
            continue
        if path == _MIN_REPLICAS:
            says_nothing = int(value) < 1
        elif path == f"{_API}.image":
            says_nothing = _asks(value) and not _image(value)
        else:
            says_nothing = path in MEANS_NOTHING and _asks(value)
        if says_nothing:
            yield path
        elif path in _READ_IN_PART:
            unread = (each for each in value if each not in _READ_IN_PART[path])
            yield from (f"{path}.{each}" for each in unread if value[each] not in _EMPTY)
        elif isinstance(value, Mapping) and path not in _KNOWN:
            yield from _meaningless(value, path)


def _asks(value: Any) -> bool:
    """Tell whether anything is asked for; an empty value and a switch that is off ask nothing."""
    if isinstance(value, Mapping):
        return any(map(_asks, value.values()))
    return bool(value)


def replaced(extra: Given, runtime: Part) -> Iterator[tuple[str, str]]:
    """Walk the values that other settings of a runtime win over, each with those settings."""
    there = runtime.model_dump(by_alias=True, exclude={"extra_values"})
    made = {path: TRANSLATED[path](value) for path, value in _leaves(extra, "")}
    lost = {path: _lost(each, there, type(runtime)) for path, each in made.items()}
    for path, settings in lost.items():
        if settings:
            yield path, " or ".join(_winner(setting, made, lost) for setting in settings)


def _lost(made: Given, there: Given, model: type[Part]) -> Sequence[str]:
    """Name the settings that would be others with these among them."""
    paths = [*_paths(made, "")]
    try:
        forced = model.model_validate(_over(made, there)).model_dump(by_alias=True)
    except ValidationError:
        return paths
    return [path for path in paths if _at(forced, path) != _at(there, path)]


def _winner(setting: str, made: Mapping[str, Given], lost: Mapping[str, Sequence[str]]) -> str:
    """Name the chart value that a setting comes from, else the setting itself."""
    for path, each in made.items():
        if setting in _paths(each, "") and setting not in lost[path]:
            return f"extraValues.{path}"
    return setting


def _at(given: Given, path: str) -> Any:
    """Return what stands at a path."""
    for key in path.split("."):
        given = given[key]
    return given


def _paths(given: Given, under: str) -> Iterator[str]:
    """Walk the settings in a translation, by their paths."""
    for key, value in given.items():
        path = f"{under}.{key}".lstrip(".")
        if path in {"nodes", "pod"}:
            yield from _paths(value, path)
        else:
            yield path


def _leaves(given: Given, under: str) -> Iterator[tuple[str, Any]]:
    """The values that mean something here, each with its path."""
    for key, value in given.items():
        path = f"{under}.{key}".lstrip(".")
        is_group = any(one.startswith(f"{path}.") for one in _KNOWN)
        if value is None and (is_group or path in _KNOWN):
            continue  # as YAML reads a key with nothing after it
        if path in TRANSLATED:
            yield path, value
        elif path in INSTEAD:
            if value:
                raise ValueError(f"extraValues.{path}: has no place here; {INSTEAD[path]}")
        elif path in MEANS_NOTHING:
            continue
        elif isinstance(value, Mapping) and is_group:
            yield from _leaves(value, path)
        else:
            near = difflib.get_close_matches(path, _KNOWN, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            told = path if reads_like_a_name(str(key)) else f"{under}.…".lstrip(".")
            raise ValueError(f"extraValues.{told}: unknown value{hint}")


def _bounded(upper: Given, lower: Given) -> Given:
    """Two of the values bound the GPUs, and the lower bound holds."""
    both = [one.get("nodes", {}).get("maxGpus") for one in (upper, lower)]
    if None in both:
        return upper
    return {"nodes": {"maxGpus": min(map(int, both))}}


def _over(upper: Given, lower: Given) -> dict[str, Any]:
    """Both, key by key; ``upper`` wins."""
    merged = dict(lower)
    for key, value in upper.items():
        below = merged.get(key)
        both = isinstance(value, Mapping) and isinstance(below, Mapping)
        merged[key] = _over(value, below) if both else value  # type: ignore[arg-type] # a mapping
    return merged


def _nodes(key: str) -> Translate:
    return lambda value: {"nodes": {key: value}}


def _pod(key: str) -> Translate:
    return lambda value: {"pod": {key: value}}


def _capacity(given: Given) -> Given:
    kinds = {"spot": "spot", "onDemand": "on-demand"}
    if set(given) - set(kinds):
        raise Unlike("spot and onDemand are known, and no others")
    return {"nodes": {"capacity": [kinds[key] for key in kinds if given.get(key, True)]}}


def _limits(given: Given) -> Given:
    if set(given) - {_GPU}:
        raise Unlike(f"only {_GPU} bounds what there is")
    return {"nodes": {"maxGpus": int(given[_GPU])}} if given else {}


def _disruption(given: Given) -> Given:
    names = {"consolidateAfter", "expireAfter"}
    if set(given) - names:
        raise Unlike(f"{' and '.join(sorted(names))} are known, and no others")
    return {"nodes": dict(given)}


def _volume(key: str) -> Translate:
    def volume(given: Given) -> Given:
        if (given.get("type") or "gp3") != "gp3":
            raise Unlike("only gp3 volumes are made")
        sizes = {k: int(given[k]) for k in ("iops", "throughput") if given.get(k)}
        if given.get("size"):
            sizes["size"] = math.ceil(_gib(given["size"]))
        nodes: dict[str, Any] = {key: sizes} if sizes else {}
        if given.get("snapshotID") and key == "dataVolume":
            nodes |= {"imageCache": "ebs-snapshot", "snapshot": given["snapshotID"]}
        return {"nodes": nodes}

    return volume


def _only(allowed: str) -> Translate:
    def only(value: Any) -> Given:
        if value != allowed:
            raise Unlike(f"only {allowed}")
        return {}

    return only


def _image(given: str | Given) -> Given:
    """Take ``repository:tag`` in one text, or its two parts by their names."""
    if isinstance(given, Mapping):
        if set(given) - {"repository", "tag"}:
            raise Unlike("repository and tag are known, and no others")
        name, tag = (given.get(part) for part in ("repository", "tag"))
        given = f"{name}:{tag}" if name and tag else name or ""
    return {} if not given or given.startswith(_IMAGES) else {"pod": {"image": given}}


def _environment(given: Any) -> Given:
    named = given if isinstance(given, Mapping) else {one["name"]: one["value"] for one in given}
    return {"pod": {"env": {name: str(value) for name, value in named.items()}}}


def _resources(given: Given) -> Given:
    """Limits; of what is only asked for a pod has more, its share of the node."""
    limits = given.get("limits") or {}
    pod = {}
    if "cpu" in limits:
        pod["cpu"] = math.ceil(_cores(limits["cpu"]))
    if "memory" in limits:
        pod["memory"] = math.ceil(_gib(limits["memory"]))
    return {"pod": pod, **({"gpus": int(limits[_GPU])} if _GPU in limits else {})}


def _cores(text: Any) -> Decimal:
    """``2500m`` or ``2.5``."""
    given = str(text)
    return Decimal(given[:-1]) / 1000 if given.endswith("m") else Decimal(given)


def _gib(text: Any) -> Decimal:
    """``6Gi``, ``512Mi``, ``20G``."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]i|[kMGT])", str(text))
    if found is None:
        raise Unlike("must be a size such as 6Gi")
    return Decimal(found[1]) * _UNITS[found[2]]


_EMPTY: tuple[Any, ...] = (None, "", {}, [])
_OF_VOLUME = {"size", "type", "iops", "throughput"}
_READ_IN_PART: Mapping[str, AbstractSet[str]] = {
    f"{_TEMPLATE}.osVolume": _OF_VOLUME,
    f"{_TEMPLATE}.dataVolume": _OF_VOLUME | {"snapshotID"},
    f"{_API}.resources": {"limits"},
}
"""Values that are translated, each with those of its keys that say something."""
TRANSLATED: Mapping[str, Translate] = {
    f"{_PROVISIONER}.labels": _nodes("labels"),
    f"{_PROVISIONER}.annotations": _nodes("annotations"),
    f"{_PROVISIONER}.capacityType": _capacity,
    f"{_PROVISIONER}.instanceType": _nodes("instanceTypes"),
    f"{_PROVISIONER}.extraRequirements": _nodes("requirements"),
    f"{_PROVISIONER}.extraTaints": _nodes("taints"),
    f"{_PROVISIONER}.resourceLimits": _limits,
    f"{_PROVISIONER}.consolidation": _nodes("consolidate"),
    f"{_PROVISIONER}.disruption": _disruption,
    f"{_TEMPLATE}.tags": _nodes("tags"),
    f"{_TEMPLATE}.amiFamily": _only("Bottlerocket"),
    f"{_TEMPLATE}.instanceStorePolicy": _only("RAID0"),
    f"{_TEMPLATE}.osVolume": _volume("osVolume"),
    f"{_TEMPLATE}.dataVolume": _volume("dataVolume"),
    f"{_TEMPLATE}.userData": _nodes("userData"),
    "runtime.labels": _pod("labels"),
    "runtime.annotations": _pod("annotations"),
    f"{_SCALING}.cooldownPeriod": _nodes("idleSeconds"),
    _MIN_REPLICAS: lambda value: {"replicas": max(1, int(value))},
    f"{_SCALING}.maxReplicaCount": _nodes("maxGpus"),
    f"{_API}.image": _image,
    f"{_API}.modelFilename": lambda value: {"modelFilename": value or None},
    f"{_API}.extraEnv": _environment,
    f"{_API}.imagePullPolicy": _pod("imagePullPolicy"),
    f"{_API}.resources": _resources,
    f"{_AGENT}.dynamicModel": lambda value: {"dynamicModel": value},
    f"{_STORED}.existingClaim": lambda value: {"pod": {"existingClaim": value or None}},
}
INSTEAD: Mapping[str, str] = {
    f"{_API}.commandArguments": "they go into the runtime's options.backend.command",
    f"{_STORED}.existingVolume": "make a claim of it, and name that: pod.existingClaim",
}
MEANS_NOTHING = frozenset(
    {
        "global",
        f"{_TEMPLATE}.iamRole",
        f"{_TEMPLATE}.securityGroupSelector",
        f"{_TEMPLATE}.subnetSelector",
        "runtime.type",
        "runtime.serviceAccountName",
        "runtime.replicas",
        f"{_SCALING}.enabled",
        f"{_SCALING}.queueLength",
        f"{_SCALING}.pollingInterval",
        f"{_SCALING}.scaleOnInFlight",
        f"{_SCALING}.extraHPAConfig",
        f"{_API}.modelMountPath",
        f"{_AGENT}.image",
        f"{_AGENT}.extraEnv",
        f"{_AGENT}.resources",
        f"{_AGENT}.s3Bucket",
        f"{_AGENT}.snsTopicArn",
        f"{_AGENT}.sqsQueueUrl",
        f"{_AGENT}.xray",
        f"{_STORED}.enabled",
        f"{_STORED}.labels",
        f"{_STORED}.annotations",
        f"{_STORED}.accessModes",
        f"{_STORED}.storageClass",
        f"{_STORED}.size",
        f"{_STORED}.s3",
    }
)
"""Values that are taken and say nothing here, if `REMEDIES` has no more of them."""
_KNOWN = sorted({*TRANSLATED, *INSTEAD, *MEANS_NOTHING})
