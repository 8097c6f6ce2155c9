"""Topics, queues and subscriptions, as the template has them."""

from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk.assertions import Template

from cdk.messaging import Messaging
from ingest.aws.client import Clients
from ingest.aws.provision import provision
from models.names.queues import LONGEST_DAYS, QueuePlan, queues, queues_of_services
from models.settings import Settings
from tests.cdk.conftest import FULL

_DAY = 86_400


Named = dict[str, tuple[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def alone(settings: Settings) -> Template:
    return Template.from_stack(_alone(settings))


@pytest.fixture(scope="module")
def made(alone: Template) -> Named:
    """Logical id and properties of each queue, by its name."""
    return named(alone, "AWS::SQS::Queue", "QueueName")


def named(template: Template, kind: str, key: str) -> Named:
    found = template.find_resources(kind).items()
    return {r["Properties"][key]: (n, r["Properties"]) for n, r in found}


def arn(logical_id: str) -> dict[str, list[str]]:
    return {"Fn::GetAtt": [logical_id, "Arn"]}


def plans(settings: Settings) -> list[QueuePlan]:
    return [
        *queues(settings.names, settings.models_runtime, settings.tasks),
        *queues_of_services(settings.names, settings.model_bucket),
    ]


def test_each_queue_is_made_as_planned(settings: Settings, made: Named) -> None:
    for plan in plans(settings):
        _, queue = made[plan.name]
        redrive = plan.dead_letters and {
            "deadLetterTargetArn": arn(made[plan.dead_letters][0]),
            "maxReceiveCount": plan.max_receives,
        }
        assert queue["MessageRetentionPeriod"] == plan.days * _DAY
        assert queue["VisibilityTimeout"] == plan.visibility_seconds
        assert queue.get("RedrivePolicy") == redrive


def test_dead_letters_outlive_the_queue_that_they_are_of(settings: Settings) -> None:
    """SQS keeps a message's age when it moves it."""
    days = {plan.name: plan.days for plan in plans(settings)}

    for plan in plans(settings):
        if plan.dead_letters is not None:
            assert days[plan.dead_letters] == LONGEST_DAYS >= plan.days


def test_each_queue_takes_what_its_filter_lets_in_and_what_fails_is_kept(
    alone: Template, settings: Settings, made: Named
) -> None:
    taken = {plan.name: plan.policy for plan in plans(settings) if plan.policy is not None}
    found = [s["Properties"] for s in alone.find_resources("AWS::SNS::Subscription").values()]
    of_queues = {s["Endpoint"]["Fn::GetAtt"][0]: s for s in found if s["Protocol"] == "sqs"}

    assert of_queues.keys() == {made[name][0] for name in taken}
    for name, policy in taken.items():
        subscription = of_queues[made[name][0]]
        assert subscription["FilterPolicy"] == policy
        assert subscription.get("FilterPolicyScope", "MessageAttributes") == "MessageAttributes"
        assert subscription["TopicArn"] == {"Ref": "sdNotificationLambdaCfn"}
        assert subscription["RawMessageDelivery"] is False
        undelivered, _ = made[settings.names.undelivered]
        assert subscription["RedrivePolicy"] == {"deadLetterTargetArn": arn(undelivered)}


def test_only_what_should_may_send_into_a_queue(
    alone: Template, settings: Settings, made: Named
) -> None:
    """Other accounts and services are refused, whatever the account's own policies allow."""
    senders = {
        policy["Properties"]["Queues"][0]["Ref"]: [
            (s["Principal"]["Service"], next(iter(s["Condition"]["ArnEquals"].values())))
            for s in policy["Properties"]["PolicyDocument"]["Statement"]
            if s["Effect"] == "Allow"
        ]
        for policy in alone.find_resources("AWS::SQS::QueuePolicy").values()
    }
    topic = [("sns.amazonaws.com", {"Ref": "sdNotificationLambdaCfn"})]
    for plan in plans(settings):
        logical_id, _ = made[plan.name]
        if plan.policy is not None or plan.name == settings.names.undelivered:
            assert senders[logical_id] == topic
        elif plan.name == settings.names.checkpoint_events:
            assert [service for service, _ in senders[logical_id]] == ["events.amazonaws.com"]
        else:
            assert senders[logical_id] == []


def test_what_changes_in_the_model_bucket_is_kept_for_who_wants_to_know(
    alone: Template, settings: Settings, made: Named
) -> None:
    events, _ = made[settings.names.checkpoint_events]
    rules = [r["Properties"] for r in alone.find_resources("AWS::Events::Rule").values()]
    (pattern,) = (r["EventPattern"] for r in rules if r["Targets"][0]["Arn"] == arn(events))

    assert pattern["source"] == ["aws.s3"]
    assert pattern["detail-type"] == ["Object Created", "Object Deleted"]
    assert pattern["detail"] == {"bucket": {"name": ["studio-models"]}}


def test_the_topics_are_found_by_the_references_logical_ids(
    alone: Template, settings: Settings
) -> None:
    topics = named(alone, "AWS::SNS::Topic", "TopicName")

    assert topics[settings.names.tasks_topic][0] == "sdNotificationLambdaCfn"
    assert topics[settings.names.results_topic][0] == "sdNotificationOutputCfn"


async def test_a_laptop_has_the_same_filters_and_queues(moto_clients: Clients) -> None:
    """A laptop's are made by API calls, those on AWS by the template."""
    account = {"account": "123456789012", "region": "us-east-1"}
    settings = Settings.read(args={**FULL, "stackName": "twin", "aws": account, "front": {}})
    await provision(settings, moto_clients)
    template = Template.from_stack(_alone(settings))
    made = named(template, "AWS::SQS::Queue", "QueueName")
    there = template.find_resources("AWS::SNS::Subscription")
    sns, sqs = await moto_clients.sns(), await moto_clients.sqs()
    here = (
        await sns.list_subscriptions_by_topic(TopicArn=settings.names.arn("sns", "twin-tasks"))
    )["Subscriptions"]

    assert len(here) == len(there) == len(settings.models_runtime) + 1
    for plan in queues(settings.names, settings.models_runtime, settings.tasks):
        url = (await sqs.get_queue_url(QueueName=plan.name))["QueueUrl"]
        known = (await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"]))["Attributes"]
        _, twin = made[plan.name]
        assert int(known["MessageRetentionPeriod"]) == twin["MessageRetentionPeriod"]
        assert int(known["VisibilityTimeout"]) == twin["VisibilityTimeout"]
        assert ("RedrivePolicy" in known) == ("RedrivePolicy" in twin)


def _alone(settings: Settings) -> Stack:
    stack = Stack(App(), "Alone")
    Messaging(stack, "Messaging", settings=settings)
    return stack
