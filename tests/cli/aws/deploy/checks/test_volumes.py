"""Checks of KMS keys of volumes and snapshots; botocore's Stubber answers for EC2 and KMS."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from cli.aws.deploy.checks.volumes import default_key, snapshot_keys
from cli.aws.sdk import Aws
from models.settings import Settings
from tests.cli.aws.deploy.checks.conftest import REGION, runtime, wanted

KEY = f"arn:aws:kms:{REGION}:123456789012:key/0f1e2d3c"
OTHER = f"arn:aws:kms:{REGION}:123456789012:key/4b5a6978"
SNAPSHOT = "snap-0a"


class Stubs:
    """Stubs of EC2 and KMS."""

    def __init__(self, ec2: Stubber, kms: Stubber) -> None:
        self.ec2, self.kms = ec2, kms

    def default(self, key: str) -> None:
        self.ec2.add_response("get_ebs_default_kms_key_id", {"KmsKeyId": key}, {})

    def snapshot(self, key: str | None) -> None:
        one = {"SnapshotId": SNAPSHOT} | ({"KmsKeyId": key} if key else {})
        asked = [{"Name": "snapshot-id", "Values": [SNAPSHOT]}]
        self.ec2.add_response("describe_snapshots", {"Snapshots": [one]}, {"Filters": asked})

    def key(self, key: str, of: str = "CUSTOMER", state: str = "Enabled", **more: str) -> None:
        said = {"KeyId": "0f1e2d3c", "Arn": key, "KeyManager": of, "KeyState": state, **more}
        self.kms.add_response("describe_key", {"KeyMetadata": said}, {"KeyId": ANY})


@pytest.fixture
def stubs(aws: Aws) -> Iterator[Stubs]:
    with ExitStack() as stack:
        yield Stubs(*(stack.enter_context(Stubber(aws.client(one))) for one in ("ec2", "kms")))


def test_awss_own_default_key_is_fine(aws: Aws, stubs: Stubs) -> None:
    """AWS's own key may not exist before its first use, so KMS is not asked."""
    stubs.default("alias/aws/ebs")

    assert [one.state for one in default_key(aws, wanted())] == ["there"]


def test_awss_own_default_key_by_its_arn_is_fine(aws: Aws, stubs: Stubs) -> None:
    stubs.default(KEY)
    stubs.key(KEY, of="AWS")

    assert [one.state for one in default_key(aws, wanted())] == ["there"]


def test_a_customers_default_key_is_missing_in_the_settings(aws: Aws, stubs: Stubs) -> None:
    """Nodes would end at launch: Karpenter's role may not use the key."""
    stubs.default("alias/ours")
    stubs.key(KEY)
    (found,) = default_key(aws, wanted())

    assert (found.state, found.text) == ("missing", f"{KEY}, a customer's")
    assert "set cluster.volumeKeyArn to it" in found.remedy


def test_a_key_of_the_settings_is_what_nodes_get_whatever_the_default_is(
    aws: Aws, stubs: Stubs
) -> None:
    stubs.key(KEY)
    (found,) = default_key(aws, with_key(KEY))

    assert (found.name, found.state) == ("cluster.volumeKeyArn", "there")


@pytest.mark.parametrize(
    ("state", "remedy"),
    [
        ("Disabled", "enable it"),
        ("PendingDeletion", "cancel its deletion and enable it"),
        ("PendingImport", "import its key material"),
        ("Creating", "wait until it is Enabled"),
    ],
)
@pytest.mark.parametrize("named", [None, KEY])
def test_a_key_that_cannot_be_used_is_missing_with_what_makes_it_usable(
    aws: Aws, stubs: Stubs, named: str | None, state: str, remedy: str
) -> None:
    """The key may be the settings' or the account's default; to set it would not help."""
    if named is None:
        stubs.default(KEY)
    stubs.key(KEY, state=state)
    (found,) = default_key(aws, with_key(named))

    assert (found.state, found.text) == ("missing", f"{KEY} is {state}")
    assert found.remedy == f"{remedy}, or name another in cluster.volumeKeyArn"


