"""Labels that nodes of a NodePool can have, read from its requirements as Karpenter reads them."""

from cdk.manifests.base import Manifest
from cdk.manifests.instances import INSTANCES
from models.capacity import Instance

INSTANCE_TYPE = "node.kubernetes.io/instance-type"


def allowed_values(pool: Manifest, key: str) -> list[str]:
    """Return the values that a label can have on the pool's nodes, of those that it names.

    Karpenter intersects the requirements of one key, and a label of the template with them.
    """
    requirements = [one for one in pool["template"]["spec"]["requirements"] if one["key"] == key]
    if (label := _labels(pool).get(key)) is not None:
        requirements.append({"key": key, "operator": "In", "values": [label]})
    return [
        value
        for value in named_values(pool, key)
        if all(_admits(requirement, value) for requirement in requirements)
    ]


def named_values(pool: Manifest, key: str) -> list[str]:
    """Return every value that the pool's label or a requirement names for a key, once each."""
    labels = _labels(pool)
    named = [labels[key]] if key in labels else []
    for requirement in pool["template"]["spec"]["requirements"]:
        if requirement["key"] == key and requirement["operator"] == "In":
            named += requirement["values"]
    return list(dict.fromkeys(named))


def known_instances(pool: Manifest) -> dict[str, Instance]:
    """Return the pool's instance types whose size is listed in `cdk.manifests.instances`."""
    allowed = allowed_values(pool, INSTANCE_TYPE)
    return {name: INSTANCES[name] for name in allowed if name in INSTANCES}


def _labels(pool: Manifest) -> Manifest:
    return dict(pool["template"].get("metadata", {}).get("labels", {}))


def _admits(requirement: Manifest, value: str) -> bool:
    values = requirement.get("values", [])
    match requirement["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Gt":
            return value.isdecimal() and int(value) > int(values[0])
        case "Lt":
            return value.isdecimal() and int(value) < int(values[0])
    return bool(requirement["operator"] == "Exists")
