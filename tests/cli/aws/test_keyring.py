"""`atelier keys` over AWS: digests in the ledger's table, secrets at API Gateway alone."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.aws.installation import Installation
from cli.aws.keyring import TableKeyring
from cli.aws.proof.senders import key_of
from cli.aws.sdk import AwsError
from cli.main import app
from ingest.aws.client import Clients
from ingest.aws.keys import DynamoKeys
from models.settings import Settings
from serve_app.auth import Keys
from serve_app.local.emulator import EmbeddedAws
from tests.cli.aws.platform import (
    KEY,
    client,
    file_of,
    made,
    make_stack,
    settings_of,
    unique,
    write,
)
from tests.clock import Clock

GATEWAY: Mapping[str, Any] = {
    "Plan": {"Type": "AWS::ApiGateway::UsagePlan", "Properties": {"UsagePlanName": "plan"}},
}


@pytest.fixture
def deployed(signed_in: EmbeddedAws, tmp_path: Path) -> Settings:
    """Stack with a usage plan and a key of its own, and the ledger's table."""
    settings = settings_of(unique())
    write(tmp_path / "config.atelier.yaml", file_of(settings.stack_name))
    made(settings)
    make_stack(settings, front="https://front", more=GATEWAY)
    return settings


def keys(*args: str) -> Result:
    return CliRunner().invoke(app, ["keys", *args, "--aws"], catch_exceptions=False)


def at_gateway() -> dict[str, Mapping[str, Any]]:
    """Return API Gateway's keys by value; other tests' are among them."""
    found = client("apigateway").get_api_keys(includeValues=True)["items"]
    return {key["value"]: key for key in found}


def plan_of(settings: Settings) -> str:
    """Return the id of the stack's own usage plan; other stacks may have left theirs."""
    stack = f"{settings.stack_name}Stack"
    resources = client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
    (plan,) = [r for r in resources if r["ResourceType"] == "AWS::ApiGateway::UsagePlan"]
    return str(plan["PhysicalResourceId"])


def test_a_new_key_is_at_the_gateway_in_the_plan_and_in_no_table(deployed: Settings) -> None:
    made = keys("new", "ana", "--role", "viewer", "--expires", "2999-01-01", "--json")
    assert made.exit_code == 0, made.output
    secret = json.loads(made.stdout)["secret"]
    key = at_gateway()[secret]
    plan = plan_of(deployed)
    joined = client("apigateway").get_usage_plan_keys(usagePlanId=plan)["items"]
    rows = client("dynamodb").scan(TableName=deployed.names.ledger)["Items"]
    (entry,) = json.loads(rows[0]["keys"]["S"])["keys"]

    assert (key["name"], key["enabled"]) == (f"{deployed.names.stack}-ana", True)
    assert key["tags"]["Project"] == deployed.stack_name
    assert key["id"] in [one["id"] for one in joined]
    assert secret not in json.dumps(rows)
    assert (entry["name"], entry["role"]) == ("ana", "viewer")
    assert entry["secrets"][0]["gateway"] == key["id"]
    assert entry["secrets"][0]["expires"] == "2999-01-01T00:00:00Z"


def test_a_revoked_key_is_gone_from_the_gateway_and_ended_in_the_table(deployed: Settings) -> None:
    old = json.loads(keys("new", "ana", "--json").stdout)
    new = json.loads(keys("new", "ana", "--json").stdout)
    gone = keys("revoke", "ana", "--id", old["id"])
    listed = keys("list", "--json").stdout
    states = {row["id"]: row["state"] for row in map(json.loads, listed.splitlines())}

    assert gone.exit_code == 0, gone.output
    assert old["secret"] not in at_gateway()
    assert new["secret"] in at_gateway()
    assert (states[old["id"]], states[new["id"]]) == ("expired", "valid")
    assert old["secret"] not in listed
    assert new["secret"] not in listed


def test_the_stacks_own_key_is_disabled_and_its_file_named(deployed: Settings) -> None:
    assert at_gateway()[KEY]["enabled"]
    gone = keys("revoke", "us")

    assert gone.exit_code == 0, gone.output
    assert not at_gateway()[KEY]["enabled"]
    assert "the configuration has a key of us, too" in gone.stderr
    assert keys("revoke", "us").exit_code == 2


def test_a_name_of_nobody_is_not_revoked(deployed: Settings) -> None:
    keys("new", "ana")

    assert keys("revoke", "an").exit_code == 2
    assert at_gateway()[KEY]["enabled"]


def test_of_two_who_change_the_keys_one_is_told_and_leaves_nothing(deployed: Settings) -> None:
    first, second = TableKeyring(Installation()), TableKeyring(Installation())
    for ring in (first, second):
        ring.read()
    first.write([])
    before = set(at_gateway())
    with pytest.raises(Exception, match="somebody changed the keys at the same time"):
        second.write([])

    assert set(at_gateway()) == before


def test_a_key_that_no_plan_takes_is_not_left_behind(deployed: Settings) -> None:
    client("apigateway").delete_usage_plan(usagePlanId=plan_of(deployed))
    before = set(at_gateway())

    assert keys("new", "ana").exit_code == 1
    assert set(at_gateway()) == before
    assert keys("list", "--json").stdout.count("ana") == 0


async def test_a_front_takes_what_the_command_made_without_a_restart(deployed: Settings) -> None:
    async with Clients("us-east-1") as clients:
        store = DynamoKeys(clients=clients, table=deployed.names.ledger)
        clock = Clock()
        front = Keys(deployed.api_keys, deployed.gateway.throttle, [store], clock=clock)
        assert await front.holder(b"anything else") is None

        made = json.loads(keys("new", "olga", "--role", "operator", "--json").stdout)
        clock.now += 5
        holder = await front.holder(made["secret"].encode())
        keys("revoke", "olga")
        clock.now += 5

        assert holder is not None
        assert (holder.name, str(holder.role)) == ("olga", "operator")
        assert await front.holder(made["secret"].encode()) is None


def test_where_there_is_no_gateway_the_front_alone_has_it(
    deployed: Settings, tmp_path: Path
) -> None:
    write(
        tmp_path / "config.atelier.yaml",
        file_of(deployed.stack_name, edge={"enabled": False}),
    )
    before = set(at_gateway())

    assert keys("new", "ana").exit_code == 0
    assert set(at_gateway()) == before


@pytest.mark.parametrize("more", [{"role": "viewer"}, {"expires": "2000-01-01"}])
def test_the_proof_comes_in_by_no_key_that_may_not_submit(
    deployed: Settings, tmp_path: Path, more: Mapping[str, str]
) -> None:
    barred = file_of(deployed.stack_name, apiKeys=[{"name": "us", "key": KEY, **more}])
    write(tmp_path / "config.atelier.yaml", barred)

    with pytest.raises(AwsError, match="may submit"):
        key_of(Installation().stack, Installation().settings)


def test_the_proof_comes_in_by_the_stacks_own_key(deployed: Settings) -> None:
    assert key_of(Installation().stack, deployed) == KEY
