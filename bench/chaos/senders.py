"""Senders of submissions: over HTTP until they are accepted, and straight into topic and queue."""

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any

import httpx

from bench.chaos.http_health import HttpHealth
from bench.chaos.plan import Plan, Way
from bench.chaos.story import Story
from samples.local import LocalPlatform

_PATIENCE_SECONDS = 180.0
"""Seconds for which a client sends the same again."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 3.0
_TIMEOUT_SECONDS = 30.0
_CANCELS = 20
_SHOWN = 120


class Senders:
    """Client that sends, sends again and cancels, as clients do."""

    def __init__(self, client: LocalPlatform, http: httpx.AsyncClient, *, callback: str) -> None:
        self.health = HttpHealth()
        self._client = client
        self._http = http
        self._callback = callback
        self._queues: dict[str, str] = {}

    async def send(self, story: Story) -> None:
        """Send a task as its plan says until it is accepted, or for three minutes."""
        match story.plan.way:
            case Way.NATIVE:
                requests = (self._native(story) for _ in range(story.plan.copies))
                await asyncio.gather(*requests)
            case Way.DIALECT:
                await self._dialect(story)
            case Way.TOPIC | Way.QUEUE:
                await asyncio.to_thread(self._publish, story)

    async def cancel(self, story: Story) -> None:
        """Cancel a task after the time that its plan says; ask again until there is an answer."""
        await asyncio.sleep(story.plan.cancel_after)
        for _ in range(_CANCELS):
            answer = await self._asked("DELETE", f"/v1/tasks/{story.plan.id}", story)
            if answer is not None and answer.is_success:
                told = answer.json()["status"]
                story.cancelled = story.cancelled or told == "cancelled"
                story.note(f"the cancel was answered with {told}")
                return
            await asyncio.sleep(1)

    async def _native(self, story: Story) -> None:
        plan = story.plan
        body: dict[str, Any] = {
            "id": plan.id,
            "kind": "text-to-image",
            "runtime": plan.runtime,
            "prefix": plan.metadata["prefix"],
            "content": plan.content,
            "context": plan.metadata["context"],
        }
        if plan.callback:
            body["callback"] = {"url": self._callback}
        key = {"idempotency-key": plan.id}
        answer = await self._insisted("/v1/tasks", body, story, key)
        if answer is not None:
            story.accept(answer.json()["submission"])

    async def _dialect(self, story: Story) -> None:
        answer = await self._insisted("/v1alpha2", {"task": self._message(story.plan)}, story, {})
        if answer is not None:
            story.accept()

    async def _insisted(
        self, path: str, body: Mapping[str, Any], story: Story, headers: Mapping[str, str]
    ) -> httpx.Response | None:
        """Post until the answer is good; None if none came in time, or it was refused for good."""
        pause, end = _FIRST_PAUSE, time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < end:
            story.tries += 1
            answer = await self._asked("POST", path, story, json=body, headers=headers)
            if answer is not None and answer.is_success:
                story.note(f"{path}: {answer.status_code}")
                return answer
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        story.note(f"{path}: given up")
        return None

    async def _asked(
        self, method: str, path: str, story: Story, **more: Any
    ) -> httpx.Response | None:
        """Make one request; None if no answer came."""
        try:
            answer = await self._http.request(method, path, timeout=_TIMEOUT_SECONDS, **more)
        except httpx.HTTPError as exc:
            story.note(f"{method} {path}: {type(exc).__name__}")
            self.health.note(good=False)
            return None
        # A 503 with Retry-After is an answer: a part of AWS is away, and HTTP is not.
        self.health.note(good=not answer.is_server_error or "retry-after" in answer.headers)
        if not answer.is_success:
            story.note(f"{method} {path}: {answer.status_code} {answer.text[:_SHOWN]}")
        return answer

    def _publish(self, story: Story) -> None:
        plan = story.plan
        text = plan.text if plan.text is not None else json.dumps(self._message(plan))
        attributes = {"runtime": plan.runtime}
        if plan.copies > 1:  # as SNS's own redelivery, the copies are one submission
            attributes["submission"] = f"s-{plan.id}"
        for _ in range(plan.copies):
            story.tries += 1
            if plan.way is Way.QUEUE:
                self._client.sqs.send_message(QueueUrl=self._queue(plan.runtime), MessageBody=text)
            else:
                self._client.sns.publish(
                    TopicArn=self._client.address["tasks_topic"],
                    Message=text,
                    MessageAttributes={
                        name: {"DataType": "String", "StringValue": value}
                        for name, value in attributes.items()
                    },
                )
        story.accept()
        story.note(f"published {plan.copies} times by {plan.way}")

    def _message(self, plan: Plan) -> dict[str, Any]:
        metadata = plan.metadata
        if plan.callback:
            metadata["callback"] = self._callback
        return {"metadata": metadata, "content": plan.content}

    def _queue(self, runtime: str) -> str:
        if runtime not in self._queues:
            got = self._client.sqs.get_queue_url(QueueName=f"chaos-{runtime}")
            self._queues[runtime] = got["QueueUrl"]
        return self._queues[runtime]
