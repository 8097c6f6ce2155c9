"""Files of the chart that are made from the settings: `python -m tests.charts.generated` does.

So nothing is said twice: what may stand under `config:` and its defaults are the platform's own.
"""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from cdk.manifests import nodes, pods, security, serve_config
from cdk.manifests.instances import INSTANCES, at_most, share
from models.runtimes import TYPES
from models.settings import Settings

CHART = Path(__file__).resolve().parents[2] / "charts" / "atelier"
SCHEMA = CHART / "values.schema.json"
DEFAULTS = CHART / "defaults.yaml"
NOT_IN_A_CLUSTER = ("apiKeys", "apiKeysFile", "checkpoints", "logFile")
"""Settings that the chart does not take: secrets are in a Secret, weights in a volume."""
_RENDERED = (
    *("aws", "ingest", "tasks", "vpc", "cluster", "clusterComponents", "rayCluster", "images"),
    "storage",
)
_MADE = "# Made by `python -m tests.charts.generated` from the platform's own settings.\n"


def schema() -> str:
    """Return the schema of values.yaml."""
    config = Settings.model_json_schema(by_alias=True)
    kinds = config.pop("$defs")
    for key in NOT_IN_A_CLUSTER:
        config["properties"].pop(key)
    kinds.pop("ApiKey")
    kinds.pop("KeySecret")
    kinds["Callbacks"]["properties"].pop("secret")
    config["description"] = "What stands in config.yaml; secrets come from a Secret instead."
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_object(
            {
                "global": {"type": "object", "description": "Helm's own, for subcharts."},
                "config": config,
                "nodePools": _NODE_POOLS,
                "networkPolicies": _object(
                    {"create": _switch("Whether nothing goes in or out but what is listed.")}
                ),
                "serviceAccounts": _SERVICE_ACCOUNTS,
            },
            required=["config"],
        ),
        "$defs": kinds,
    }
    return json.dumps(_plain(whole), indent=2) + "\n"


def defaults() -> str:
    """Return the defaults that templates fill in where values.yaml says nothing."""
    least = {
        "stackName": "any",
        "modelBucketArn": "arn:aws:s3:::any",
        "modelsRuntime": [{"name": "any", "type": "any"}],
    }
    all_ = Settings.read(None, least).model_dump(mode="json", by_alias=True)
    (runtime,) = all_["modelsRuntime"]
    made = {
        "config": {key: all_[key] for key in _RENDERED},
        "runtime": {key: runtime[key] for key in runtime if key not in {"name", "type"}},
        "instances": {kind: _instance(kind) for kind in (*INSTANCES, "unknown")},
        "ray": version("ray"),
        "fixed": _fixed(),
    }
    return _MADE + yaml.safe_dump(made, sort_keys=False)


def _fixed() -> dict[str, Any]:
    """Return the parts of objects that no value changes."""
    return {
        "podSecurity": security.pod(),
        "containerSecurity": security.container(),
        "readiness": pods.ready(),
        "neverInterrupted": pods.never_interrupted(),
        "metadata": dict(nodes.METADATA),
        "budgets": [dict(budget) for budget in nodes.BUDGETS],
        "soci": nodes.SOCI,
        "notServed": [*serve_config.NOT_SERVED, "alarms"],
        "servers": {
            name: dict(kind.image_server) for name, kind in TYPES.items() if kind.image_server
        },
    }


def _instance(kind: str) -> dict[str, int]:
    """Return an instance type's cores and GPUs, its room for pods, and one pod's share."""
    cpus, memory = share([kind])
    one = at_most(kind)
    return {
        "cpus": one.cpus,
        "gpus": one.gpus,
        "freeCpus": int(one.free_cpus) if one.listed else 0,
        "freeMemory": int(one.free_memory) if one.listed else 0,
        "podCpus": cpus,
        "podMemory": memory,
    }


def _object(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties, **more}


def _switch(description: str) -> dict[str, Any]:
    return {"type": "boolean", "description": description}


def _texts(description: str) -> dict[str, Any]:
    texts = {"type": "object", "additionalProperties": {"type": "string"}}
    return {**texts, "description": description}


_NODE_POOLS = _object(
    {
        "create": _switch("Whether Karpenter's NodePools and EC2NodeClasses are made."),
        "instanceProfile": {
            "type": "string",
            "description": "Instance profile of the nodes; needed with `create`.",
        },
        "nodeSelector": _object(
            {
                "spot": _texts("Labels of your Spot nodes."),
                "on-demand": _texts("Labels of your other nodes."),
            },
            description="Where replicas run, if `create` is false.",
        ),
    },
    description="The GPU nodes, a pool for each runtime.",
)
_SERVICE_ACCOUNTS = _object(
    {
        "annotations": _object(
            {
                "head": _texts("Of what deploys the application."),
                "ingest": _texts("Of what takes tasks in and tells of them."),
                "runtime": _texts("Of what makes pictures."),
            },
            description="For IAM roles for service accounts; EKS Pod Identity needs none.",
        )
    },
    description="Who the pods are to AWS; each component may do something else.",
)


def _plain(value: Any) -> Any:
    """Drop titles, which say no more than the keys, and write Markdown's ticks."""
    match value:
        case dict():
            kept = {k: v for k, v in value.items() if k != "title" or not isinstance(v, str)}
            return {key: _plain(each) for key, each in kept.items()}
        case list():
            return [_plain(each) for each in value]
        case str():
            return value.replace("``", "`")
        case _:
            return value


if __name__ == "__main__":
    SCHEMA.write_text(schema())
    DEFAULTS.write_text(defaults())
