from typing import Any

import pytest

from models.names import routing
from models.settings import Settings
from tests.models.settings.test_settings import REFERENCE


def unrouted(runtimes: int) -> routing.Policy:
    made: list[Any] = [
        {"name": f"sd{number}", "type": "fake", "modelFilename": f"{number}.safetensors"}
        for number in range(runtimes)
    ]
    return routing.of_unrouted(
        Settings.read(args=REFERENCE | {"modelsRuntime": made}).models_runtime
    )


@pytest.mark.parametrize("runtimes", [1, 5, 8, 20])
def test_sns_takes_the_policy_of_what_no_runtime_takes(runtimes: int) -> None:
    """SNS multiplies the values of all attributes, to at most 150."""
    combined = 1
    for exists, others in unrouted(runtimes).values():
        assert exists == {"exists": False}
        combined *= 1 + len(others["anything-but"])

    assert combined <= 150


def test_a_message_that_names_a_checkpoint_is_not_unrouted() -> None:
    assert unrouted(5).keys() == {routing.RUNTIME, routing.CHECKPOINT}
