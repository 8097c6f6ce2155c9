"""Facts from upstream's files: how they are read, and what is recorded of them."""

import json
import re
from collections.abc import Iterator, Mapping, Set as AbstractSet
from pathlib import Path
from typing import Any

import yaml

from tests.cdk.graph import listed
from tests.cdk.upstream.checkouts import CHARTS, KARPENTER, LOAD_BALANCERS, Checkout
from tests.cdk.upstream.values import Chart, Values

Facts = dict[str, Any]
_FOLDER = Path(__file__).parent / "facts"
_CLOUDFORMATION = (
    "website/content/en/docs/getting-started/getting-started-with-karpenter/cloudformation.yaml"
)
_WORDS = {
    "${AWS::Partition}": "<partition>",
    "${AWS::Region}": "<region>",
    "${AWS::AccountId}": "<account>",
    "${ClusterName}": "<cluster>",
    "${KarpenterNodeRole.Arn}": "<node role>",
    "${KarpenterInterruptionQueue.Arn}": "<interruptions>",
}


def recorded(name: str) -> Facts:
    """Return what is recorded of a chart or its controller, by the release's name."""
    facts: Facts = yaml.safe_load((_FOLDER / f"{name}.yaml").read_text())
    return facts


def record(name: str, facts: Facts) -> None:
    """Write a chart's facts."""
    text = yaml.safe_dump(facts, sort_keys=False, width=100, allow_unicode=True)
    (_FOLDER / f"{name}.yaml").write_text(text)


def read(name: str, given: Values, actions: AbstractSet[str]) -> Facts:
    """Read the facts of a checkout, of the values and actions that are in use."""
    checkout = CHARTS[name]
    facts = {
        "version": checkout.version,
        "source": checkout.pin.source,
        "values": dict(sorted(Chart.of(checkout).known(given))),
    }
    if checkout is KARPENTER:
        facts |= {"kubernetes": _kubernetes(checkout), "events": _events(checkout)}
        facts |= {"statements": _of_karpenter(checkout)}
    if checkout is LOAD_BALANCERS:
        facts |= {"statements": _of_load_balancers(checkout, actions)}
    return facts


def _kubernetes(checkout: Checkout) -> Facts:
    """Read the versions of Kubernetes that the controller supports."""
    text = checkout.text("pkg/providers/version/version.go")
    bounds = dict(re.findall(r"(Min|Max)K8sVersion = \"([\d.]+)\"", text))
    return {"from": bounds["Min"], "to": bounds["Max"]}


def _events(checkout: Checkout) -> list[str]:
    """Read the kinds of events that go into the queue."""
    rules = (each for each in _resources(checkout).values() if each["Type"] == "AWS::Events::Rule")
    patterns = (rule["Properties"]["EventPattern"] for rule in rules)
    return sorted(
        f"{kind} of {each['source'][0]}" for each in patterns for kind in each["detail-type"]
    )


def _of_karpenter(checkout: Checkout) -> Facts:
    """Read the controller's statements by their names."""
    found: Facts = {}
    for resource in _resources(checkout).values():
        if resource["Type"] == "AWS::IAM::ManagedPolicy":
            text = resource["Properties"]["PolicyDocument"]
            for name, word in _WORDS.items():
                text = text.replace(name, word)
            for statement in json.loads(text)["Statement"]:
                found[statement.pop("Sid")] = _as_fact(statement)
    return found


def _of_load_balancers(checkout: Checkout, actions: AbstractSet[str]) -> Facts:
    """Read those statements of the controller's policy that allow one of some actions."""
    document = json.loads(checkout.text("docs/install/iam_policy.json"))
    found = {}
    for number, statement in enumerate(document["Statement"]):
        if common := sorted(actions & {*listed(statement["Action"])}):
            found[f"statement {number}"] = _as_fact(statement | {"Action": common})
    return found


def _as_fact(statement: Mapping[str, Any]) -> Facts:
    kept = {"Action": "actions", "Resource": "resources", "Condition": "condition"}
    return {word: statement[key] for key, word in kept.items() if key in statement}


def statements(facts: Facts) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Return recorded statements as IAM writes them, by their names."""
    for name, fact in facts["statements"].items():
        yield (
            name,
            {
                "Effect": "Allow",
                "Action": fact["actions"],
                "Resource": fact["resources"],
                "Condition": fact.get("condition", {}),
            },
        )


def _resources(checkout: Checkout) -> Mapping[str, Any]:
    template = yaml.load(checkout.text(_CLOUDFORMATION), _Loader)
    resources: Mapping[str, Any] = template["Resources"]
    return resources


class _Loader(yaml.SafeLoader):
    """YAML loader for CloudFormation's functions: ``!Sub text`` is read as its text."""


_Loader.add_multi_constructor(
    "!",
    lambda loader, _, node: loader.construct_scalar(node),
)
