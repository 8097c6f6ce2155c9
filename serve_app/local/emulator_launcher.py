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
_KEPT_PORT = "4566"
_SAVE_SECONDS = 1.0
_SAVING_SHARE = 0.1
"""Most of the time that may go into saving: a large state is saved less often."""
_LAST_SAVED = "sqs"
"""State that is saved after the others: a message is gone only once what it led to is kept."""


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
    _name_queues_alike_at_any_port(sqs)
    _save_at_intervals(app)
    app.main()


def _end_with(parent: int) -> None:
    """Have the kernel end this process with its parent, and leave at once if that is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGTERM)
    # Only now: of a parent that went before the call above the kernel says nothing.
    if os.getppid() != parent:
        sys.exit("its parent is gone")


def _name_queues_alike_at_any_port(sqs: Any) -> None:
    """Keep queues under one port, whatever it is now: others could not be found at the next start.

    A caller is told the address by which it came.
    """
    sqs.DEFAULT_PORT = _KEPT_PORT
    sqs._CANONICAL_NETLOC = f"{sqs.DEFAULT_HOST}:{_KEPT_PORT}"  # noqa: SLF001


def _save_at_intervals(app: Any) -> None:
    """Save what is to be kept while MiniStack runs, too: it does so only when it ends in order."""
    load = app._load_persisted_state  # noqa: SLF001 - called once, and only where state is kept
    saving: list[asyncio.Task[None]] = []  # an event loop refers to its tasks but weakly

    def load_and_save() -> None:
        load()
        saving.append(asyncio.get_running_loop().create_task(_save(app)))

    app._load_persisted_state = load_and_save  # noqa: SLF001


async def _save(app: Any) -> None:
    """Save the state again and again, for ever."""
    loop = asyncio.get_running_loop()
    pause = _SAVE_SECONDS
    while True:
        await asyncio.sleep(pause)
        began = loop.time()
        # All in one turn of the event loop: what belongs together is of one moment.
        states = {name: get() for name, get in app._build_persistence_save_dict().items()}  # noqa: SLF001
        last = states.pop(_LAST_SAVED, None)
        kept = {name: (lambda state=state: state) for name, state in states.items()}
        await asyncio.to_thread(app.save_all, kept)
        await asyncio.to_thread(app.save_all, {_LAST_SAVED: lambda state=last: state})
        pause = max(_SAVE_SECONDS, (loop.time() - began) / _SAVING_SHARE)


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