@pytest.mark.parametrize("named", [None, KEY])
def test_a_key_that_is_not_there_is_missing(aws: Aws, stubs: Stubs, named: str | None) -> None:
    if named is None:
        stubs.default(KEY)
    stubs.kms.add_client_error("describe_key", "NotFoundException")
    (found,) = default_key(aws, with_key(named))

    assert (found.state, found.text) == ("missing", f"{KEY} is not there")
    assert found.remedy == "name a key of this region in cluster.volumeKeyArn"


@pytest.mark.parametrize(
    ("spec", "usage"), [("RSA_2048", "SIGN_VERIFY"), ("RSA_2048", "ENCRYPT_DECRYPT")]
)
def test_a_key_that_encrypts_no_volumes_is_missing(
    aws: Aws, stubs: Stubs, spec: str, usage: str
) -> None:
    stubs.key(KEY, KeySpec=spec, KeyUsage=usage)
    (found,) = default_key(aws, with_key(KEY))

    assert (found.state, found.text) == ("missing", f"{KEY} is {spec} for {usage}")
    assert found.remedy == "name a symmetric key in cluster.volumeKeyArn"


@pytest.mark.parametrize("named", [None, OTHER])
def test_a_snapshot_with_a_customers_key_that_nodes_do_not_have_is_missing(
    aws: Aws, stubs: Stubs, named: str | None
) -> None:
    stubs.snapshot(KEY)
    stubs.key(KEY)
    (found,) = snapshot_keys(aws, with_key(named))

    assert (found.name, found.state) == ("key of the snapshot of painter", "missing")
    assert found.text == f"{SNAPSHOT} has {KEY}, a customer's"
    assert "cluster.volumeKeyArn" in found.remedy
    assert "snapshot -k" in found.remedy


@pytest.mark.parametrize("state", ["gone", "PendingDeletion"])
def test_a_snapshot_whose_key_cannot_be_used_is_to_be_made_anew(
    aws: Aws, stubs: Stubs, state: str
) -> None:
    stubs.snapshot(KEY)
    if state == "gone":
        stubs.kms.add_client_error("describe_key", "NotFoundException")
    else:
        stubs.key(KEY, state=state)
    (found,) = snapshot_keys(aws, with_key(None))

    assert found.text.startswith(f"{SNAPSHOT} has {KEY}, which is ")
    assert found.remedy.startswith("make one with the nodes' key")


def test_a_snapshot_with_the_nodes_key_is_fine_whoever_may_ask_for_the_key(
    aws: Aws, stubs: Stubs
) -> None:
    stubs.snapshot(KEY)
    stubs.kms.add_client_error("describe_key", "AccessDeniedException")

    assert not [*snapshot_keys(aws, with_key(KEY))]


@pytest.mark.parametrize("encrypted", [True, False])
def test_a_snapshot_without_a_customers_key_is_fine(
    aws: Aws, stubs: Stubs, *, encrypted: bool
) -> None:
    stubs.snapshot(KEY if encrypted else None)
    stubs.key(KEY, of="AWS")

    assert not [*snapshot_keys(aws, with_key(None))]


def test_a_snapshot_that_is_not_there_is_for_another_look(aws: Aws, stubs: Stubs) -> None:
    stubs.ec2.add_response("describe_snapshots", {"Snapshots": []}, {"Filters": ANY})

    assert not [*snapshot_keys(aws, with_key(None))]


def with_key(key: str | None) -> Settings:
    """Make settings with a snapshot, and this key for the volumes."""
    cluster: dict[str, Any] = {"volumeKeyArn": key} if key else {}
    cached = {"imageCache": "ebs-snapshot", "snapshot": SNAPSHOT}
    return wanted(modelsRuntime=[runtime(nodes=cached)], cluster=cluster)
