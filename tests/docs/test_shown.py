"""Blocks of the documents that are no commands are held to the code."""

import base64
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from types import ModuleType

import pytest
from fastapi.testclient import TestClient
from standardwebhooks import Webhook

import atelier
from atelier import AtelierError
from cli.payload import payload
from deployments.runtimes.comfyui.graph import Graph
from models.checkpoints import LORA, STABLE_DIFFUSION, UPSCALERS
from tests.docs.likeness import difference
from tests.docs.pages import PAGES, ROOT, Block, blocks

SHOWN = {block: block.shows for page in PAGES for block in blocks(page) if block.shows is not None}


def of(kind: str) -> list[Block]:
    return [block for block, shows in SHOWN.items() if shows == kind]


@pytest.mark.parametrize("block", of("message"), ids=str)
def test_a_message_is_one(block: Block) -> None:
    shown = json.loads(block.text)
    if "class_type" in shown:
        assert Graph.read({"1": shown}).links
    else:
        assert payload(block.text).task.callback


def test_the_tree_of_errors_is_that_of_the_client() -> None:
    (block,) = of("errors")
    parents = dict[int, str]()
    for line in block.text.splitlines():
        name = re.search(r"\w+", line)
        assert name
        error = getattr(atelier, name[0])
        depth = name.start() // 4
        assert error is AtelierError or error.__base__.__name__ == parents[depth - 1]
        parents[depth] = name[0]
    named = {name: getattr(atelier, name) for name in atelier.__all__}
    known = {n for n, e in named.items() if isinstance(e, type) and issubclass(e, AtelierError)}

    assert known == {"AtelierError", *re.findall(r"── (\w+)", block.text)}


def test_the_layout_is_what_the_runtime_reads() -> None:
    (block,) = of("layout")

    assert re.findall(r"([\w-]+)/", block.text)[:4] == [STABLE_DIFFUSION, LORA, *UPSCALERS]


def test_build_arguments_are_the_images_own() -> None:
    (block,) = of("build arguments")
    known = re.findall(
        r"^ARG (\w+)", (ROOT / "docker/runtime.Dockerfile").read_text(), re.MULTILINE
    )

    assert set(re.findall(r"--build-arg (\w+)=", block.text)) <= set(known)


def test_a_call_has_the_notification_that_the_results_topic_has() -> None:
    (call,) = of("call")
    (notification,) = of("notification")
    told = json.loads(call.text.partition("\n\n")[2])["data"]

    assert difference(notification.text, json.dumps(told)) is None


def receiver(block: Block) -> ModuleType:
    module = ModuleType("receiver")
    exec(compile(block.text, str(block), "exec"), module.__dict__)
    return module


def test_the_receiver_takes_a_signed_call_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = of("program")
    secret = f"whsec_{base64.b64encode(bytes(32)).decode()}"
    monkeypatch.setenv("CALLBACK_SECRET", secret)
    module = receiver(block)
    now = datetime.now(UTC)
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(now.timestamp()))}
    signed = {"webhook-signature": Webhook(secret).sign("msg_1", now, '{"type": "task.completed"}')}

    def call(body: str, more: Mapping[str, str]) -> int:
        answer = client.post("/pictures", content=body, headers={**headers, **more})
        return answer.status_code

    with TestClient(module.app) as client:
        assert call('{"type": "task.completed"}', signed) == 200
        assert call('{"type": "task.failed"}', signed) == 400
    assert list(module.told) == ["msg_1"]
