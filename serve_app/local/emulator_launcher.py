"""Run MiniStack, an emulator of AWS, and mend where it differs from AWS.

A program for the emulator's own environment, started by `serve_app.local.emulator` with the id of
its own process as the argument: it imports the standard library and MiniStack, nothing of ours.
"""

import asyncio
import ctypes
import os
import signal
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
_POLL_SECONDS = 0.002


def main(parent: int) -> None:
    """Serve until a signal, or until the thread that started this process is gone."""
    _end_with(parent)
    # Imported after that, since it takes a second: a parent that goes meanwhile must be noticed.
    from ministack import app  # noqa: PLC0415
    from ministack.core import iam_actions  # noqa: PLC0415
    from ministack.services import apigateway_v1, sqs  # noqa: PLC0415

    _answer_receives_at_once(sqs)
    _tell_functions_the_key_id(apigateway_v1)
    _count_loopback_as_tls(app)
    _judge_batches_as_single_calls(iam_actions)
    app.main()


def _end_with(parent: int) -> None:
    """Have the kernel end this process with its parent, and leave at once if that is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGTERM)
    # Only now: of a parent that went before the call above the kernel says nothing.
    if os.getppid() != parent:
        sys.exit("its parent is gone")


def _answer_receives_at_once(sqs: ModuleType) -> None:
    """Look for messages every 2 ms while a receive waits: MiniStack does every 100 ms, SQS never.

    SQS answers a waiting receive as soon as a message arrives.
    """
    # A copy, for this module alone: the sleeps of the rest of MiniStack stay as they are.
    prompt = SimpleNamespace(**vars(asyncio))
    prompt.sleep = lambda seconds: asyncio.sleep(min(seconds, _POLL_SECONDS))
    sqs.asyncio = prompt  # type: ignore[attr-defined]


def _tell_functions_the_key_id(gateway: Any) -> None:
    """Give a Lambda function the id of its caller's API key, as API Gateway does."""
    original = gateway._build_lambda_event_v1  # noqa: SLF001

    def event_with_key_id(*args: Any, **kwargs: Any) -> dict[str, Any]:
        event: dict[str, Any] = original(*args, **kwargs)
        secret = gateway._api_key_from_request(event["headers"])  # noqa: SLF001
        key = gateway._resolve_api_key(secret)  # noqa: SLF001
        event["requestContext"]["identity"]["apiKeyId"] = key["id"] if key else None
        return event

    gateway._build_lambda_event_v1 = event_with_key_id  # noqa: SLF001


def _count_loopback_as_tls(app: Any) -> None:
    """Meet policies that ask for TLS: loopback needs none."""
    original = app.pin_request_origin
    app.pin_request_origin = lambda address, _secure: original(address, True)


def _judge_batches_as_single_calls(iam_actions: Any) -> None:
    """Let a role that may send, receive or delete one SQS message do so in a batch, as SQS does."""
    original = iam_actions.extract_iam_action

    def single(service: str, *request: Any) -> str | None:
        action: str | None = original(service, *request)
        return action.removesuffix("Batch") if service == "sqs" and action else action

    iam_actions.extract_iam_action = single


if __name__ == "__main__":
    main(int(sys.argv.pop()))
