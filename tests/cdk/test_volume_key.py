"""Customer's own key of nodes' volumes: every volume has it, and Karpenter may launch with it."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.cdk import graph
from tests.cdk.conftest import VOLUME_KEY, Synthesized

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
USES = {
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
}
"""Uses of a key for volumes, by AWS: ebs/latest/userguide/ebs-encryption-requirements.html
(2026-11)."""


def statements(made: Synthesized) -> Iterator[Mapping[str, Any]]:
    """Return Karpenter's statements on the key."""
    for policy in made.resources("AWS::IAM::ManagedPolicy").values():
        for each in policy["Properties"]["PolicyDocument"]["Statement"]:
            if any(action.startswith("kms:") for action in graph.listed(each["Action"])):
                yield each


def volumes(made: Synthesized) -> list[Mapping[str, Any]]:
    """Return the volumes in Karpenter's node classes."""
    classes = [each["spec"] for _, each in graph.kind(made, "EC2NodeClass")]
    return [one["ebs"] for spec in classes for one in spec["blockDeviceMappings"]]


def test_every_volume_of_karpenters_nodes_has_the_key(china: Synthesized) -> None:
    assert [one.get("kmsKeyID") for one in volumes(china)] == [VOLUME_KEY] * 4


def test_the_system_nodes_volume_has_the_key(china: Synthesized) -> None:
    (template,) = china.resources("AWS::EC2::LaunchTemplate").values()
    (disk,) = template["Properties"]["LaunchTemplateData"]["BlockDeviceMappings"]

    assert disk["Ebs"]["KmsKeyId"] == VOLUME_KEY


def test_karpenter_may_have_ec2_use_the_key_and_ask_nothing_of_it(china: Synthesized) -> None:
    uses, grant = statements(china)

    for each in (uses, grant):
        assert each["Resource"] == VOLUME_KEY
        assert each["Condition"]["StringEquals"]["kms:ViaService"] == [
            "ec2.cn-north-1.amazonaws.com",
            "ec2.cn-north-1.amazonaws.com.cn",
        ]
    assert {*uses["Action"]} == USES
    assert grant["Action"] == "kms:CreateGrant"


def test_karpenter_grants_the_key_to_aws_and_to_nobody_else(china: Synthesized) -> None:
    _, grant = statements(china)

    assert grant["Condition"]["Bool"] == {"kms:GrantIsForAWSResource": "true"}


def test_without_a_key_there_is_none_anywhere(whole: Synthesized) -> None:
    assert [*statements(whole)] == []
    assert "kmsKeyID" not in json.dumps(volumes(whole))


def test_the_page_on_security_names_each_use_of_the_key() -> None:
    _, _, text = PAGE.read_text().partition("### A key of yours for the nodes' volumes\n")
    section, _, _ = text.partition("\n#")

    assert {*re.findall(r"`(kms:[A-Z]\w+)`", section)} == USES | {"kms:CreateGrant"}
